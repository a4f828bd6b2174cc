"""The guard of ``guard.py`` for Windows: the same pipes and messages, with a job object instead of process groups.

Designed from the documentation of the Windows API and never run by us. The job kills everything in it when its last
handle closes, and this process holds the only one: whatever ends the guard ends the server. The server starts
suspended, so that it cannot start anything before it is in the job. ``T`` and ``K`` both end the job at once, since
llama-server hears of nothing but Ctrl-C there.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
from ctypes import wintypes
from pathlib import Path
from typing import Any

if sys.platform == "win32":  # everywhere else this file can be imported and checked, and has nothing in it
    CREATE_SUSPENDED = 0x4
    JOB_OBJECT_EXTENDED_LIMIT_INFORMATION = 9
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
    READ_BYTES = 65536

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
            ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = (
            ("BasicLimitInformation", _BasicLimits),
            ("IoInfo", ctypes.c_ulonglong * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    def new_job() -> int:
        """A job object that kills its processes when its handle closes. Raises ``OSError``."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        job = kernel.CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        done = job and kernel.SetInformationJobObject(
            wintypes.HANDLE(job), JOB_OBJECT_EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        )
        if not done:
            raise ctypes.WinError(ctypes.get_last_error())
        return int(job)

    def copy_log(source: Any, folder: Path, limit_bytes: int) -> None:
        """Keep the beginning of the output up to the limit, and go on reading so that the server never waits."""
        with (folder / "server.log").open("wb", buffering=0) as log:
            written = 0
            while data := source.read1(READ_BYTES):
                if written < limit_bytes:
                    written += log.write(data)

    def obey(job: int) -> None:
        """End the job at the first order, or when llmtester is gone."""
        sys.stdin.buffer.read(1)
        ctypes.WinDLL("kernel32").TerminateJobObject(wintypes.HANDLE(job), 1)

    def say(message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    def main() -> None:
        spec = json.loads(sys.argv[1])
        job = new_job()
        try:
            server = subprocess.Popen(
                spec["command"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                creationflags=CREATE_SUSPENDED | subprocess.CREATE_NEW_PROCESS_GROUP,
            )
        except OSError as error:
            say({"error": str(error)})
            return
        handle = wintypes.HANDLE(int(server._handle))  # type: ignore[attr-defined]  # subprocess keeps no public one
        if not ctypes.WinDLL("kernel32").AssignProcessToJobObject(wintypes.HANDLE(job), handle):
            server.kill()
            say({"error": "the server could not be put into a job object"})
            return
        ctypes.WinDLL("ntdll").NtResumeProcess(handle)
        say({"pid": server.pid})
        threading.Thread(target=obey, args=(job,), daemon=True).start()
        copy_log(server.stdout, Path(spec["log_folder"]), spec["log_limit_bytes"])
        say({"exit": server.wait()})

    if __name__ == "__main__":
        main()
