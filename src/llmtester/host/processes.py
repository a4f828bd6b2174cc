"""What the processes of a server take: memory of every kind, time, page faults."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmtester.host.cgroup import read_text

if TYPE_CHECKING:
    import psutil

TREE_LIFE_NS = 5_000_000_000  # finding the children of a process reads all of /proc: not each second
MAPPINGS_PAUSE_NS = 10_000_000_000
MAPPINGS_SHARE = 500  # looking at the mappings walks page tables: at most a 500th of the time, 0.2 % of a core


class ProcessTree:
    """The processes at and below one process, looked up anew every five seconds."""

    def __init__(self) -> None:
        self._root_id: int | None = None
        self._known: list[psutil.Process] = []
        self._found_ns = 0

    def processes(self, process_id: int | None, at_ns: int) -> list[psutil.Process]:
        """Empty for no process and for one that is gone."""
        import psutil

        if process_id is None:
            return []
        if process_id != self._root_id or at_ns - self._found_ns > TREE_LIFE_NS:
            self._root_id, self._found_ns = process_id, at_ns
            try:
                top = psutil.Process(process_id)
                self._known = [top, *top.children(recursive=True)]
            except psutil.Error:
                self._known = []
        return self._known


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Processor seconds that the processes have used so far."""
    import psutil

    total_s = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total_s += times.user + times.system
    return total_s


class Memory(NamedTuple):
    """Resident bytes of some processes; ``anonymous`` and ``file`` are known on Linux only."""

    resident: int | None = None
    anonymous: int | None = None
    file: int | None = None


def memory(processes: list[psutil.Process], root: Path) -> Memory:
    """The sum over all processes; pages that several of them map count once for each (see ``Mappings``)."""
    import psutil

    if sys.platform == "linux":
        parts = [part for process in processes if (part := _resident(process.pid, root))]
        if not parts:
            return Memory()
        anonymous, files = (sum(column) for column in zip(*parts, strict=True))
        return Memory(anonymous + files, anonymous, files)
    sizes = []
    for process in processes:
        try:
            sizes.append(process.memory_info().rss)
        except psutil.Error:
            continue
    return Memory(sum(sizes)) if sizes else Memory()


def _resident(process_id: int, root: Path) -> tuple[int, int] | None:
    text = read_text(root / f"proc/{process_id}/status")
    sizes = {
        name: int(value.split()[0]) * 1024
        for name, _, value in (line.partition(":") for line in (text or "").splitlines())
        if name in {"RssAnon", "RssFile", "RssShmem"}
    }
    if len(sizes) < 3:
        return None
    return sizes["RssAnon"], sizes["RssFile"] + sizes["RssShmem"]


def major_faults_count(processes: Iterable[psutil.Process], root: Path) -> int | None:
    """Page faults so far that had to read from a disk; ``None`` where the system does not count them."""
    counts = []
    for process in processes:
        text = read_text(root / f"proc/{process.pid}/stat")
        if text:
            counts.append(int(text.rpartition(")")[2].split()[9]))  # field 12; the name before may hold spaces
    return sum(counts) if counts else None


class Mapped(NamedTuple):
    """``model``: resident bytes of shared mappings of files. ``proportional``: each page divided by its users."""

    model: int | None = None
    proportional: int | None = None


@dataclass(slots=True)
class Mappings:
    """What lies behind the resident memory of processes. Looks rarely, and remembers what it saw.

    The kernel walks the page tables for it: 1 ms for a small server, longer for large ones, so that the pause between
    two looks grows with the cost of the last.
    """

    root: Path
    _ids: tuple[int, ...] = ()
    _next_ns: int = 0
    _seen: Mapped = field(default_factory=Mapped)

    def look(self, processes: Iterable[psutil.Process], at_ns: int) -> Mapped:
        """What the last look saw, after a new one if it is time; all ``None`` where the system does not show it."""
        ids = tuple(process.pid for process in processes)
        if ids != self._ids or at_ns >= self._next_ns:
            started_ns = time.perf_counter_ns()
            texts = [text for process_id in ids if (text := read_text(self.root / f"proc/{process_id}/smaps"))]
            cost_ns = time.perf_counter_ns() - started_ns
            self._ids, self._next_ns = ids, at_ns + max(MAPPINGS_PAUSE_NS, MAPPINGS_SHARE * cost_ns)
            parts = [_mapped(text) for text in texts]
            self._seen = Mapped(*(sum(column) for column in zip(*parts, strict=True))) if parts else Mapped()
        return self._seen


def _mapped(text: str) -> tuple[int, int]:
    """Model and proportional bytes of one process. A model file is mapped shared; libraries are mapped private."""
    model_bytes = proportional_bytes = 0
    is_model = False
    for line in text.splitlines():
        words = line.split()
        if words[0] == "Rss:":
            model_bytes += int(words[1]) * 1024 if is_model else 0
        elif words[0] == "Pss:":
            proportional_bytes += int(words[1]) * 1024
        elif not words[0].endswith(":"):
            path = words[5] if len(words) > 5 else ""
            is_model = words[1].endswith("s") and path.startswith("/") and not path.startswith(("/dev/", "/memfd:"))
    return model_bytes, proportional_bytes
