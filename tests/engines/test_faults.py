"""Every way in which a server can fail ends in the right failure within its limit, and the next request works."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.records import Capabilities, SessionFacts
from llmtester.domain.work import Message, Request, Timeouts
from llmtester.engines.client import Retry, StreamingClient
from llmtester.engines.http_session import LLAMA, HttpSession, llama_body
from tests.engines.scripted_server import Call, content, good_stream, scripted

pytestmark = pytest.mark.faults

LIMITS = Timeouts(connect_s=1, first_token_s=0.6, between_tokens_s=0.5, total_s=1.2)
SLACK_S = 1.0
FACTS = SessionFacts("test", "0", (), 1, 4096, 1, Capabilities())
REQUEST = Request("r", (Message("user", "hi"),), max_tok=4, timeouts=LIMITS)


@asynccontextmanager
async def talking(handlers, key=None):
    """A scripted server and a client of it, closed whatever happens."""
    async with scripted(handlers) as server:
        client = StreamingClient(server.url, key)
        try:
            yield server, client
        finally:
            await client.aclose()


async def hang(call: Call) -> None:
    await call.until_closed()


async def headers_then_hang(call: Call) -> None:
    await call.start_stream()
    await call.until_closed()


async def pings_only(call: Call) -> None:
    await call.start_stream()
    while not call.writer.is_closing():
        await call.chunk(b": keepalive 1/9\n\n")
        await asyncio.sleep(0.02)


async def stall(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    await call.until_closed()


async def trickle(call: Call) -> None:
    await call.start_stream()
    while not call.writer.is_closing():
        await call.event(content("x"))
        await asyncio.sleep(0.1)


async def reset_before(call: Call) -> None:
    call.reset()


async def reset_within(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    await asyncio.sleep(0.05)
    call.reset()


async def close_within(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    call.writer.close()


async def half_an_event(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    await call.chunk(b'data: {"choices":[{"delta":{"cont')
    await call.end_stream()


async def no_end_mark(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one", "stop"))
    await call.end_stream()


async def too_short(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\ndata: " + b'{"choices":[]}' + b"\n\n")
    call.writer.close()


async def bad_chunk_size(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    await call.send(b"zz\r\nnonsense\r\n")


async def error_event(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    await call.event({"error": {"code": 500, "message": "boom", "type": "server_error"}})
    await call.end_stream()


async def context_event(call: Call) -> None:
    await call.start_stream()
    await call.event(content("one"))
    await call.event({"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}})
    await call.end_stream()


async def too_many_requests(call: Call) -> None:
    await call.json({"error": {"message": "slow down"}}, "429 Too Many Requests", "retry-after: 1\r\n")


async def loading(call: Call) -> None:
    await call.json({"error": {"message": "Loading model", "code": 503}}, "503 Service Unavailable")


async def context_exceeded(call: Call) -> None:
    error = {"code": 400, "message": "request (9 tokens) exceeds", "type": "exceed_context_size_error"}
    await call.json({"error": error}, "400 Bad Request")


async def garbage(call: Call) -> None:
    await call.send(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
    call.writer.close()


async def a_web_page(call: Call) -> None:
    await call.json(b"<html>\n<body>hello</body>\n</html>\n")


async def garbage_events(call: Call) -> None:
    await call.start_stream()
    await call.event(b"<html>")
    await call.event(b"[DONE]")
    await call.end_stream()


async def endless(call: Call) -> None:
    await call.start_stream()
    burst = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n' * 200
    while not call.writer.is_closing():
        await call.chunk(burst)


async def redirect(call: Call) -> None:
    await call.json({}, "307 Temporary Redirect", "location: http://127.0.0.1:1/steal\r\n")


CASES: list[tuple[Callable[[Call], Awaitable[None]], RequestFailure, int]] = [
    (hang, RequestFailure.FIRST_TOKEN_TIMEOUT, 0),
    (headers_then_hang, RequestFailure.FIRST_TOKEN_TIMEOUT, 0),
    (pings_only, RequestFailure.FIRST_TOKEN_TIMEOUT, 0),
    (stall, RequestFailure.STALLED, 1),
    (trickle, RequestFailure.TOTAL_TIMEOUT, 8),
    (reset_before, RequestFailure.CUT, 0),
    (reset_within, RequestFailure.CUT, 1),
    (close_within, RequestFailure.CUT, 1),
    (half_an_event, RequestFailure.CUT, 2),
    (no_end_mark, RequestFailure.CUT, 1),
    (too_short, RequestFailure.CUT, 1),
    (bad_chunk_size, RequestFailure.MALFORMED, 0),
    (error_event, RequestFailure.ERROR_EVENT, 2),
    (context_event, RequestFailure.CONTEXT_EXCEEDED, 2),
    (too_many_requests, RequestFailure.HTTP_STATUS, 0),
    (loading, RequestFailure.HTTP_STATUS, 0),
    (context_exceeded, RequestFailure.CONTEXT_EXCEEDED, 0),
    (garbage, RequestFailure.MALFORMED, 0),
    (a_web_page, RequestFailure.CUT, 0),
    (garbage_events, RequestFailure.MALFORMED, 1),
    (endless, RequestFailure.MALFORMED, 1000),
    (redirect, RequestFailure.HTTP_STATUS, 0),
]


@pytest.mark.parametrize(("fault", "failure", "arrivals"), CASES, ids=[case[0].__name__ for case in CASES])
def test_each_fault_has_its_failure(fault, failure, arrivals):
    """The failure is the right one, in time, with what had arrived, and the same client can go on."""

    async def run() -> None:
        async with talking({"/v1/chat/completions": fault}) as (server, client):
            session = HttpSession(client, LLAMA, FACTS, "m")
            started_s = time.perf_counter()
            with pytest.raises(RequestFailed) as raised:
                await session.generate(REQUEST, lambda at_ns: None)
            took_s = time.perf_counter() - started_s
            assert raised.value.failure is failure
            assert len(raised.value.arrivals_ns) >= arrivals
            assert took_s < LIMITS.total_s + SLACK_S
            server.handlers["/v1/chat/completions"] = good_stream
            done = await session.generate(REQUEST, lambda at_ns: None)
            assert done.text == "one two three"
            assert len(server.calls) == 2

    asyncio.run(run())


def test_the_status_is_kept():
    """An HTTP error names its status, so that a finding can tell 429 from 500."""

    async def run() -> None:
        async with talking({"/v1/chat/completions": too_many_requests}) as (_, client):
            with pytest.raises(RequestFailed) as raised:
                await HttpSession(client, LLAMA, FACTS, "m").generate(REQUEST, lambda at_ns: None)
            assert raised.value.status == 429
            assert "slow down" in raised.value.detail

    asyncio.run(run())


def test_nobody_listens():
    """A refused connection is a failure to connect, at once."""

    async def run() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        client = StreamingClient(f"http://127.0.0.1:{port}")
        with pytest.raises(RequestFailed) as raised:
            await HttpSession(client, LLAMA, FACTS, "m").generate(REQUEST, lambda at_ns: None)
        assert raised.value.failure is RequestFailure.CONNECT
        await client.aclose()

    asyncio.run(run())


def test_a_server_that_ended_is_named():
    """A broken connection to a process that has ended is SERVER_GONE; to one that lives it is CUT."""

    async def run(ended: object | None) -> RequestFailure:
        async def gone_within(limit_s: float) -> object | None:
            return ended

        async with talking({"/v1/chat/completions": reset_within}) as (_, client):
            with pytest.raises(RequestFailed) as raised:
                await HttpSession(client, LLAMA, FACTS, "m", gone_within).generate(REQUEST, lambda at_ns: None)
            assert len(raised.value.arrivals_ns) == 1
            return raised.value.failure

    assert asyncio.run(run("ended")) is RequestFailure.SERVER_GONE
    assert asyncio.run(run(None)) is RequestFailure.CUT


def test_cancelling_closes_the_connection():
    """Whoever abandons a request makes the server notice, so that it stops generating."""

    async def run() -> None:
        seen: list[Call] = []

        async def handler(call: Call) -> None:
            seen.append(call)
            await call.start_stream()
            await call.event(content("one"))
            await call.until_closed()

        arrived = asyncio.Event()
        async with talking({"/v1/chat/completions": handler}) as (_, client):
            request = replace(REQUEST, timeouts=Timeouts())
            task = asyncio.create_task(
                HttpSession(client, LLAMA, FACTS, "m").generate(request, lambda at_ns: arrived.set())
            )
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(2):
                await seen[0].closed.wait()

    asyncio.run(run())


def test_many_requests_at_once_do_not_queue():
    """150 streams run together: no limit of a connection pool holds any of them back."""
    count = 150

    async def run() -> int:
        together, most = 0, 0
        all_here = asyncio.Event()

        async def handler(call: Call) -> None:
            nonlocal together, most
            together += 1
            most = max(most, together)
            if together == count:
                all_here.set()
            await all_here.wait()
            await good_stream(call)

        async with talking({"/v1/chat/completions": handler}) as (_, client):
            session = HttpSession(client, LLAMA, FACTS, "m")
            request = replace(REQUEST, timeouts=Timeouts())
            await asyncio.gather(*[session.generate(request, lambda at_ns: None) for _ in range(count)])
        return most

    assert asyncio.run(run()) == count


def test_only_safe_calls_are_repeated():
    """A call with a retry policy waits out 503 and 429 as told; one without fails at the first."""

    async def run() -> None:
        left = 2

        async def handler(call: Call) -> None:
            nonlocal left
            left -= 1
            await (call.json({"ok": True}) if left < 0 else too_many_requests(call))

        async with talking({"/tokenize": handler}) as (server, client):
            with pytest.raises(RequestFailed) as raised:
                await client.call("POST", "/tokenize", {})
            assert raised.value.status == 429
            assert len(server.calls) == 1
            retry = Retry(tries=3, first_wait_s=0.01, longest_wait_s=0.05)
            assert await client.call("POST", "/tokenize", {}, retry=retry) == {"ok": True}
            assert len(server.calls) == 3

    asyncio.run(run())


def test_waits_grow_and_are_capped():
    """Waits double with jitter, never fall below what the server told, never exceed the cap."""
    retry = Retry(first_wait_s=1, longest_wait_s=5)
    assert 0.5 <= retry.wait_s(0, None) <= 1
    assert 1 <= retry.wait_s(1, None) <= 2
    assert retry.wait_s(0, 3.0) == 3.0
    assert retry.wait_s(9, 60.0) == 5


def test_what_is_asked_of_llama_server():
    """Prefill is cold and the length fixed unless the request says otherwise."""
    body = llama_body(REQUEST, "m")
    assert (body["cache_prompt"], body["ignore_eos"], body["max_tokens"]) == (False, True, 4)
    assert body["stream_options"] == {"include_usage": True}
    relaxed = llama_body(replace(REQUEST, fixed_length=False, reuse_cache=True), "m")
    assert relaxed["cache_prompt"] is True
    assert "ignore_eos" not in relaxed


def test_the_key_goes_into_a_header_alone():
    """The API key is sent as a bearer token, and an error does not show it."""

    async def run() -> None:
        async with talking({"/v1/chat/completions": too_many_requests}, "secret-key") as (server, client):
            with pytest.raises(RequestFailed) as raised:
                await HttpSession(client, LLAMA, FACTS, "m").generate(REQUEST, lambda at_ns: None)
            assert server.calls[0].headers["authorization"] == "Bearer secret-key"
            assert "secret-key" not in str(raised.value)

    asyncio.run(run())


def test_stamps_are_those_of_the_reads():
    """Arrivals grow, lie between sending and ending, and the display hears of each event as it comes."""

    async def handler(call: Call) -> None:
        await call.start_stream()
        for text in ("one", " two"):
            await call.event(content(text))
            await asyncio.sleep(0.05)
        await call.event(content("", "stop"))
        await call.event(b"[DONE]")
        await call.end_stream()

    async def run() -> None:
        async with talking({"/v1/chat/completions": handler}) as (_, client):
            heard: list[int] = []
            done = await HttpSession(client, LLAMA, FACTS, "m").generate(REQUEST, heard.append)
            stamps = [chunk.at_ns for chunk in done.chunks]
            assert stamps == heard[:2]
            assert done.sent_ns < stamps[0] < stamps[1] < done.ended_ns
            assert stamps[1] - stamps[0] > 40e6
            assert (done.completion_tok, done.token_source) == (2, "estimate")

    asyncio.run(run())


def test_a_connection_that_stays_open_after_the_end_is_no_failure():
    """A server that never ends its transfer after [DONE] costs a second and nothing else."""

    async def handler(call: Call) -> None:
        await call.start_stream()
        await call.event(content("one", "stop"))
        await call.event(b"[DONE]")
        await call.until_closed()

    async def run() -> None:
        async with talking({"/v1/chat/completions": handler}) as (_, client):
            done = await HttpSession(client, LLAMA, FACTS, "m").generate(
                replace(REQUEST, timeouts=Timeouts()), lambda at_ns: None
            )
            assert done.text == "one"
            assert done.ended_ns - done.sent_ns < 500e6

    asyncio.run(run())
