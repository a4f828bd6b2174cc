"""Power, memory, use and temperature of GPUs, through the interface of the maker that is installed.

NVIDIA: NVML, when ``nvidia-ml-py`` is installed. AMD: ``amdsmi`` when that is installed, else the files of the amdgpu
driver. Apple and Intel: nothing that an ordinary user may read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from llmtester.domain.records import Meter
from llmtester.host.cgroup import read_number

T = TypeVar("T")
_HEAT_REASONS = 0x20 | 0x40
"""NVML's software and hardware thermal slowdown; a power cap alone is ordinary work."""


class GpuLook(NamedTuple):
    """One GPU now. ``energy_j`` counts from an unknown start; ``None`` where the interface does not say."""

    power_w: float | None = None
    energy_j: float | None = None
    memory_used_bytes: int | None = None
    memory_bytes: int | None = None
    utilisation_ratio: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None


class GpuInterface(Protocol):
    @property
    def meter(self) -> Meter: ...

    def look(self) -> list[GpuLook]:
        """One look at each GPU, in a fixed order."""
        ...


class GpuTotals(NamedTuple):
    """All GPUs together; energy since the look before."""

    power_w: float | None = None
    energy_j: float | None = None
    memory_used_bytes: int | None = None
    utilisation_ratio: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None


@dataclass(slots=True)
class GpuSensors:
    """The GPUs of this machine, through ``interface`` (``None``: none can be read)."""

    interface: GpuInterface | None
    _energy_j: list[float | None] = field(default_factory=list)

    def read(self) -> GpuTotals:
        """Sums of power, energy and memory, mean utilisation, highest temperature; all ``None`` without GPUs."""
        looks = self.interface.look() if self.interface else []
        if not looks:
            return GpuTotals()
        before, self._energy_j = self._energy_j, [look.energy_j for look in looks]
        grown = [
            now - then
            for then, now in zip(before, self._energy_j, strict=False)
            if then is not None and now is not None
        ]
        utilisation = _known(look.utilisation_ratio for look in looks)
        throttled = _known(look.throttled for look in looks)
        used = _known(look.memory_used_bytes for look in looks)
        power = _known(look.power_w for look in looks)
        return GpuTotals(
            power_w=sum(power) if power else None,
            energy_j=max(0.0, sum(grown)) if grown else None,
            memory_used_bytes=sum(used) if used else None,
            utilisation_ratio=sum(utilisation) / len(utilisation) if utilisation else None,
            temperature_c=max(_known(look.temperature_c for look in looks), default=None),
            throttled=any(throttled) if throttled else None,
        )


def find_gpus(root: Path = Path("/"), load: Callable[[str], Any] = import_module) -> GpuInterface | None:
    """The first interface that finds a GPU. ``load`` imports a maker's library by name."""
    for kind, name in ((Nvml, "pynvml"), (AmdSmi, "amdsmi")):
        try:
            interface: GpuInterface = kind(load(name))
        except (ImportError, OSError, GpuUnreadable):
            continue
        return interface
    amd = AmdFiles(root)
    return amd if amd.look() else None


def gpu_meter(interface: GpuInterface | None, *, present: bool) -> Meter | None:
    """How the power of the GPUs is measured, why it is not, or ``None`` on a machine without one."""
    if interface is not None:
        return interface.meter
    if not present:
        return None
    reason = (
        "macOS tells the power of the GPU only to administrators (powermetrics)"
        if sys.platform == "darwin"
        else "no interface of its maker is installed; for NVIDIA that is the package nvidia-ml-py"
    )
    return Meter("gpu_power", "none", "none", reason)


class GpuUnreadable(Exception):
    """The library is there and finds no GPU that it can read."""


class Nvml:
    """NVIDIA's GPUs through ``nvidia-ml-py`` (``library`` is its module). Raises ``GpuUnreadable`` without any."""

    def __init__(self, library: Any) -> None:
        self._nvml = library
        try:
            library.nvmlInit()
            self._handles = [library.nvmlDeviceGetHandleByIndex(i) for i in range(library.nvmlDeviceGetCount())]
        except library.NVMLError as error:
            raise GpuUnreadable(str(error)) from error
        if not self._handles:
            raise GpuUnreadable("no NVIDIA GPU")
        counts = self._ask(library.nvmlDeviceGetTotalEnergyConsumption, self._handles[0]) is not None
        self.meter = (
            Meter("gpu_power", "counter", "gpu", "NVML's energy counter")
            if counts
            else Meter("gpu_power", "sampled", "gpu", "NVML's power, sampled once a second")
        )

    def look(self) -> list[GpuLook]:
        return [self._look(handle) for handle in self._handles]

    def _look(self, handle: object) -> GpuLook:
        nvml = self._nvml
        power_mw = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        energy_mj = self._ask(nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        use = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        reasons = self._ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
        return GpuLook(
            power_w=None if power_mw is None else power_mw / 1e3,
            energy_j=None if energy_mj is None else energy_mj / 1e3,
            memory_used_bytes=None if memory is None else memory.used,
            memory_bytes=None if memory is None else memory.total,
            utilisation_ratio=None if use is None else use.gpu / 100,
            temperature_c=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            throttled=None if reasons is None else bool(reasons & _HEAT_REASONS),
        )

    def _ask(self, question: Callable[..., Any], *arguments: object) -> Any:
        """The answer, or ``None``: not every card knows every answer."""
        try:
            return question(*arguments)
        except self._nvml.NVMLError:
            return None


class AmdSmi:
    """AMD's GPUs through ``amdsmi`` (``library`` is its module). Raises ``GpuUnreadable`` without any."""

    meter = Meter("gpu_power", "counter", "gpu", "amdsmi's energy counter")

    def __init__(self, library: Any) -> None:
        self._smi = library
        try:
            library.amdsmi_init()
            self._handles = list(library.amdsmi_get_processor_handles())
        except library.AmdSmiException as error:
            raise GpuUnreadable(str(error)) from error
        if not self._handles:
            raise GpuUnreadable("no AMD GPU")

    def look(self) -> list[GpuLook]:
        return [self._look(handle) for handle in self._handles]

    def _look(self, handle: object) -> GpuLook:
        smi = self._smi
        power = self._ask(smi.amdsmi_get_power_info, handle)
        energy = self._ask(smi.amdsmi_get_energy_count, handle)
        memory = self._ask(smi.amdsmi_get_gpu_vram_usage, handle)
        kind, now = smi.AmdSmiTemperatureType.HOTSPOT, smi.AmdSmiTemperatureMetric.CURRENT
        temperature = self._ask(smi.amdsmi_get_temp_metric, handle, kind, now)
        use = _figure(self._ask(smi.amdsmi_get_gpu_activity, handle), "gfx_activity")
        ticks, tick_uj = _figure(energy, "energy_accumulator"), _figure(energy, "counter_resolution")
        used_mb, total_mb = _figure(memory, "vram_used"), _figure(memory, "vram_total")
        return GpuLook(
            power_w=_figure(power, "current_socket_power", "average_socket_power"),
            energy_j=None if ticks is None or tick_uj is None else ticks * tick_uj / 1e6,
            memory_used_bytes=None if used_mb is None else round(used_mb * 2**20),
            memory_bytes=None if total_mb is None else round(total_mb * 2**20),
            utilisation_ratio=None if use is None else use / 100,
            temperature_c=float(temperature) if isinstance(temperature, (int, float)) else None,
        )

    def _ask(self, question: Callable[..., Any], *arguments: object) -> Any:
        try:
            return question(*arguments)
        except self._smi.AmdSmiException:
            return None


def _figure(answer: dict[str, Any] | None, *names: str) -> float | None:
    """The first of the named entries that is a number: cards write ``N/A`` for what they do not know."""
    for name in names:
        value = (answer or {}).get(name)
        if isinstance(value, (int, float)):
            return float(value)
    return None


class AmdFiles:
    """AMD's GPUs through the files of the amdgpu driver; power is sampled, there is no energy counter."""

    meter = Meter("gpu_power", "sampled", "gpu", "the amdgpu driver's power, sampled once a second")

    def __init__(self, root: Path) -> None:
        devices = sorted(root.glob("sys/class/drm/card[0-9]*/device"))
        self._cards = [device for device in devices if (device / "mem_info_vram_total").exists()]

    def look(self) -> list[GpuLook]:
        return [self._look(card) for card in self._cards]

    def _look(self, card: Path) -> GpuLook:
        chip = next(iter(sorted(card.glob("hwmon/hwmon*"))), card)
        power_uw, busy = read_number(chip / "power1_average"), read_number(card / "gpu_busy_percent")
        temperature_mc = read_number(chip / "temp1_input")
        return GpuLook(
            power_w=None if power_uw is None else power_uw / 1e6,
            memory_used_bytes=read_number(card / "mem_info_vram_used"),
            memory_bytes=read_number(card / "mem_info_vram_total"),
            utilisation_ratio=None if busy is None else busy / 100,
            temperature_c=None if temperature_mc is None else temperature_mc / 1000,
        )


def _known(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]
