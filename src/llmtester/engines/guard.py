"""A small process between llmtester and a server, so that no server outlives llmtester.

Run as a file by ``process.py`` and never imported by it: standard library only, one thread (a death signal is bound to
the thread that forked). It holds the read end of a pipe whose only writer is llmtester; when that closes, whatever the
reason, it ends the server's whole process group. If the guard itself is killed, the kernel ends the server (Linux).
Should both die at once elsewhere, the next start reaps by process id and start time (``reaper.py``).

standard input    control: ``T`` asks the server to end, ``K`` kills it, end of file means that llmtester is gone
standard output   one JSON object a line: ``{"pid": n}`` and later ``{"exit": code}`` (-n for signal n), or
                  ``{"error": text}``
first argument    JSON: command, log_folder, log_limit_bytes, grace_s
"""

# Importing pathlib takes a third of the time that this process needs to start.
# ruff: noqa: PTH105, PTH118, PTH123
from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import sys
import time
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
DRAIN_S = 0.5  # for the last lines of a server that has ended
LOG_NAMES = ("server.log", "server-recent.log", "server-older.log")


class Log:
    """The first half of the allowed bytes in one file for good, the latest quarters in two that take turns."""

    def __init__(self, folder: str, limit_bytes: int) -> None:
        self._paths = [os.path.join(folder, name) for name in LOG_NAMES]
        self._limits = [limit_bytes // 2, limit_bytes // 4]
        self._open(0)

    def write(self, data: bytes) -> None:
        try:
            os.write(self._file, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return  # a full disk must not end a measurement; the tail in memory of the owner is not affected
        self._written += len(data)
        if self._written >= self._limits[self._index]:
            os.close(self._file)
            if self._index == 1:
                os.replace(self._paths[1], self._paths[2])
            self._open(1)

    def _open(self, index: int) -> None:
        self._index = index
        self._file = os.open(self._paths[index], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._written = 0


class Guard:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.log = Log(spec["log_folder"], spec["log_limit_bytes"])
        self.libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self.child = 0
        self.exit_code: int | None = None
        self.kill_at: float | None = None
        self.drain_until = 0.0
        self.output_open = True

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self.stop())
        if self.libc:
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        output = self.spawn()
        poller = select.poll()
        for descriptor in (0, output, wake_read):
            poller.register(descriptor, select.POLLIN)
        while not self.over():
            for descriptor, _ in poller.poll(self.wait_ms()):
                if descriptor == 0 and not self.obey(os.read(0, 64)):
                    poller.unregister(0)
                elif descriptor == output and not self.copy(output):
                    poller.unregister(output)
                    self.output_open = False
                elif descriptor == wake_read:
                    os.read(wake_read, 4096)
            self.reap()
            if self.kill_at and time.monotonic() > self.kill_at:
                self.signal_group(signal.SIGKILL)
                self.kill_at = None
        say({"exit": self.exit_code})

    def spawn(self) -> int:
        """Fork and exec the server in a process group of its own; the read end of its output."""
        output_read, output_write = os.pipe()
        failed_read, failed_write = os.pipe()
        guard = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            self.become_server(guard, output_write, failed_write)
        os.close(output_write)
        os.close(failed_write)
        problem = os.read(failed_read, 4096)
        os.close(failed_read)
        if problem:
            os.waitpid(self.child, 0)
            say({"error": problem.decode("utf-8", "replace")})
            sys.exit(0)
        say({"pid": self.child})
        return output_read

    def become_server(self, guard: int, output_write: int, failed_write: int) -> None:
        try:
            os.setpgid(0, 0)
            if self.libc:
                self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != guard:
                    os._exit(127)
            for number in (
                signal.SIGINT,
                signal.SIGHUP,
                signal.SIGQUIT,
                signal.SIGPIPE,
                signal.SIGTERM,
                signal.SIGCHLD,
            ):
                signal.signal(number, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.dup2(output_write, 1)
            os.dup2(output_write, 2)
            command = self.spec["command"]
            os.execvp(command[0], command)  # noqa: S606 - an argument list of our own making, no shell
        except OSError as error:
            os.write(failed_write, (error.strerror or str(error)).encode())
        finally:
            os._exit(127)

    def obey(self, orders: bytes) -> bool:
        """Act on control bytes; False at their end."""
        if not orders or b"T" in orders:
            self.stop()
        if b"K" in orders:
            self.signal_group(signal.SIGKILL)
        return bool(orders)

    def stop(self) -> None:
        if self.kill_at is None and self.exit_code is None:
            self.kill_at = time.monotonic() + self.spec["grace_s"]
            self.signal_group(signal.SIGTERM)

    def signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child, number)

    def copy(self, output: int) -> bool:
        data = os.read(output, 65536)
        self.log.write(data)
        return bool(data)

    def reap(self) -> None:
        """Collect what has ended. Once the server has, end what it left behind and give its output a moment."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            if process == self.child:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.kill_at = None
                self.drain_until = time.monotonic() + DRAIN_S
                self.signal_group(signal.SIGKILL)
                self.kill_adopted()

    def kill_adopted(self) -> None:
        """Grandchildren that left the group have become children of this process (Linux)."""
        me = os.getpid()
        try:
            with open(f"/proc/{me}/task/{me}/children", encoding="ascii") as children:
                adopted = children.read().split()
        except OSError:
            return
        for process in adopted:
            try:
                os.kill(int(process), signal.SIGKILL)
            except ProcessLookupError:
                continue

    def over(self) -> bool:
        return self.exit_code is not None and (not self.output_open or time.monotonic() >= self.drain_until)

    def wait_ms(self) -> float | None:
        moment = self.drain_until if self.exit_code is not None else self.kill_at
        return max(0.0, (moment - time.monotonic()) * 1000) + 1 if moment is not None else None


def say(message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # llmtester is gone: there is nobody to tell
        os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    Guard(json.loads(sys.argv[1])).run()
