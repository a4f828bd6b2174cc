"""``ServerManager``: the life of one server process, from start to the last byte of its log.

POSIX: the server runs below ``guard.py``. Windows: in a job object that closes with this process (``guard_windows.py``;
designed, never run by us).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.text import printable
from llmtester.engines.failures import Ended, explain
from llmtester.engines.reaper import forget, remember

GUARD = "guard_windows.py" if sys.platform == "win32" else "guard.py"
GRACE_S = 5.0  # between asking a server to end and killing it
LOG_LIMIT_BYTES = 8 << 20
TAIL_LINES = 40
TAIL_BYTES = 64 << 10
POLL_SHARE, POLL_LEAST_S, POLL_MOST_S = 1 / 50, 0.008, 0.1  # readiness is known to 2 % of the load time
_SCRUBBED_PREFIXES = ("LLAMA_", "AIP_")  # each LLAMA_ARG_* is a flag, AIP_* overrides the port
_SCRUBBED = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})  # a server has no business with them


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now; somebody may take it before its server does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_environment(additions: Mapping[str, str], base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a server: inherited, less what would set flags behind our back, plus ``additions``."""
    inherited = os.environ if base is None else base
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(_SCRUBBED_PREFIXES) and name not in _SCRUBBED
    }
    return kept | dict(additions)


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. ``what`` names it in messages; ``secrets`` go into the environment, never into the command."""

    what: str
    command: tuple[str, ...]
    port: int
    log_folder: Path
    secrets: Mapping[str, str]
    state_folder: Path | None = None
    log_limit_bytes: int = LOG_LIMIT_BYTES
    grace_s: float = GRACE_S


class ServerManager:
    """Starts one server, tells when it is ready and why it is not, stops it with everything below it.

    Use: ``start``, ``wait_ready``, any number of ``ended``, ``stop``. ``stop`` may be called at any time and twice.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.process_id: int | None = None
        self.guard_process_id: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._ended: Ended | None = None
        self._started_ns = 0
        self._note: Path | None = None

    def start(self) -> None:
        """Start it; returns once the process exists. Raises ``EngineError`` if it cannot be executed."""
        launch = self.launch
        launch.log_folder.mkdir(parents=True, exist_ok=True)
        spec = {
            "command": list(launch.command),
            "log_folder": str(launch.log_folder),
            "log_limit_bytes": launch.log_limit_bytes,
            "grace_s": launch.grace_s,
        }
        guard = Path(__file__).with_name(GUARD)
        self._started_ns = time.perf_counter_ns()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(guard), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=server_environment(launch.secrets),
            start_new_session=True,
        )
        first = self._status_pipe().readline()
        said = json.loads(first) if first else {"error": "its guard process ended at once"}
        if "pid" not in said:
            self._close()
            raise EngineError(
                EngineFailure.EXITED,
                f"{launch.what} could not be executed",
                why=f"{printable(launch.command[0])}: {printable(said['error'])}",
                fix="give the path of an executable llama-server with --set engine.llama_server=PATH",
            )
        self.process_id, self.guard_process_id = int(said["pid"]), self._guard.pid
        if launch.state_folder is not None:
            self._note = remember(launch.state_folder, self.process_id, self._guard.pid, launch.port, launch.command[0])

    async def wait_ready(self, probe: Callable[[], Awaitable[bool]], limit_s: float) -> int:
        """Nanoseconds from ``start`` until ``probe`` was true. Raises ``EngineError`` if the server ends before or
        takes longer than ``limit_s``."""
        while True:
            ready = await probe()
            elapsed_ns = time.perf_counter_ns() - self._started_ns
            if self.ended() is not None:
                raise await self.failure()
            if ready:
                return elapsed_ns
            if elapsed_ns > limit_s * 1e9:
                raise await self.failure(timed_out_s=limit_s)
            await asyncio.sleep(min(POLL_MOST_S, max(POLL_LEAST_S, elapsed_ns / 1e9 * POLL_SHARE)))

    def ended(self) -> Ended | None:
        """How the server ended, ``None`` while it runs. Costs one system call."""
        if self._ended is None and self._guard is not None and self._guard.poll() is not None:
            last = self._status_pipe().read().strip()
            self._ended = Ended(json.loads(last)["exit"]) if last else Ended(-9, guard_lost=True)
        return self._ended

    async def ended_within(self, limit_s: float) -> Ended | None:
        """As ``ended``, but waits up to ``limit_s``: a socket closes a moment before its process is gone."""
        until_s = time.monotonic() + limit_s
        while (ended := self.ended()) is None and time.monotonic() < until_s:  # noqa: ASYNC110 - nothing portable to wait on
            await asyncio.sleep(POLL_LEAST_S)
        return ended

    async def failure(self, timed_out_s: float | None = None) -> EngineError:
        """The reason why the server is not there, from exit code and log; stops what is left of it."""
        ended = self.ended()
        await self.stop()
        return explain(self.launch.what, ended, self.log_text(), timed_out_s=timed_out_s, tail=self.log_tail())

    async def stop(self) -> None:
        """Ask the server to end, kill it after the grace period, and wait until its guard is gone too."""
        if self._guard is None:
            return
        self._order(b"T")
        until_s = time.monotonic() + self.launch.grace_s
        while self._guard.poll() is None:
            self.ended()
            if time.monotonic() > until_s:
                self._order(b"K")
                until_s += self.launch.grace_s
            await asyncio.sleep(POLL_LEAST_S)
        self.ended()
        self._close()

    def log_text(self) -> str:
        """The log from its beginning (untrusted), at most half of its limit."""
        path = self.launch.log_folder / "server.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def log_tail(self) -> tuple[str, ...]:
        """The last lines of the log, made printable."""
        names = ("server-recent.log", "server-older.log", "server.log")  # the newest may have just been begun
        paths = [self.launch.log_folder / name for name in names]
        path = next((path for path in paths if path.exists() and path.stat().st_size), None)
        if path is None:
            return ()
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return tuple(printable(line, 400) for line in lines[-TAIL_LINES:])

    def _status_pipe(self) -> IO[bytes]:
        assert self._guard is not None and self._guard.stdout is not None  # noqa: S101 - opened in start
        return self._guard.stdout

    def _order(self, order: bytes) -> None:
        assert self._guard is not None and self._guard.stdin is not None  # noqa: S101 - opened in start
        try:
            self._guard.stdin.write(order)
        except OSError:
            return  # the guard has ended, and with it the server

    def _close(self) -> None:
        if self._guard is None:
            return
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # bytes that nobody will read
                    continue
        self._guard.wait()
        self._guard = None
        forget(self._note)


def command_line(command: Sequence[str]) -> str:
    """The command as one could type it into a POSIX shell; untrusted text made printable."""
    import shlex

    return printable(shlex.join(command), 4000)
