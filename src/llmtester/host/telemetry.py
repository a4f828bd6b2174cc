"""One look at machine and server, about once a second, for about a millisecond."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmtester.domain.records import Reading
from llmtester.host import processes
from llmtester.host.canary import LoopCanary
from llmtester.host.cgroup import Limits, read_limits, read_text
from llmtester.host.gpu import GpuSensors, find_gpus
from llmtester.host.power import CpuEnergy
from llmtester.host.thermal import ThermalSensors

if TYPE_CHECKING:
    import psutil


@dataclass(frozen=True, slots=True)
class _CpuMark:
    at_ns: int
    machine_busy_s: float
    own_s: float
    server_s: float


class _SystemMemory(NamedTuple):
    """``swapped_*`` count from the start of the machine."""

    available_bytes: int
    swap_used_bytes: int
    swapped_in_bytes: int | None
    swapped_out_bytes: int | None


@dataclass(slots=True)
class SystemSensors:
    """``domain.ports.Sensors`` of this machine. Ratios are shares of all cores since the reading before.

    The own share counts this process and its children that do not belong to the server (dashboard, guard).
    """

    canary: LoopCanary | None = None
    root: Path = Path("/")
    gpus: GpuSensors | None = None
    _limits: Limits = field(init=False)
    _mark: _CpuMark | None = field(init=False, default=None)
    _server: processes.ProcessTree = field(init=False, default_factory=processes.ProcessTree)
    _own: processes.ProcessTree = field(init=False, default_factory=processes.ProcessTree)
    _mappings: processes.Mappings = field(init=False)
    _thermal: ThermalSensors = field(init=False)
    _energy: CpuEnergy = field(init=False)
    _faults: _Growth = field(init=False)
    _swapped: tuple[_Growth, _Growth] = field(init=False)

    def __post_init__(self) -> None:
        self._limits = read_limits(self.root)
        self._mappings = processes.Mappings(self.root)
        self._thermal, self._energy = ThermalSensors(self.root), CpuEnergy(self.root)
        self._faults, self._swapped = _Growth(), (_Growth(), _Growth())
        if self.gpus is None:
            self.gpus = GpuSensors(find_gpus(self.root))

    def read(self, server_process_id: int | None) -> Reading:
        """What can be seen now; ``None`` in a field that this platform does not show or a process that is gone."""
        at_ns = time.perf_counter_ns()
        system = _system_memory(self.root)
        left_bytes = self._limits.memory_left_bytes()
        server = self._server.processes(server_process_id, at_ns)
        elapsed_s = (at_ns - self._mark.at_ns) / 1e9 if self._mark else 0.0
        own_share, server_share, other_share = self._shares(at_ns, server, server_process_id is not None)
        memory, mapped = processes.memory(server, self.root), self._mappings.look(server, at_ns)
        thermal, gpu = self._thermal.read(), (self.gpus or GpuSensors(None)).read()
        energy_j = self._energy.grown_j()
        available_bytes = system.available_bytes
        return Reading(
            at_ns=at_ns,
            memory_available_bytes=min(available_bytes, left_bytes if left_bytes is not None else available_bytes),
            swap_used_bytes=system.swap_used_bytes,
            server_rss_bytes=memory.resident,
            server_anonymous_bytes=memory.anonymous,
            server_file_bytes=memory.file,
            own_cpu_ratio=own_share,
            server_cpu_ratio=server_share,
            other_cpu_ratio=other_share,
            temperature_c=thermal.temperature_c,
            frequency_mhz=thermal.frequency_mhz,
            loop_lag_ns=self.canary.take_worst_ns() if self.canary is not None else None,
            server_model_bytes=mapped.model,
            server_proportional_bytes=mapped.proportional,
            server_major_faults_count=self._faults.since(
                processes.major_faults_count(server, self.root), server_process_id
            ),
            swap_in_bytes=self._swapped[0].since(system.swapped_in_bytes),
            swap_out_bytes=self._swapped[1].since(system.swapped_out_bytes),
            frequency_lowest_mhz=thermal.lowest_mhz,
            throttled_cores_count=thermal.cores_count,
            throttled_packages_count=thermal.packages_count,
            cpu_power_w=energy_j / elapsed_s if energy_j is not None and elapsed_s > 0 else None,
            cpu_energy_j=energy_j,
            gpu_power_w=gpu.power_w,
            gpu_energy_j=gpu.energy_j,
            gpu_memory_used_bytes=gpu.memory_used_bytes,
            gpu_utilisation_ratio=gpu.utilisation_ratio,
            gpu_temperature_c=gpu.temperature_c,
            gpu_throttled=gpu.throttled,
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
        busy_s, own_s = sum(times) - idle_s - guests_s, time.process_time() + processes.cpu_s(helpers)
        now = _CpuMark(at_ns, busy_s, own_s, processes.cpu_s(server))
        before, self._mark = self._mark, now
        if before is None or at_ns <= before.at_ns:
            return None, None, None
        capacity_s = (at_ns - before.at_ns) / 1e9 * (psutil.cpu_count() or 1)
        own_s = max(0.0, now.own_s - before.own_s)
        server_s = max(0.0, now.server_s - before.server_s)
        other_s = max(0.0, now.machine_busy_s - before.machine_busy_s - own_s - server_s)
        shares = [min(1.0, spent_s / capacity_s) for spent_s in (own_s, server_s, other_s)]
        return shares[0], shares[1] if has_server else None, shares[2]


@dataclass(slots=True)
class _Growth:
    """How much a count grew since the look before, as long as it counts the same thing."""

    _before: tuple[object, int] | None = None

    def since(self, count: int | None, of: object = None) -> int | None:
        before, self._before = self._before, None if count is None else (of, count)
        if count is None or before is None or before[0] != of:
            return None
        return max(0, count - before[1])


def _system_memory(root: Path) -> _SystemMemory:
    """Two small files on Linux, where psutil reads four; what psutil says elsewhere."""
    if sys.platform == "linux" and (text := read_text(root / "proc/meminfo")):
        lines = (line.partition(":") for line in text.splitlines())
        sizes = {name: int(value.split()[0]) * 1024 for name, _, value in lines}
        if "MemAvailable" in sizes:
            page_bytes = os.sysconf("SC_PAGE_SIZE")
            events = dict(line.partition(" ")[::2] for line in (read_text(root / "proc/vmstat") or "").splitlines())
            swapped = [int(events[name]) * page_bytes if name in events else None for name in ("pswpin", "pswpout")]
            used_bytes = sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0)
            return _SystemMemory(sizes["MemAvailable"], used_bytes, swapped[0], swapped[1])
    import psutil

    swap = psutil.swap_memory()
    counted = sys.platform != "win32"  # psutil writes 0 there for what it does not know
    in_bytes, out_bytes = (swap.sin, swap.sout) if counted else (None, None)
    return _SystemMemory(psutil.virtual_memory().available, swap.used, in_bytes, out_bytes)
