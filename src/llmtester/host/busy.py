"""Who else uses the processor right now: what makes every measurement of this moment doubtful."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusyProcess:
    """One process of somebody else; ``cores`` is how many whole cores it used. The name is untrusted text."""

    process_id: int
    name: str
    cores: float


def busiest_processes(window_s: float = 0.3, count: int = 3) -> tuple[BusyProcess, ...]:
    """The processes that used most of the processor during the next ``window_s`` seconds, this one left out."""
    import psutil

    before = _cpu_seconds()
    started_s = time.monotonic()
    time.sleep(window_s)  # a share of the processor exists only over a stretch of time
    spent_s = time.monotonic() - started_s
    used = sorted(
        ((after_s - before[key], key) for key, after_s in _cpu_seconds().items() if key in before), reverse=True
    )
    found = []
    for cpu_s, (process_id, _) in used[:count]:
        try:
            found.append(BusyProcess(process_id, psutil.Process(process_id).name(), cpu_s / spent_s))
        except psutil.Error:
            continue
    return tuple(found)


def _cpu_seconds() -> dict[tuple[int, float], float]:
    """Process id and start time to the seconds of processor that it has used so far."""
    import psutil

    found = {}
    for process in psutil.process_iter(["cpu_times", "create_time"]):
        times = process.info["cpu_times"]
        if times is not None and process.pid != os.getpid():
            found[process.pid, process.info["create_time"]] = times.user + times.system
    return found
