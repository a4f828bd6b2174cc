"""The limits that a container or service manager puts on this process (Linux control groups, both versions)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED_BYTES = 1 << 60  # version 1 writes "no limit" as a number near 2**63


def read_text(path: Path) -> str | None:
    """The stripped text of a small kernel file, ``None`` if it is not there or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def read_number(path: Path) -> int | None:
    """The integer in a small kernel file, ``None`` if there is none."""
    text = read_text(path)
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """``memory_bytes`` and ``cpu_cores`` are the tightest of the groups above this process, ``None`` if unlimited.

    ``memory_folder`` is the group whose limit that is.
    """

    memory_bytes: int | None
    cpu_cores: float | None
    memory_folder: Path | None

    def memory_left_bytes(self) -> int | None:
        """What the group may still take; file pages that the kernel would drop first count as left."""
        if self.memory_bytes is None or self.memory_folder is None:
            return None
        used = read_number(self.memory_folder / "memory.current")
        if used is None:
            used = read_number(self.memory_folder / "memory.usage_in_bytes")
        if used is None:
            return None
        statistics = dict(
            line.partition(" ")[::2] for line in (read_text(self.memory_folder / "memory.stat") or "").splitlines()
        )
        droppable = statistics.get("inactive_file") or statistics.get("total_inactive_file") or "0"
        return max(0, self.memory_bytes - used + int(droppable))


def read_limits(root: Path = Path("/")) -> Limits:
    """The limits in force for this process; all ``None`` where there are no control groups."""
    memory: list[tuple[int, Path]] = []
    cores: list[float] = []
    for folder in _groups(root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = read_number(folder / name)
            if limit is not None and limit < _UNLIMITED_BYTES:
                memory.append((limit, folder))
        quota, period = _quota(folder)
        if quota is not None and quota > 0 and period:
            cores.append(quota / period)
    tightest = min(memory, default=(None, None), key=lambda pair: pair[0])
    return Limits(tightest[0], min(cores, default=None), tightest[1])


def _quota(folder: Path) -> tuple[int | None, int | None]:
    words = (read_text(folder / "cpu.max") or "").split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
        return int(words[0]), int(words[1])
    return read_number(folder / "cpu.cfs_quota_us"), read_number(folder / "cpu.cfs_period_us")


def _groups(root: Path) -> Iterator[Path]:
    """Every group folder from that of this process up to the top, of every hierarchy."""
    mount = root / "sys/fs/cgroup"
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        fields = line.split(":", 2)
        if len(fields) != 3:
            continue
        _, controllers, path = fields
        names = [mount / controllers, *(mount / name for name in controllers.split(","))] if controllers else [mount]
        for base in dict.fromkeys(names):
            folder = base / path.lstrip("/")
            yield from (candidate for candidate in (folder, *folder.parents) if candidate.is_relative_to(base))
