"""Payloads of one chat stream -> chunks, finish and counts. Pure; knows the OpenAI shape and its dialects.

Read in one place because the dialects differ only in keys: llama-server, vLLM, mlx_lm.server, LM Studio, LocalAI and
Ollama's ``/v1`` (facts/engines.md sections 2 and 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.records import Chunk, ChunkKind, Finish, ServerTimings
from llmtester.domain.text import printable
from llmtester.engines.told import count, mapping, mappings, number

_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "word": "stop",
    "length": "length",
    "limit": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stream said. ``None``: it did not say. ``prompt_tok`` counts the cached part too."""

    chunks: tuple[Chunk, ...] = ()
    finish: Finish | None = None
    prompt_tok: int | None = None
    cached_tok: int | None = None
    completion_tok: int | None = None
    server: ServerTimings | None = None
    complete: bool = False


def decode_json(payload: bytes, arrivals_ns: tuple[int, ...], *, last: bool) -> dict[str, Any]:
    """The object in a payload. Raises ``RequestFailed``: ``CUT`` if it is the last one, else ``MALFORMED``."""
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        failure = RequestFailure.CUT if last else RequestFailure.MALFORMED
        detail = f"no JSON: {printable(payload[:80].decode('utf-8', 'replace'))}"
        raise RequestFailed(failure, detail, arrivals_ns=arrivals_ns) from error
    if not isinstance(event, dict):
        raise RequestFailed(RequestFailure.MALFORMED, "an event is not an object", arrivals_ns=arrivals_ns)
    return event


def read_chat(events: Iterable[tuple[int, bytes]], *, done: bool) -> Answer:
    """The answer in a stream of ``chat.completion.chunk`` or native ``/completion`` events.

    ``done``: the stream ended in ``[DONE]``. Raises ``RequestFailed`` with the arrivals for an error event
    (``ERROR_EVENT``), for a stream without end mark (``CUT``) and for what is no such stream (``MALFORMED``).
    """
    events = list(events)
    arrivals_ns = tuple(at_ns for at_ns, _ in events)
    answer, chunks = Answer(complete=done), list[Chunk]()
    for place, (at_ns, payload) in enumerate(events, start=1):
        event = decode_json(payload, arrivals_ns, last=place == len(events) and not done)
        if "error" in event:
            raise error_event(event["error"], arrivals_ns)
        for kind, text in _outputs(event):
            chunks.append(Chunk(at_ns, kind, text))
        if _tells_facts(event):
            answer = _with_facts(answer, event)
    if not answer.complete:
        raise RequestFailed(RequestFailure.CUT, "the stream ended without its end mark", arrivals_ns=arrivals_ns)
    return replace(answer, chunks=tuple(chunks))


def error_event(error: Any, arrivals_ns: tuple[int, ...]) -> RequestFailed:
    """The failure that an ``error`` member of an event stands for."""
    if isinstance(error, Mapping):
        exceeded = error.get("type") == "exceed_context_size_error" or "Context size" in str(error.get("message"))
        message = str(error.get("message", error))
    else:
        exceeded, message = False, str(error)
    failure = RequestFailure.CONTEXT_EXCEEDED if exceeded else RequestFailure.ERROR_EVENT
    return RequestFailed(failure, printable(message), arrivals_ns=arrivals_ns)


def _outputs(event: Mapping[str, Any]) -> list[tuple[ChunkKind, str]]:
    if "choices" not in event:
        return [("content", str(event["content"]))] if event.get("content") else []
    found: list[tuple[ChunkKind, str]] = []
    for choice in mappings(event["choices"]):
        delta = mapping(choice.get("delta")) or choice
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning:
            found.append(("reasoning", str(reasoning)))
        text = delta.get("content") or delta.get("text")
        if text:
            found.append(("content", str(text)))
        calls = delta.get("tool_calls")
        if calls and (words := "".join(map(_call_text, mappings(calls)))):
            found.append(("tool", words))
    return found


def _call_text(call: Mapping[str, Any]) -> str:
    function = mapping(call.get("function"))
    return f"{function.get('name') or ''}{function.get('arguments') or ''}"


def _tells_facts(event: Mapping[str, Any]) -> bool:
    """Whether an event holds more than output. Most do not, and this is looked at for each token."""
    if "stop" in event or "usage" in event or "timings" in event or "stats" in event:
        return True
    choices = event.get("choices")
    if isinstance(choices, list):
        for choice in choices:  # a list of its own, or a generator, costs more than the loop
            if isinstance(choice, dict) and choice.get("finish_reason"):
                return True
    return False


def _with_facts(answer: Answer, event: Mapping[str, Any]) -> Answer:
    for choice in mappings(event.get("choices")):
        if choice.get("finish_reason"):
            answer = replace(answer, finish=_FINISHES.get(str(choice["finish_reason"]), "other"))
    if event.get("stop") is True:  # native /completion has no [DONE]
        answer = replace(answer, complete=True, finish=_FINISHES.get(str(event.get("stop_type")), "other"))
    usage = event.get("usage")
    if isinstance(usage, Mapping):
        cached_tok = count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
        answer = replace(
            answer,
            prompt_tok=count(usage.get("prompt_tokens", answer.prompt_tok)),
            completion_tok=count(usage.get("completion_tokens", answer.completion_tok)),
            cached_tok=cached_tok if cached_tok is not None else answer.cached_tok,
        )
        if "timing_prompt_processing" in usage:
            answer = replace(answer, server=_localai_timings(usage))
    for key, read in _TIMING_READERS.items():
        if isinstance(event.get(key), Mapping):
            answer = read(answer, event[key])
    return answer


def llama_timings(timings: Mapping[str, Any]) -> ServerTimings:
    """llama.cpp's own figures of one request."""
    return ServerTimings(
        prompt_tok=count(timings.get("prompt_n")),
        cached_tok=count(timings.get("cache_n")),
        prompt_ms=number(timings.get("prompt_ms")),
        predicted_tok=count(timings.get("predicted_n")),
        predicted_ms=number(timings.get("predicted_ms")),
    )


def _with_llama_timings(answer: Answer, timings: Mapping[str, Any]) -> Answer:
    server = llama_timings(timings)
    prompt_tok = answer.prompt_tok
    if prompt_tok is None and server.prompt_tok is not None:
        prompt_tok = server.prompt_tok + (server.cached_tok or 0)
    cached_tok = server.cached_tok if server.cached_tok is not None else answer.cached_tok
    return replace(answer, server=server, prompt_tok=prompt_tok, cached_tok=cached_tok)


def _localai_timings(usage: Mapping[str, Any]) -> ServerTimings:
    """LocalAI with the request header ``Extra-Usage``: milliseconds inside ``usage``."""
    return ServerTimings(
        prompt_tok=count(usage.get("prompt_tokens")),
        prompt_ms=number(usage.get("timing_prompt_processing")),
        predicted_tok=count(usage.get("completion_tokens")),
        predicted_ms=number(usage.get("timing_token_generation")),
    )


def _lmstudio_stats(answer: Answer, stats: Mapping[str, Any]) -> Answer:
    """LM Studio's ``/api/v0``: seconds; its time to first token includes queue and template."""
    first_s, generation_s = number(stats.get("time_to_first_token")), number(stats.get("generation_time"))
    server = ServerTimings(
        prompt_tok=answer.prompt_tok,
        prompt_ms=first_s * 1000 if first_s is not None else None,
        predicted_tok=answer.completion_tok,
        predicted_ms=generation_s * 1000 if generation_s is not None else None,
    )
    return replace(answer, server=server)


_TIMING_READERS = {"timings": _with_llama_timings, "stats": _lmstudio_stats}
