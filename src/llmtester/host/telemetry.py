"""One look at machine and server, about once a second, for about a millisecond."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmtester.domain.records import Reading
from llmtester.host.canary import LoopCanary
from llmtester.host.cgroup import Limits, read_limits, read_number, read_text

if TYPE_CHECKING:
    import psutil

TREE_LIFE_NS = 5_000_000_000  # finding the children of a process reads all of /proc: not each second
CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
FREQUENCY_CORES = 4  # reading one core's frequency interrupts that core


@dataclass(frozen=True, slots=True)
class _CpuMark:
    at_ns: int
    machine_busy_s: float
    own_s: float
    server_s: float


@dataclass(slots=True)
class SystemSensors:
    """``domain.ports.Sensors`` of this machine. Ratios are shares of all cores since the reading before.

    The own share counts this process and its children that do not belong to the server (dashboard, guard).
    """

    canary: LoopCanary | None = None
    root: Path = Path("/")
    _limits: Limits = field(init=False)
    _mark: _CpuMark | None = field(init=False, default=None)
    _server: _Tree = field(init=False)
    _own: _Tree = field(init=False)
    _temperature_files: tuple[Path, ...] = field(init=False)
    _frequency_files: tuple[Path, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._limits = read_limits(self.root)
        self._server, self._own = _Tree(), _Tree()
        self._temperature_files = _temperature_files(self.root)
        frequencies = sorted(self.root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
        self._frequency_files = tuple(frequencies[:FREQUENCY_CORES])

    def read(self, server_process_id: int | None) -> Reading:
        """What can be seen now; ``None`` in a field that this platform does not show or a process that is gone."""
        import psutil

        at_ns = time.perf_counter_ns()
        available_bytes = psutil.virtual_memory().available
        left_bytes = self._limits.memory_left_bytes()
        server = self._server.processes(server_process_id, at_ns)
        own_share, server_share, other_share = self._shares(at_ns, server, server_process_id is not None)
        memory = _memory(server, self.root)
        return Reading(
            at_ns=at_ns,
            memory_available_bytes=min(available_bytes, left_bytes if left_bytes is not None else available_bytes),
            swap_used_bytes=psutil.swap_memory().used,
            server_rss_bytes=memory[0],
            server_anonymous_bytes=memory[1],
            server_file_bytes=memory[2],
            own_cpu_ratio=own_share,
            server_cpu_ratio=server_share,
            other_cpu_ratio=other_share,
            temperature_c=_largest(self._temperature_files, 1000),
            frequency_mhz=_mean(self._frequency_files, 1000),
            loop_lag_ns=self.canary.take_worst_ns() if self.canary is not None else None,
        )

    def _shares(
        self, at_ns: int, server: list[psutil.Process], has_server: bool
    ) -> tuple[float | None, float | None, float | None]:
        import psutil

        server_ids = {process.pid for process in server}
        helpers = [
            process
            for process in self._own.processes(os.getpid(), at_ns)
            if process.pid not in server_ids and process.pid != os.getpid()
        ]
        times = psutil.cpu_times()
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        guests_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user and nice already
        now = _CpuMark(at_ns, sum(times) - idle_s - guests_s, time.process_time() + _cpu_s(helpers), _cpu_s(server))
        before, self._mark = self._mark, now
        if before is None or at_ns <= before.at_ns:
            return None, None, None
        capacity_s = (at_ns - before.at_ns) / 1e9 * (psutil.cpu_count() or 1)
        own_s = max(0.0, now.own_s - before.own_s)
        server_s = max(0.0, now.server_s - before.server_s)
        other_s = max(0.0, now.machine_busy_s - before.machine_busy_s - own_s - server_s)
        shares = [min(1.0, spent_s / capacity_s) for spent_s in (own_s, server_s, other_s)]
        return shares[0], shares[1] if has_server else None, shares[2]


class _Tree:
    """The processes at and below one process, looked up anew every five seconds."""

    def __init__(self) -> None:
        self._root_id: int | None = None
        self._known: list[psutil.Process] = []
        self._found_ns = 0

    def processes(self, process_id: int | None, at_ns: int) -> list[psutil.Process]:
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


def _cpu_s(processes: Iterable[psutil.Process]) -> float:
    import psutil

    total_s = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total_s += times.user + times.system
    return total_s


def _memory(processes: list[psutil.Process], root: Path) -> tuple[int | None, int | None, int | None]:
    """Resident, anonymous and file-backed bytes of all processes; the latter two are known on Linux only."""
    import psutil

    if sys.platform == "linux":
        parts = [part for process in processes if (part := _resident(process.pid, root))]
        if not parts:
            return None, None, None
        anonymous, files = (sum(column) for column in zip(*parts, strict=True))
        return anonymous + files, anonymous, files
    sizes = []
    for process in processes:
        try:
            sizes.append(process.memory_info().rss)
        except psutil.Error:
            continue
    return (sum(sizes) if sizes else None), None, None


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


def _temperature_files(root: Path) -> tuple[Path, ...]:
    """Inputs of the first CPU sensor by preference, else of the package's thermal zone."""
    chips = {read_text(chip / "name"): chip for chip in sorted(root.glob("sys/class/hwmon/hwmon*"))}
    for name in CPU_SENSORS:
        if name in chips and (inputs := sorted(chips[name].glob("temp*_input"))):
            return tuple(inputs)
    zones = sorted(root.glob("sys/class/thermal/thermal_zone*"))
    named = [zone for zone in zones if "cpu" in (kind := read_text(zone / "type") or "") or "pkg" in kind]
    return tuple(zone / "temp" for zone in named)


def _largest(paths: tuple[Path, ...], divisor: float) -> float | None:
    return max((number / divisor for path in paths if (number := read_number(path)) is not None), default=None)


def _mean(paths: tuple[Path, ...], divisor: float) -> float | None:
    numbers = [number for path in paths if (number := read_number(path)) is not None]
    return sum(numbers) / len(numbers) / divisor if numbers else None
