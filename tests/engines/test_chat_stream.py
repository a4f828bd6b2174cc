"""Decoding: chunks, counts and timings of every dialect, and what is no such stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.records import ServerTimings
from llmtester.engines.chat_stream import Answer, read_chat
from llmtester.engines.ollama import read_ollama
from llmtester.engines.sse import EventSplitter, LineSplitter

DATA = Path(__file__).parent / "data"


def read(name: str) -> Answer:
    """The answer in a recorded file; event n arrives at n."""
    data = (DATA / name).read_bytes()
    splitter = LineSplitter() if name.endswith("ndjson") else EventSplitter()
    payloads = splitter.feed(data) + splitter.finish()
    events = [(number, payload) for number, payload in enumerate(payloads) if payload != b"[DONE]"]
    return (read_ollama if name.endswith("ndjson") else read_chat)(events, done=b"[DONE]" in payloads)


def kinds(answer: Answer) -> list[tuple[int, str, str]]:
    return [(chunk.at_ns, chunk.kind, chunk.text) for chunk in answer.chunks]


def test_llama_server_chat():
    """The role event is no token; counts come from timings, the cached part included in the prompt."""
    answer = read("llama_chat.sse")
    assert b'"role"' in (DATA / "llama_chat.sse").read_bytes().splitlines()[0]
    assert answer.chunks[0].at_ns == 1
    assert (answer.prompt_tok, answer.cached_tok, answer.completion_tok, answer.finish) == (32, 0, 24, "length")
    assert answer.server.predicted_tok == 24
    assert answer.server.prompt_ms > 0


def test_llama_server_completion():
    """The native endpoint ends with stop:true and no [DONE]."""
    answer = read("llama_completion.sse")
    assert answer.complete
    assert (answer.finish, answer.server.predicted_tok, answer.prompt_tok) == ("length", 24, 2)


def test_vllm_chat():
    """An empty first content is no token, reasoning is the first one, the finish rides on the last content."""
    answer = read("vllm_chat.sse")
    assert kinds(answer) == [
        (1, "reasoning", "I think"),
        (2, "reasoning", " so."),
        (3, "content", "Zürich"),
        (4, "content", " 😀"),
        (5, "content", " lies"),
    ]
    assert (answer.finish, answer.prompt_tok, answer.completion_tok, answer.server) == ("length", 21, 6, None)


def test_mlx_chat():
    """Comments while prefilling are nothing, and a role on every event does not matter."""
    answer = read("mlx_chat.sse")
    assert "".join(chunk.text for chunk in answer.chunks) == "The lake."
    assert answer.chunks[0].at_ns == 0
    assert (answer.finish, answer.prompt_tok, answer.completion_tok, answer.cached_tok) == ("stop", 32, 4, 0)


def test_lmstudio_chat():
    """Its stats are in seconds."""
    answer = read("lmstudio_chat.sse")
    assert answer.server == ServerTimings(prompt_tok=24, prompt_ms=111.0, predicted_tok=3, predicted_ms=60.0)


def test_localai_chat():
    """Its timings are in usage, in milliseconds."""
    answer = read("localai_chat.sse")
    assert answer.server == ServerTimings(prompt_tok=9, prompt_ms=40.5, predicted_tok=2, predicted_ms=20.25)


def test_a_tool_call_counts_as_output():
    """Name and arguments of a call are chunks, and its first one is the first token."""
    answer = read("tool_call.sse")
    assert kinds(answer) == [(1, "tool", "weather"), (2, "tool", '{"city":'), (3, "tool", '"Rome"}')]
    assert answer.finish == "tool_calls"


def test_ollama_chat():
    """Nanoseconds become milliseconds, thinking is reasoning."""
    answer = read("ollama_chat.ndjson")
    assert kinds(answer) == [(0, "reasoning", "Well"), (1, "content", "Hi"), (2, "content", " \u2028there")]
    assert answer.server == ServerTimings(prompt_tok=26, prompt_ms=130.079, predicted_tok=4, predicted_ms=60.0)
    assert answer.finish == "stop"


@pytest.mark.parametrize(
    ("payloads", "done", "failure"),
    [
        ([b'{"choices":[]}', b'{"error":{"code":500,"message":"boom","type":"server_error"}}'], False, "error_event"),
        ([b'{"error":{"message":"Context size has been exceeded."}}'], False, "context_exceeded"),
        ([b'{"error":"plain text"}'], False, "error_event"),
        ([b'{"choices":[{"delta":{"content":"a"}}]}'], False, "cut"),
        ([b'{"choices":[{"delta":{"con'], False, "cut"),
        ([b"<html>", b'{"choices":[]}'], True, "malformed"),
        ([b"[1, 2]"], True, "malformed"),
        ([], False, "cut"),
    ],
)
def test_what_is_no_whole_answer(payloads, done, failure):
    """Error events, missing ends, cut and foreign content each have their own failure and keep the arrivals."""
    with pytest.raises(RequestFailed) as raised:
        read_chat([(7, payload) for payload in payloads], done=done)
    assert raised.value.failure is RequestFailure(failure)
    assert raised.value.arrivals_ns == (7,) * len(payloads)


def test_an_ollama_stream_without_done_is_cut():
    """Ollama marks the end with done:true and nothing else."""
    with pytest.raises(RequestFailed) as raised:
        read_ollama([(1, b'{"message":{"content":"a"},"done":false}')], done=False)
    assert raised.value.failure is RequestFailure.CUT
