"""Engines that somebody else runs, against servers that speak their documented protocols."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmtester.domain.errors import EngineError, EngineFailure, NetworkError, RequestFailed, RequestFailure
from llmtester.domain.ports import EngineOptions
from llmtester.domain.records import Available, Missing
from llmtester.domain.work import Message, Request, ServerSettings, Target
from llmtester.engines.ollama import OllamaEngine
from llmtester.engines.openai_compatible import (
    LmStudioEngine,
    LocalAiEngine,
    MlxEngine,
    OpenAICompatibleEngine,
    VllmEngine,
)
from llmtester.engines.served_models import quantization_in
from tests.engines.scripted_server import Call, ScriptedServer, scripted

DATA = Path(__file__).parent / "data"
MESSAGES = (Message("user", "Tell me of the lake."),)
DEAD_URL = "http://127.0.0.1:9"


def silent(at_ns: int) -> None:
    """Nobody watches."""


@contextmanager
def running(handlers):
    """A scripted server in a thread of its own, for engines that look it up before there is an event loop."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    servers: list[ScriptedServer] = []

    async def serve() -> None:
        async with scripted(handlers) as server:
            servers.append(server)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(5)
    try:
        yield servers[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


def replies(value, status: str = "200 OK"):
    async def handler(call: Call) -> None:
        await call.json(value, status)

    return handler


def recorded(name: str):
    """A handler that sends a recorded stream in pieces of 50 bytes."""

    async def handler(call: Call) -> None:
        data = (DATA / name).read_bytes()
        await call.start_stream("application/x-ndjson" if name.endswith("ndjson") else "text/event-stream")
        for start in range(0, len(data), 50):
            await call.chunk(data[start : start + 50])
        await call.end_stream()

    return handler


def answered(engine, model, **more):
    """One answer of a session, its facts, and a count of tokens."""

    async def run():
        async with engine.open(Target(engine.name, model, ServerSettings(**more)), Path()) as session:
            counted = await session.count_tokens(MESSAGES)
            done = await session.generate(Request("r", MESSAGES, max_tok=8), silent)
            return done, session.facts, counted

    return asyncio.run(run())


MODELS = {"object": "list", "data": [{"id": "org/Lake-3B-Q4_K_M", "object": "model", "max_model_len": 8192}]}
KINDS = {
    "openai": (OpenAICompatibleEngine, "mlx_chat.sse", {"/v1/chat/completions": None, "/v1/models": MODELS}),
    "mlx": (MlxEngine, "mlx_chat.sse", {"/v1/chat/completions": None, "/v1/models": MODELS, "/health": {"ok": 1}}),
    "localai": (
        LocalAiEngine,
        "localai_chat.sse",
        {"/v1/chat/completions": None, "/v1/models": MODELS, "/readyz": b"OK", "/version": {"version": "v4"}},
    ),
    "vllm": (
        VllmEngine,
        "vllm_chat.sse",
        {
            "/v1/chat/completions": None,
            "/v1/models": MODELS,
            "/health": b"",
            "/version": {"version": "0.32.0"},
            "/tokenize": {"count": 21, "max_model_len": 8192, "tokens": list(range(21))},
        },
    ),
    "lmstudio": (
        LmStudioEngine,
        "lmstudio_chat.sse",
        {
            "/api/v0/chat/completions": None,
            "/api/v0/models": {
                "data": [
                    {
                        "id": "lake-3b",
                        "type": "llm",
                        "arch": "llama",
                        "quantization": "Q4_K_M",
                        "max_context_length": 8192,
                    },
                    {"id": "embed", "type": "embeddings", "quantization": "Q4_0", "max_context_length": 2048},
                ]
            },
        },
    ),
}


@contextmanager
def kind_of_server(name: str):
    engine_class, stream, paths = KINDS[name]
    handlers = {path: recorded(stream) if value is None else replies(value) for path, value in paths.items()}
    with running(handlers) as server:
        yield engine_class, server


@pytest.mark.parametrize("name", KINDS)
def test_a_complete_sample_from_every_kind(name):
    """Each documented protocol gives a whole sample: chunks, counts, finish, and timings where the kind has them."""
    with kind_of_server(name) as (engine_class, server):
        engine = engine_class(EngineOptions(url=server.url))
        assert isinstance(engine.available(), Available)
        (model,) = engine.catalogue([])
        assert (model.quantization, model.context_tok) == ("Q4_K_M", 8192)
        done, facts, counted = answered(engine, model)
        assert done.chunks
        assert done.prompt_tok > 0
        assert done.completion_tok > 0
        assert done.token_source == ("timings" if facts.capabilities.timings else "usage")
        assert (done.server is not None) == facts.capabilities.timings
        assert facts.engine == name
        assert facts.load_ns > 0
        assert facts.context_tok == 8192
        assert counted > 0


def test_an_address_may_end_in_v1():
    """The address is taken with or without /v1, and the key goes along."""
    with kind_of_server("openai") as (engine_class, server):
        engine = engine_class(EngineOptions(url=server.url + "/v1/", api_key="k"))
        (model,) = engine.catalogue(["lake-3b-*"])
        answered(engine, model)
        assert {call.path for call in server.calls} == {"/v1/models", "/v1/chat/completions"}
        assert {call.headers["authorization"] for call in server.calls} == {"Bearer k"}


def test_what_only_vllm_understands():
    """vLLM gets a fixed length and a cache salt of its own for each request; its tokenizer counts exactly."""
    with kind_of_server("vllm") as (engine_class, server):
        engine = engine_class(EngineOptions(url=server.url))
        (model,) = engine.catalogue([])
        done, facts, counted = answered(engine, model)
        asked = [call.body for call in server.calls if call.path == "/v1/chat/completions"]
        assert asked[-1]["ignore_eos"] is True
        assert len({body["cache_salt"] for body in asked}) == len(asked)
        assert counted == done.prompt_tok == 21
        assert facts.capabilities.no_cache
        assert "0.32.0" in facts.build


def test_nothing_foreign_is_sent_to_others():
    """A server that is not known to understand them gets no fields of llama.cpp or vLLM."""
    with kind_of_server("openai") as (engine_class, server):
        engine = engine_class(EngineOptions(url=server.url))
        (model,) = engine.catalogue([])
        answered(engine, model)
        known = {"model", "messages", "max_tokens", "temperature", "seed", "stream", "stream_options"}
        assert set(server.calls[-1].body) == known


def test_localai_is_asked_for_timings():
    """Its timings come only with a header."""
    with kind_of_server("localai") as (engine_class, server):
        engine = engine_class(EngineOptions(url=server.url))
        (model,) = engine.catalogue([])
        done, _, _ = answered(engine, model)
        assert server.calls[-1].headers["extra-usage"] == "true"
        assert done.server.prompt_ms == 40.5


def test_lengths_are_estimated_from_what_the_server_counts():
    """Without a tokenizer two prompts calibrate a line: prose is met within 10 %."""

    async def handler(call: Call) -> None:
        text = call.body["messages"][0]["content"]
        await call.start_stream()
        await call.event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "length"}]})
        await call.event(
            {"choices": [], "usage": {"prompt_tokens": 30 + len(text.split()) * 2, "completion_tokens": 1}}
        )
        await call.event(b"[DONE]")
        await call.end_stream()

    prose = "The stones of the river were warm in the sun and children sat on them for hours. " * 9

    async def run(url: str) -> int:
        engine = OpenAICompatibleEngine(EngineOptions(url=url))
        (model,) = engine.catalogue([])
        async with engine.open(Target("openai", model, ServerSettings()), Path()) as session:
            assert not session.facts.capabilities.tokenize
            return await session.count_tokens((Message("user", prose),))

    with running({"/v1/chat/completions": handler, "/v1/models": replies(MODELS)}) as server:
        assert asyncio.run(run(server.url)) == pytest.approx(30 + len(prose.split()) * 2, rel=0.1)


@pytest.mark.parametrize("engine_class", [VllmEngine, LmStudioEngine, LocalAiEngine, MlxEngine, OllamaEngine])
def test_a_server_that_is_not_there(engine_class):
    """Missing and EngineError name the address and how to start the server."""
    engine = engine_class(EngineOptions(url=DEAD_URL))
    missing = engine.available()
    assert isinstance(missing, Missing)
    assert "127.0.0.1:9" in missing.reason
    assert missing.fix.startswith("start it: ")
    with pytest.raises(EngineError) as raised:
        engine.catalogue([])
    assert raised.value.failure is EngineFailure.UNREACHABLE


def test_no_address_is_a_clear_lack():
    """The plain OpenAI engine has no default address and says so."""
    assert "engine.url" in OpenAICompatibleEngine(EngineOptions()).available().fix


def test_a_wrong_key_is_told():
    """A refusal names its status and the server's own words."""
    refusal = {"error": {"message": "invalid api key"}}
    with running({"/v1/models": replies(refusal, "401 Unauthorized")}) as server:
        missing = OpenAICompatibleEngine(EngineOptions(url=server.url, api_key="k")).available()
        assert "401" in missing.reason
        assert "invalid api key" in missing.reason


def test_a_text_error_of_mlx_is_read():
    """mlx answers errors as {"error": "text"} with status 404."""
    with running(
        {"/v1/chat/completions": replies({"error": "no such model"}, "404 Not Found"), "/v1/models": replies(MODELS)}
    ) as server:
        engine = MlxEngine(EngineOptions(url=server.url))
        (model,) = engine.catalogue([])
        with pytest.raises(EngineError) as raised:
            answered(engine, model)
        assert "no such model" in raised.value.why


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("org/Lake-3B-Q4_K_M", "Q4_K_M"),
        ("lake-7b-instruct-4bit", "4BIT"),
        ("Lake-7B-AWQ", "AWQ"),
        ("lake-3b-iq2_xs.gguf", "IQ2_XS"),
        ("Lake-7B-FP8", "FP8"),
        ("lake-mxfp4", "MXFP4"),
        ("Lake-7B-Instruct", ""),
        ("q4-vendor/lake", ""),
    ],
)
def test_quantizations_in_names(name, quantization):
    """What a name spells is taken, from its last part alone."""
    assert quantization_in(name) == quantization


class Ollama:
    """The parts of Ollama's documented API that are used, and what was loaded and unloaded."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, int]] = []
        self.handlers = {
            "/api/version": replies({"version": "0.20.0"}),
            "/api/tags": replies(
                {
                    "models": [
                        {
                            "name": "lake:3b",
                            "model": "lake:3b",
                            "size": 2_000_000_000,
                            "digest": "0123456789abcdef0123",
                            "details": {"family": "llama", "parameter_size": "3B", "quantization_level": "Q4_K_M"},
                        },
                        {"name": "stone:1b", "size": 1, "digest": "ff", "details": {"quantization_level": "Q8_0"}},
                    ]
                }
            ),
            "/api/show": replies(
                {
                    "model_info": {
                        "general.architecture": "llama",
                        "llama.context_length": 131072,
                        "general.parameter_count": 3_000_000_000,
                    }
                }
            ),
            "/api/ps": replies(
                {"models": [{"name": "lake:3b", "size": 3000, "size_vram": 2000, "context_length": 2048}]}
            ),
            "/api/generate": self.generate,
            "/api/chat": recorded("ollama_chat.ndjson"),
            "/api/pull": self.pull,
        }

    async def generate(self, call: Call) -> None:
        self.loaded.append((call.body["model"], call.body["keep_alive"]))
        await call.json({"model": call.body["model"], "done": True, "done_reason": "load"})

    async def pull(self, call: Call) -> None:
        await call.start_stream("application/x-ndjson")
        lines = [
            {"status": "pulling manifest"},
            {"status": "pulling abc", "total": 100, "completed": 40},
            {"status": "pulling abc", "total": 100, "completed": 100},
            {"status": "success"}
            if call.body["model"] == "lake:3b"
            else {"error": "pull model manifest: file does not exist"},
        ]
        for line in lines:
            await call.chunk(json.dumps(line).encode() + b"\n")
        await call.end_stream()


def test_ollama_speaks_its_own_api():
    """Models with their facts, native timings, one context for a session, memory split, load and unload."""
    ollama = Ollama()
    with running(ollama.handlers) as server:
        engine = OllamaEngine(EngineOptions(url=server.url))
        assert "0.20.0" in engine.available().build
        (model,) = engine.catalogue(["lake"])
        assert (model.quantization, model.context_tok, model.size_bytes) == ("Q4_K_M", 131072, 2_000_000_000)
        assert (model.architecture, model.parameters_count) == ("llama", 3_000_000_000)
        assert len(engine.catalogue([])) == 2
        done, facts, _ = answered(engine, model, context_tok=2048)
        assert (done.token_source, done.completion_tok, done.prompt_tok) == ("timings", 4, 26)
        assert done.server.prompt_ms == 130.079
        assert {(buffer.device, buffer.size_bytes) for buffer in facts.buffers} == {("GPU", 2000), ("CPU", 1000)}
        assert facts.context_tok == 2048
        chats = [call.body for call in server.calls if call.path == "/api/chat"]
        assert {body["options"]["num_ctx"] for body in chats} == {2048}
        assert all(body["truncate"] is False for body in chats)
        assert ollama.loaded == [("lake:3b", -1), ("lake:3b", 0)]


def test_ollama_pulls():
    """Progress is told while it runs; a model that does not exist is a NetworkError with its reason."""
    with running(Ollama().handlers) as server:
        engine = OllamaEngine(EngineOptions(url=server.url))
        seen: list[tuple[str, int, int]] = []
        asyncio.run(engine.pull("lake:3b", lambda status, done, total: seen.append((status, done, total))))
        assert ("pulling abc", 40, 100) in seen
        with pytest.raises(NetworkError) as raised:
            asyncio.run(engine.pull("nosuch", lambda *progress: None))
        assert "does not exist" in raised.value.why


def test_an_error_of_ollama_in_mid_stream():
    """An error line ends the request with its words."""

    async def handler(call: Call) -> None:
        await call.start_stream("application/x-ndjson")
        await call.chunk(b'{"message":{"content":"a"},"done":false}\n{"error":"runner terminated"}\n')
        await call.end_stream()

    ollama = Ollama()
    with running(ollama.handlers) as server:
        engine = OllamaEngine(EngineOptions(url=server.url))
        (model,) = engine.catalogue(["lake:3b"])

        async def run() -> None:
            async with engine.open(Target("ollama", model, ServerSettings()), Path()) as session:
                ollama.handlers["/api/chat"] = handler
                with pytest.raises(RequestFailed) as raised:
                    await session.generate(Request("r", MESSAGES, max_tok=8), silent)
                assert raised.value.failure is RequestFailure.ERROR_EVENT
                assert "runner terminated" in raised.value.detail

        asyncio.run(run())


@pytest.mark.parametrize(
    ("named", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:8000", "http://box:8000"),
        ("https://box/v1/", "https://box:443"),
        ("http://127.0.0.1:1/ollama", "http://127.0.0.1:1/ollama"),
    ],
)
def test_addresses_of_ollama(monkeypatch, named, url):
    """OLLAMA_HOST is read as Ollama reads it: scheme and port are optional, the address to bind means this machine."""
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    if named:
        monkeypatch.setenv("OLLAMA_HOST", named)
    assert OllamaEngine(EngineOptions())._url() == url


def test_a_local_server_shows_its_process():
    """A server of this machine is found by its port, so its memory can be read."""
    import os

    from llmtester.engines.listener import listening_process

    with running({}) as server:
        assert listening_process(server.url) == os.getpid()
    assert listening_process("http://198.51.100.1:80") is None
