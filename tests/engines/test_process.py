"""Processes: nothing outlives its owner, nothing fills the disk, every end is told."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.engines.process import Launch, ServerManager, free_port, server_environment
from llmtester.engines.reaper import forget, reap_stale_servers, remember

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="the guard of Windows is a job object"),
]

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
stray = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
print(child.pid, stray.pid, flush=True)
time.sleep(600)
"""
OWNER = """
import asyncio, sys, time
from pathlib import Path
from llmtester.engines.process import Launch, ServerManager
server = ServerManager(Launch('it', (sys.executable, '-c', sys.argv[2]), 1, Path(sys.argv[1]), {}))
server.start()
print(server.process_id, server.guard_process_id, flush=True)
time.sleep(600)
"""


def manager(folder: Path, code: str, **more) -> ServerManager:
    return ServerManager(Launch("it", (sys.executable, "-c", code), 1, folder, {}, **more))


def wait_until(condition, limit_s: float = 5.0) -> bool:
    until_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.005)
    return True


def is_gone(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def log_has(folder: Path, text: str) -> bool:
    return wait_until(lambda: (folder / "server.log").exists() and text in (folder / "server.log").read_text())


def test_a_server_is_stopped_with_everything_below_it(tmp_path):
    """Children and grandchildren end too, those in a session of their own included."""
    server = manager(tmp_path, FAMILY)
    server.start()
    assert log_has(tmp_path, "\n")
    family = [int(word) for word in (tmp_path / "server.log").read_text().split()]
    assert len(family) == 2
    asyncio.run(server.stop())
    assert server.ended().code == -signal.SIGTERM
    family.append(server.process_id)
    expected_gone = family if sys.platform == "linux" else [family[0], family[2]]
    assert wait_until(lambda: all(map(is_gone, expected_gone)))


def test_a_stubborn_server_is_killed(tmp_path):
    """Whoever ignores the request to end is killed after the grace period."""
    server = manager(tmp_path, STUBBORN, grace_s=0.2)
    server.start()
    assert log_has(tmp_path, "up")
    started_s = time.monotonic()
    asyncio.run(server.stop())
    assert 0.15 < time.monotonic() - started_s < 3
    assert server.ended().code == -signal.SIGKILL


def test_stopping_twice_and_late_is_fine(tmp_path):
    """A server that ended by itself can be stopped, any number of times."""
    server = manager(tmp_path, "print('last words')")
    server.start()
    assert asyncio.run(server.ended_within(5)).code == 0
    asyncio.run(server.stop())
    asyncio.run(server.stop())
    assert server.log_tail() == ("last words",)


@pytest.mark.parametrize(
    ("code", "failure", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", EngineFailure.KILLED, "memory ran out"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", EngineFailure.ILLEGAL_INSTRUCTION, "SIGILL"),
        ("raise SystemExit(3)", EngineFailure.EXITED, "exit code 3"),
        (
            "print('ggml_aligned_malloc: insufficient memory (x)'); raise SystemExit(1)",
            EngineFailure.OUT_OF_MEMORY,
            "insufficient",
        ),
        ("print('error: invalid argument: --x'); raise SystemExit(1)", EngineFailure.BAD_FLAG, "--x"),
    ],
)
def test_the_end_of_a_server_is_explained(tmp_path, code, failure, words):
    """Exit code and log give a failure with its reason, a fix and the last lines."""

    async def run() -> None:
        server = manager(tmp_path, f"print('line before', flush=True); {code}")
        server.start()

        async def never() -> bool:
            return False

        with pytest.raises(EngineError) as raised:
            await server.wait_ready(never, 10)
        assert raised.value.failure is failure
        assert words in raised.value.why
        assert raised.value.fix
        assert raised.value.log_tail[0] == "line before"
        await server.stop()

    asyncio.run(run())


def test_a_server_that_is_too_slow_is_stopped(tmp_path):
    """The load time-out names itself and leaves nothing behind."""

    async def run() -> None:
        server = manager(tmp_path, SLEEPER)
        server.start()

        async def never() -> bool:
            return False

        with pytest.raises(EngineError) as raised:
            await server.wait_ready(never, 0.2)
        assert raised.value.failure is EngineFailure.LOAD_TIMEOUT
        assert wait_until(lambda: is_gone(server.process_id))

    asyncio.run(run())


def test_what_cannot_be_executed_is_named(tmp_path):
    """A binary that does not exist is an error of ours, with its path and a fix."""
    server = ServerManager(Launch("it", ("/nonexistent/llama-server",), 1, tmp_path, {}))
    with pytest.raises(EngineError) as raised:
        server.start()
    assert "/nonexistent/llama-server" in raised.value.why
    asyncio.run(server.stop())


def start_owner(folder: Path, code: str) -> tuple[subprocess.Popen[bytes], int, int]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder), code], stdout=subprocess.PIPE)
    server_id, guard_id = map(int, owner.stdout.readline().split())
    return owner, server_id, guard_id


def finish(owner: subprocess.Popen[bytes]) -> None:
    owner.wait()
    owner.stdout.close()


@pytest.mark.parametrize("code", [SLEEPER, STUBBORN], ids=["obedient", "stubborn"])
def test_a_killed_owner_leaves_nothing(tmp_path, code):
    """SIGKILL of llmtester ends guard and server, also one that ignores SIGTERM."""
    owner, server_id, guard_id = start_owner(tmp_path, code)
    assert log_has(tmp_path, "up")
    owner.kill()
    finish(owner)
    assert wait_until(lambda: is_gone(server_id) and is_gone(guard_id), 8)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
def test_a_killed_guard_takes_the_server_with_it(tmp_path):
    """SIGKILL of the guard alone ends the server, and llmtester learns of it."""
    server = manager(tmp_path, SLEEPER)
    server.start()
    os.kill(server.guard_process_id, signal.SIGKILL)
    assert wait_until(lambda: is_gone(server.process_id))
    assert asyncio.run(server.ended_within(2)).guard_lost
    asyncio.run(server.stop())


def test_kills_at_random_moments_leave_nothing(tmp_path):
    """25 owners killed between 0 and 120 ms after they began to start a server: no process is left."""
    chance = random.Random(4)
    started: list[int] = []
    for number in range(25):
        folder = tmp_path / str(number)
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder), SLEEPER], stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(folder.exists, 20)
        until_s = time.monotonic() + chance.uniform(0, 0.12)
        wait_until(lambda until_s=until_s: time.monotonic() > until_s)
        started += [child.pid for child in psutil.Process(owner.pid).children(recursive=True)]
        owner.kill()
        owner.wait()
    assert wait_until(lambda: all(map(is_gone, started)), 8)
    assert started
    marks = [str(tmp_path / str(number)) for number in range(25)]
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(mark in word for word in process.info["cmdline"] or () for mark in marks)
    ]
    assert left == []


def test_the_log_has_a_limit(tmp_path):
    """10 MB of output fit into the limit; the beginning and the end are kept."""
    code = "print('FIRST'); [print('x' * 99) for _ in range(100_000)]; print('LAST')"
    server = manager(tmp_path, code, log_limit_bytes=400_000)
    server.start()
    assert asyncio.run(server.ended_within(20)) is not None
    asyncio.run(server.stop())
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sum(sizes) < 700_000
    assert server.log_text().startswith("FIRST")
    assert server.log_tail()[-1] == "LAST"


def test_no_file_descriptor_is_left(tmp_path):
    """20 servers later this process has as many open files as before."""
    count = psutil.Process().num_fds()
    for number in range(20):
        server = manager(tmp_path / str(number), SLEEPER)
        server.start()
        asyncio.run(server.stop())
    assert psutil.Process().num_fds() <= count


def test_flags_and_secrets_of_the_environment_do_not_reach_a_server():
    """LLAMA_* would set flags, AIP_* the port; tokens are nobody's business. Thread settings stay."""
    inherited = {"LLAMA_ARG_CTX_SIZE": "1", "AIP_HTTP_PORT": "1", "HF_TOKEN": "x", "OMP_NUM_THREADS": "2", "PATH": "p"}
    assert server_environment({"LLAMA_API_KEY": "k"}, inherited) == {
        "OMP_NUM_THREADS": "2",
        "PATH": "p",
        "LLAMA_API_KEY": "k",
    }


def test_ports_are_free():
    """Each port is a valid one and can be bound right away."""
    import socket

    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", free_port()))


def note_of_a_dead_owner(folder: Path, process: subprocess.Popen[bytes], started: float | None = None) -> Path:
    note = remember(folder, process.pid, process.pid, 1, "sleeper")
    content = json.loads(note.read_text())
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    content["owner"]["id"] = dead.pid
    if started is not None:
        content["processes"] = {str(process.pid): started}
    note.write_text(json.dumps(content))
    return note


def test_stale_servers_are_reaped(tmp_path):
    """A noted server whose owner is gone is ended, and its note removed."""
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL) as process:
        note = note_of_a_dead_owner(tmp_path, process)
        assert reap_stale_servers(tmp_path) == (process.pid,)
        assert wait_until(lambda: is_gone(process.pid))
        assert not note.exists()


def test_a_reused_process_id_is_left_alone(tmp_path):
    """The same number with another start time is somebody else's process."""
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL) as process:
        note = note_of_a_dead_owner(tmp_path, process, started=time.time() - 5000)
        assert reap_stale_servers(tmp_path) == ()
        assert process.poll() is None
        assert not note.exists()
        process.kill()


def test_a_living_owner_keeps_its_servers(tmp_path):
    """Servers of another llmtester that runs are not touched, and a broken note is only removed."""
    (tmp_path / "server-1.json").write_text("{")
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL) as process:
        note = remember(tmp_path, process.pid, process.pid, 1, "sleeper")
        assert reap_stale_servers(tmp_path) == ()
        assert note.exists()
        assert not (tmp_path / "server-1.json").exists()
        process.kill()
    forget(note)
    assert not note.exists()
