"""Servers that lie about types and numbers, unpack to terabytes, or never come to an end. Broken streams are in
``tests/engines/test_faults.py``."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.engines import lookup
from llmtester.engines.chat_stream import Answer, read_chat
from llmtester.engines.client import StreamingClient
from llmtester.engines.lookup import look_up
from llmtester.engines.ollama import read_ollama
from llmtester.engines.told import MOST
from tests.engines.scripted_server import Call, scripted

pytestmark = pytest.mark.faults

NAMES = (
    *("choices", "delta", "content", "reasoning_content", "tool_calls", "function", "finish_reason", "usage", "error"),
    *("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens", "timings", "prompt_n", "cache_n"),
    *("prompt_ms", "predicted_n", "predicted_ms", "stats", "time_to_first_token", "generation_time", "stop", "message"),
    *("timing_prompt_processing", "prompt_eval_count", "eval_count", "eval_duration", "done", "done_reason"),
)
LEAVES = (None, True, False, 0, 3, -1, 1 << 63, 1e308, 0.5, "", "stop", "many")
EVENTS = 3000


def anything(chance: random.Random, depth: int = 4) -> Any:
    """A value of any type and shape, out of the words that servers use."""
    kind = chance.random() if depth else 0
    if kind < 0.4:
        return chance.choice(LEAVES)
    if kind < 0.6:
        return [anything(chance, depth - 1) for _ in range(chance.randrange(3))]
    return {name: anything(chance, depth - 1) for name in chance.sample(NAMES, chance.randrange(1, 8))}


def test_any_json_is_an_answer_or_a_failed_request() -> None:
    """Whatever a server puts where, the run goes on, and no count is negative, of another type or beyond reason."""
    chance = random.Random(20261124)
    answered = 0
    for _ in range(EVENTS):
        payload = json.dumps(anything(chance)).encode()
        for read in (read_chat, read_ollama):
            try:
                answer = read([(7, payload)], done=True)
            except RequestFailed:
                continue
            answered += 1
            for told in counts(answer):
                assert told is None or (isinstance(told, int) and 0 <= told <= MOST)
    assert answered > EVENTS / 10


def counts(answer: Answer) -> tuple[object, ...]:
    server = answer.server
    of_server = (server.prompt_tok, server.cached_tok, server.predicted_tok) if server else ()
    return answer.prompt_tok, answer.completion_tok, answer.cached_tok, *of_server


async def bomb(call: Call) -> None:
    await call.json(b"\x1f\x8b\x08\x00", headers="content-encoding: gzip\r\n")


async def endless_body(call: Call) -> None:
    await call.start_stream("application/json")
    while not call.writer.is_closing():
        await call.chunk(b" " * 65536)


async def endless_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n")
    while not call.writer.is_closing():
        await call.send(b"x-more: of the same\r\n" * 1000)


async def huge_numbers(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n{}")


async def odd_wait(call: Call) -> None:
    await call.json({}, "429 Too Many Requests", "retry-after: \xb2\r\n")


async def deep(call: Call) -> None:
    await call.json(b"[" * 100_000)


@contextmanager
def serving(handler: Callable[[Call], Any]) -> Iterator[str]:
    """The address of a scripted server that runs in a thread of its own, for code that has no event loop."""
    ready, over = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        async with scripted({"/x": handler}) as server:
            found.extend((asyncio.get_running_loop(), server.url))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(5)
    try:
        yield found[1]
    finally:
        found[0].call_soon_threadsafe(over.set)
        thread.join()


REFUSED = (endless_body, endless_head, huge_numbers, odd_wait)


@pytest.mark.parametrize("handler", REFUSED, ids=[handler.__name__ for handler in REFUSED])
def test_a_look_up_ends(handler: Callable[[Call], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking whether a server is there fails by size, time or form, and takes no more memory than a reply may."""
    monkeypatch.setattr(lookup, "MAX_REPLY_BYTES", 1 << 20)
    with serving(handler) as url, pytest.raises(RequestFailed):
        look_up(url, "/x")


def test_what_is_nested_too_deep_is_text() -> None:
    """A reply that would exhaust the stack of a JSON reader is no JSON."""
    with serving(deep) as url:
        assert isinstance(look_up(url, "/x"), str)


@pytest.mark.parametrize("handler", [bomb, huge_numbers, endless_head, odd_wait], ids=lambda handler: handler.__name__)
def test_a_small_reply_is_refused(handler: Callable[[Call], Any]) -> None:
    """Replies that were compressed unasked, that have no end or numbers that nothing has, fail as requests do."""

    async def run() -> RequestFailed:
        async with scripted({"/x": handler}) as server:
            client = StreamingClient(server.url)
            with pytest.raises(RequestFailed) as raised:
                await client.call("GET", "/x", limit_s=5)
            await client.aclose()
            return raised.value

    failed = asyncio.run(run())
    assert failed.failure in {RequestFailure.MALFORMED, RequestFailure.HTTP_STATUS}
