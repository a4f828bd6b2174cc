"""Ending servers that a dead llmtester left behind: by process id and start time together, never by name.

The guard makes this rare; it is for systems without a parent-death signal and for a guard killed with its owner.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

START_TOLERANCE_S = 0.05
WAIT_S = 5.0


def remember(folder: Path, server_id: int, guard_id: int, port: int, executable: str) -> Path | None:
    """Write down what runs; the file of the note, or ``None`` if the server is gone already."""
    import psutil

    try:
        processes = {str(each): psutil.Process(each).create_time() for each in (server_id, guard_id)}
        owner = {"id": os.getpid(), "started": psutil.Process().create_time()}
    except psutil.NoSuchProcess:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"server-{server_id}.json"
    note = {"processes": processes, "owner": owner, "port": port, "executable": executable}
    path.write_text(json.dumps(note), encoding="utf-8")  # one small write; a torn note is cleared by the next start
    return path


def forget(note: Path | None) -> None:
    if note is not None:
        note.unlink(missing_ok=True)


def reap_stale_servers(folder: Path) -> tuple[int, ...]:
    """End every noted server whose owner is gone, wait until they are gone, and return their process ids.

    A note whose process ids now belong to others (their start times differ) is only removed.
    """
    reaped: list[int] = []
    for path in sorted(folder.glob("server-*.json")):
        note = _read(path)
        if note is not None and _is_running(note["owner"]["id"], note["owner"]["started"]):
            continue
        for process_id, started in (note or {"processes": {}})["processes"].items():
            if _end(int(process_id), float(started)):
                reaped.append(int(process_id))
        path.unlink(missing_ok=True)
    return tuple(reaped)


def stale_servers(folder: Path) -> tuple[int, ...]:
    """Process ids of noted servers that still run although their owner is gone. Ends nothing."""
    found: list[int] = []
    for path in sorted(folder.glob("server-*.json")):
        note = _read(path)
        if note is None or _is_running(note["owner"]["id"], note["owner"]["started"]):
            continue
        found += [int(each) for each, started in note["processes"].items() if _is_running(int(each), float(started))]
    return tuple(found)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        owner, processes = note["owner"], note["processes"]
        if isinstance(owner["id"], int) and isinstance(owner["started"], float) and isinstance(processes, dict):
            return {"owner": owner, "processes": processes}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _is_running(process_id: int, started: float) -> bool:
    import psutil

    try:
        process = psutil.Process(process_id)
        return bool(
            abs(process.create_time() - started) < START_TOLERANCE_S and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:
        return False


def _end(process_id: int, started: float) -> bool:
    import psutil

    if not _is_running(process_id, started):
        return False
    try:
        process = psutil.Process(process_id)
        process.terminate()
        until_s = time.monotonic() + WAIT_S
        psutil.wait_procs([process], timeout=WAIT_S / 2)
        if process.is_running() and time.monotonic() < until_s:
            process.kill()
            psutil.wait_procs([process], timeout=WAIT_S / 2)
    except psutil.NoSuchProcess:
        return True
    return True
