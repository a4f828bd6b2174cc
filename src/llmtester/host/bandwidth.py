"""The speed of the memory, which decides how fast a model can write: measured in the first runs, then a fact of the
machine. Other programs can only make it look slower, so the fastest of a few measurements is kept.

Every core copies a buffer far larger than its share of the caches with ``memmove``, which lets go of Python's lock, so
that threads are enough. A copy reads each byte and writes it; both count, as in STREAM (McCalpin, 1995).
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from llmtester.domain.records import Machine
from llmtester.host.cgroup import read_text

DURATION_S = 2.0
SMALLEST_BUFFER_BYTES = 32 * 2**20
CACHES_COUNT = 4
"""All buffers together are at least this many times the last level of cache."""

MEMORY_SHARE = 0.1
"""All buffers together take at most this share of the memory."""

MOST_THREADS = 16
"""A few cores fill every memory bus of a personal machine."""

MEASUREMENTS_COUNT = 3
"""So many runs measure it; one of them will have had the machine for itself."""

FILE_NAME = "memory_bandwidth.json"


def known_bandwidth(machine: Machine, folder: Path, duration_s: float = DURATION_S) -> float | None:
    """Bytes a second that all cores read and write together: the most that was measured on this machine.

    What ``folder`` remembers of fewer than ``MEASUREMENTS_COUNT`` measurements is measured once more. ``None`` where
    there is not enough memory for buffers that defeat the cache.
    """
    path = folder / FILE_NAME
    identity = [machine.system, machine.cpu_model, machine.logical_cores, machine.cpu_limit_cores, machine.memory_bytes]
    rates = _remembered(path, identity)
    if len(rates) >= MEASUREMENTS_COUNT:
        return max(rates)
    measured = measure_bandwidth(machine, duration_s)
    if measured is None:
        return max(rates, default=None)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"machine": identity, "rates_bytes_per_s": [*rates, measured]}), encoding="utf-8")
    partial.replace(path)
    return max([*rates, measured])


def _remembered(path: Path, identity: list[object]) -> list[float]:
    """Earlier measurements on this machine; none if the file is not there or cannot be used."""
    with suppress(ValueError, TypeError, KeyError):
        kept = json.loads(read_text(path) or "null")
        if kept and kept["machine"] == identity:
            return [float(rate) for rate in kept["rates_bytes_per_s"]]
    return []


def measure_bandwidth(machine: Machine, duration_s: float = DURATION_S) -> float | None:
    """Bytes read and written a second by copies on all usable cores during ``duration_s``; ``None`` as above."""
    threads = max(1, min(MOST_THREADS, int(machine.cpu_limit_cores), machine.physical_cores))
    wanted_bytes = max(SMALLEST_BUFFER_BYTES, CACHES_COUNT * (machine.l3_cache_bytes or 0) // threads // 2)
    size_bytes = min(wanted_bytes, int(machine.memory_limit_bytes * MEMORY_SHARE) // threads // 2)
    if size_bytes < SMALLEST_BUFFER_BYTES:
        return None
    copied = [(0, 0.0)] * threads
    ready = threading.Barrier(threads)

    def work(index: int) -> None:
        source, target = bytearray(size_bytes), bytearray(size_bytes)
        _copy(source, target)  # the first touch makes the pages
        ready.wait()
        started_s, count = time.perf_counter(), 0
        while (spent_s := time.perf_counter() - started_s) < duration_s:
            _copy(source, target)
            count += 1
        copied[index] = (2 * size_bytes * count, spent_s)

    workers = [threading.Thread(target=work, args=(index,), name=f"bandwidth-{index}") for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    rates = [moved_bytes / spent_s for moved_bytes, spent_s in copied if spent_s > 0]
    return sum(rates) if len(rates) == threads else None


def _copy(source: bytearray, target: bytearray) -> None:
    size = len(source)
    ctypes.memmove((ctypes.c_char * size).from_buffer(target), (ctypes.c_char * size).from_buffer(source), size)
