"""The two engines that start llama.cpp themselves, on a real model: complete samples, true facts, clear failures."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from llmtester.domain.errors import EngineError, EngineFailure, RequestFailed, RequestFailure
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import Message, Request, ServerSettings, Target, Timeouts
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.engines.llama_server import LlamaServerEngine, Start, serving
from tests.engines.conftest import model
from tests.engines.test_process import is_gone, wait_until

pytestmark = pytest.mark.engine

SETTINGS = ServerSettings(context_tok=1024)
PROMPTS = (
    (Message("user", "Say hi"),),
    (Message("system", "You are a stone."), Message("user", "Zürich 日本語 😀 \u2028 <|im_end|> <s> \t\n")),
    (Message("user", "One"), Message("assistant", "Two"), Message("user", "word " * 300)),
)


@pytest.fixture(params=["embedded", "llama-server"])
def served(request):
    """An engine and a model for it."""
    model_path = request.getfixturevalue("starter_model")
    if request.param == "embedded":
        return EmbeddedEngine(EngineOptions()), model_path
    binary = request.getfixturevalue("llama_server_binary")
    return LlamaServerEngine(EngineOptions(binary=str(binary))), model_path


@asynccontextmanager
async def session_of(served, folder: Path, settings: ServerSettings = SETTINGS):
    engine, path = served
    async with engine.open(Target(engine.name, model(path), settings), folder) as session:
        yield session


def ask(messages=PROMPTS[0], max_tok: int = 8, **more) -> Request:
    return Request("r", messages, max_tok, **more)


def silent(at_ns: int) -> None:
    """Nobody watches."""


def test_samples_are_complete(served, tmp_path):
    """Counts, timings and stamps are all there, cold, and exactly as long as asked."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            for _ in range(2):
                done = await session.generate(ask(max_tok=16), silent)
                assert (done.completion_tok, done.token_source, done.finish) == (16, "timings", "length")
                assert (done.cached_tok, done.server.cached_tok) == (0, 0)
                assert done.server.prompt_tok == done.prompt_tok
                first_ms = (done.chunks[0].at_ns - done.sent_ns) / 1e6
                assert 0 < done.server.prompt_ms < first_ms
                assert done.sent_ns < done.chunks[0].at_ns <= done.chunks[-1].at_ns <= done.ended_ns
                assert done.text

    asyncio.run(run())


def test_the_end_token_is_honoured_when_asked(served, tmp_path):
    """Without a fixed length the model may stop by itself."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            done = await session.generate(ask(max_tok=200, fixed_length=False), silent)
            assert done.finish == "stop"
            assert done.completion_tok < 200

    asyncio.run(run())


def test_token_counts_equal_those_of_the_real_request(served, tmp_path):
    """count_tokens is the prompt_n of the request itself: templates, special tokens and all scripts included."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            for messages in PROMPTS:
                counted = await session.count_tokens(messages)
                done = await session.generate(ask(messages, max_tok=1), silent)
                assert counted == done.prompt_tok == done.server.prompt_tok

    asyncio.run(run())


def test_facts_are_those_of_the_running_server(served, tmp_path):
    """Context, slots, buffers and process are observed; the command can be typed and holds no key."""

    async def run() -> int:
        settings = replace(SETTINGS, slots=2, context_tok=512)
        async with session_of(served, tmp_path, settings) as session:
            facts = session.facts
            assert (facts.context_tok, facts.slots) == (512, 2)
            purposes = {buffer.purpose: buffer.size_bytes for buffer in facts.buffers}
            assert purposes["model"] == pytest.approx(served[1].stat().st_size, rel=0.05)
            assert purposes["KV"] == pytest.approx(30 * 1024 * 2 * 192 * 2, rel=0.01)
            assert {"KV", "compute", "model", "output"} <= set(purposes)
            assert psutil.pid_exists(facts.process_id)
            assert facts.load_ns > 0
            assert "AVX" in facts.system_info or "NEON" in facts.system_info
            assert facts.command[facts.command.index("--ctx-size") + 1] == "1024"
            key = session.client.address.api_key
            process = psutil.Process(facts.process_id)
            guard = process.parent()
            everything = [*facts.command, *process.cmdline(), *guard.cmdline(), facts.build]
            everything += [path.read_text() for path in tmp_path.iterdir()]
            assert not any(key in text for text in everything)
            return facts.process_id

    process_id = asyncio.run(run())
    assert wait_until(lambda: is_gone(process_id))


def test_only_the_key_opens_the_server(served, tmp_path):
    """Without the key a request is refused, and the server listens on the loopback address alone."""

    async def run() -> None:
        from llmtester.engines.client import StreamingClient

        async with session_of(served, tmp_path) as session:
            stranger = StreamingClient(session.client.address.url)
            with pytest.raises(RequestFailed) as raised:
                await stranger.call("POST", "/tokenize", {"content": "x"})
            await stranger.aclose()
            assert raised.value.status == 401
            listening = [
                connection.laddr.ip
                for connection in psutil.Process(session.facts.process_id).net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN
            ]
            assert listening == ["127.0.0.1"]

    asyncio.run(run())


def test_too_long_a_prompt_is_refused(served, tmp_path):
    """A prompt beyond the context is its own failure, and the next request works."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            with pytest.raises(RequestFailed) as raised:
                await session.generate(ask((Message("user", "word " * 2000),)), silent)
            assert raised.value.failure is RequestFailure.CONTEXT_EXCEEDED
            assert (await session.generate(ask(), silent)).completion_tok == 8

    asyncio.run(run())


def test_streams_share_the_slots(served, tmp_path):
    """Two streams on two slots both finish whole."""

    async def run() -> None:
        async with session_of(served, tmp_path, replace(SETTINGS, slots=2)) as session:
            both = await asyncio.gather(*[session.generate(ask(max_tok=24), silent) for _ in range(2)])
            assert [done.completion_tok for done in both] == [24, 24]

    asyncio.run(run())


def test_an_abandoned_request_frees_its_slot(served, tmp_path):
    """After a cancellation the server stops generating within two seconds."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            arrived = asyncio.Event()
            task = asyncio.create_task(session.generate(ask(max_tok=900), lambda at_ns: arrived.set()))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            until_s = time.monotonic() + 2
            while (await session.client.call("GET", "/slots"))[0]["is_processing"]:
                assert time.monotonic() < until_s
                await asyncio.sleep(0.02)

    asyncio.run(run())


def test_a_time_out_frees_its_slot_too(served, tmp_path):
    """A total time-out is a failed request with what had arrived, and the server is free for the next."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            with pytest.raises(RequestFailed) as raised:
                await session.generate(ask(max_tok=900, timeouts=Timeouts(total_s=0.5)), silent)
            assert raised.value.failure in {RequestFailure.TOTAL_TIMEOUT, RequestFailure.FIRST_TOKEN_TIMEOUT}
            done = await session.generate(ask(timeouts=Timeouts(first_token_s=10, total_s=30)), silent)
            assert done.completion_tok == 8

    asyncio.run(run())


def test_a_server_that_dies_is_told_from_a_broken_connection(served, tmp_path):
    """SIGKILL in the middle of an answer gives SERVER_GONE, and leaving the block is clean."""

    async def run() -> None:
        async with session_of(served, tmp_path) as session:
            arrived = asyncio.Event()
            task = asyncio.create_task(session.generate(ask(max_tok=900), lambda at_ns: arrived.set()))
            await arrived.wait()
            os.kill(session.facts.process_id, signal.SIGKILL)
            with pytest.raises(RequestFailed) as raised:
                await task
            assert raised.value.failure is RequestFailure.SERVER_GONE
            assert raised.value.arrivals_ns

    asyncio.run(run())


def damaged(kind: str, source: Path, folder: Path) -> Path:
    """A copy of the model that cannot be loaded."""
    path = folder / f"{kind}.gguf"
    data = source.read_bytes()
    if kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "unknown-architecture":
        path.write_bytes(data.replace(b"llama", b"lhama"))
    elif kind == "not-gguf":
        path.write_bytes(b"PK" + data[2:4096])
    elif kind == "empty":
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("truncated", EngineFailure.CORRUPT_FILE),
        ("unknown-architecture", EngineFailure.UNKNOWN_ARCHITECTURE),
        ("not-gguf", EngineFailure.CORRUPT_FILE),
        ("empty", EngineFailure.CORRUPT_FILE),
        ("absent", EngineFailure.CORRUPT_FILE),
    ],
)
def test_files_that_cannot_be_loaded(served, tmp_path, kind, failure):
    """Each damage has its failure with the engine's own reason, a fix and the last log lines."""

    async def run() -> None:
        broken = damaged(kind, served[1], tmp_path)
        with pytest.raises(EngineError) as raised:
            async with session_of((served[0], broken), tmp_path / "log"):
                pass
        assert raised.value.failure is failure
        assert raised.value.why
        assert raised.value.fix
        assert raised.value.log_tail

    asyncio.run(run())


def test_a_load_that_takes_too_long(served, tmp_path):
    """The load time-out ends the server."""
    engine, path = served
    engine.options = replace(engine.options, load_timeout_s=0.01)

    async def run() -> None:
        with pytest.raises(EngineError) as raised:
            async with session_of((engine, path), tmp_path):
                pass
        assert raised.value.failure is EngineFailure.LOAD_TIMEOUT

    asyncio.run(run())


def binary_start(binary: Path, *arguments: str) -> Start:
    def command(port: int) -> tuple[str, ...]:
        return (str(binary), "--host", "127.0.0.1", "--port", str(port), *arguments)

    return Start("llama-server", "test", command, command, lambda key: {"LLAMA_API_KEY": key})


def failure_of(start: Start, path: Path, folder: Path, settings: ServerSettings = SETTINGS) -> EngineError:
    async def run() -> EngineError:
        with pytest.raises(EngineError) as raised:
            async with serving(start, Target("llama-server", model(path), settings), folder, EngineOptions()):
                pass
        return raised.value

    return asyncio.run(run())


def test_a_flag_that_the_build_does_not_know(llama_server_binary, starter_model, tmp_path):
    """A bad flag is told as such."""
    error = failure_of(binary_start(llama_server_binary, "-m", str(starter_model), "--nosuch"), starter_model, tmp_path)
    assert error.failure is EngineFailure.BAD_FLAG
    assert "--nosuch" in error.why


def test_a_port_that_somebody_took(llama_server_binary, starter_model, tmp_path):
    """A port in use is found out, other ports are tried, and if none is free the failure says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        start = binary_start(llama_server_binary, "-m", str(starter_model))
        stuck = replace(
            start, command=lambda ignored: (str(llama_server_binary), "-m", str(starter_model), "--port", port)
        )
        assert failure_of(stuck, starter_model, tmp_path).failure is EngineFailure.PORT_TAKEN


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space with ulimit")
def test_memory_that_is_not_there(llama_server_binary, starter_model, tmp_path):
    """A cache that cannot be allocated is OUT_OF_MEMORY."""
    limited = f'ulimit -v 3000000; exec "{llama_server_binary}" "$@"'
    start = binary_start(llama_server_binary)
    arguments = ("-m", str(starter_model), "-c", "400000", "-np", "1", "-fit", "off", "-lv", "4")

    def command(port: int) -> tuple[str, ...]:
        return ("sh", "-c", limited, "sh", "--port", str(port), *arguments)

    error = failure_of(replace(start, command=command), starter_model, tmp_path)
    assert error.failure is EngineFailure.OUT_OF_MEMORY, (error, error.log_tail)


def test_a_server_on_our_port_that_is_not_ours(llama_server_binary, starter_model, tmp_path):
    """A server that answers but serves another model is not taken for ours."""
    other = tmp_path / "other.gguf"
    other.symlink_to(starter_model)
    start = binary_start(llama_server_binary, "-m", str(other))
    error = failure_of(start, starter_model, tmp_path / "log")
    assert error.failure is EngineFailure.PORT_TAKEN
    assert "other.gguf" in error.why


def test_engines_say_whether_they_are_there(llama_server_binary, tmp_path, monkeypatch):
    """A binary that is named wrongly, or absent from PATH, is Missing with a fix; a right one tells its build."""
    found = LlamaServerEngine(EngineOptions(binary=str(llama_server_binary))).available()
    assert re.fullmatch(r".*\([0-9a-f]{7,}\)", found.build)
    monkeypatch.setenv("PATH", str(tmp_path))
    for options in (EngineOptions(binary="/nonexistent"), EngineOptions()):
        missing = LlamaServerEngine(options).available()
        assert "--engine embedded" in missing.fix
        with pytest.raises(EngineError):
            LlamaServerEngine(options).open(None, tmp_path)
    assert "xllamacpp" in EmbeddedEngine(EngineOptions()).available().build


OWNER = """
import asyncio, sys
from pathlib import Path
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import ModelRef, ServerSettings, Target
from llmtester.engines.embedded import EmbeddedEngine

async def run():
    engine = EmbeddedEngine(EngineOptions(folder=Path(sys.argv[2])))
    model = ModelRef('m', '', sys.argv[1], 1, 'f')
    async with engine.open(Target('embedded', model, ServerSettings(context_tok=256)), Path(sys.argv[2])) as session:
        print(session.facts.process_id, flush=True)
        await asyncio.sleep(600)

asyncio.run(run())
"""


def test_a_killed_llmtester_leaves_no_server(starter_model, tmp_path):
    """SIGKILL of the owner of a real server ends the server at once; its note is cleared by the next start."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(starter_model), str(tmp_path)], stdout=subprocess.PIPE
    ) as owner:
        server_id = int(owner.stdout.readline())
        assert len(list((tmp_path / "servers").iterdir())) == 1
        owner.kill()
        owner.wait()
    assert wait_until(lambda: is_gone(server_id), 5)

    async def run() -> None:
        engine = EmbeddedEngine(EngineOptions(folder=tmp_path))
        async with session_of((engine, starter_model), tmp_path / "log"):
            assert len(list((tmp_path / "servers").iterdir())) == 1

    asyncio.run(run())
    assert list((tmp_path / "servers").iterdir()) == []
