"""Temperature, frequency and the kernel's own count of throttling (Linux; elsewhere nothing is said)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from llmtester.host.cgroup import read_number, read_text

CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
CORES_LOOKED_AT = 16
"""A file for each core costs 20 microseconds; on large machines some cores stand for all."""


class Thermal(NamedTuple):
    """``frequency`` is the mean over cores, ``lowest`` that of the slowest; throttle counts since the look before."""

    temperature_c: float | None
    frequency_mhz: float | None
    lowest_mhz: float | None
    cores_count: int | None
    packages_count: int | None


@dataclass(slots=True)
class ThermalSensors:
    """The files are found once, because finding costs more than reading."""

    root: Path
    _temperatures: tuple[Path, ...] = field(init=False)
    _frequencies: tuple[Path, ...] = field(init=False)
    _cores: Counters = field(init=False)
    _packages: Counters = field(init=False)

    def __post_init__(self) -> None:
        cpus = sorted(self.root.glob("sys/devices/system/cpu/cpu[0-9]*"), key=lambda cpu: int(cpu.name[3:]))
        self._temperatures = _temperature_files(self.root)
        frequencies = (cpu / "cpufreq/scaling_cur_freq" for cpu in cpus)
        self._frequencies = tuple(path for path in frequencies if path.exists())[:CORES_LOOKED_AT]
        self._cores = Counters(_throttle_files(cpus, "core_throttle_count", ("physical_package_id", "core_id")))
        self._packages = Counters(_throttle_files(cpus, "package_throttle_count", ("physical_package_id",)))

    def read(self) -> Thermal:
        """``None`` in a field that this machine does not show; the first look counts no throttling."""
        frequencies = [number / 1000 for path in self._frequencies if (number := read_number(path)) is not None]
        return Thermal(
            max((t / 1000 for path in self._temperatures if (t := read_number(path)) is not None), default=None),
            sum(frequencies) / len(frequencies) if frequencies else None,
            min(frequencies, default=None),
            self._cores.growth(),
            self._packages.growth(),
        )


@dataclass(slots=True)
class Counters:
    """Kernel counters that only grow, in files; ``limits`` holds where each starts again from zero."""

    paths: tuple[Path, ...]
    limits: tuple[int, ...] = ()
    _before: dict[Path, int] = field(default_factory=dict)

    def growth(self) -> int | None:
        """The sum of what they grew since the call before; ``None`` at the first call and where none can be read."""
        now = {path: number for path in self.paths if (number := read_number(path)) is not None}
        before, self._before = self._before, now
        known = [path for path in now if path in before]
        if not known:
            return None
        limits = dict(zip(self.paths, self.limits, strict=True)) if self.limits else {}
        return sum(_grown(before[path], now[path], limits.get(path)) for path in known)


def _grown(before: int, now: int, limit: int | None) -> int:
    if now >= before:
        return now - before
    return now + limit - before if limit else 0


def _throttle_files(cpus: list[Path], name: str, identity: tuple[str, ...]) -> tuple[Path, ...]:
    """One file for each core or package: threads of one core tell the same count."""
    found: dict[tuple[str | None, ...], Path] = {}
    for cpu in cpus:
        path = cpu / "thermal_throttle" / name
        if path.exists():
            found.setdefault(tuple(read_text(cpu / "topology" / part) for part in identity), path)
    return tuple(found.values())[:CORES_LOOKED_AT]


def _temperature_files(root: Path) -> tuple[Path, ...]:
    """Inputs of the first CPU sensor by preference, else of the package's thermal zone."""
    chips = {read_text(chip / "name"): chip for chip in sorted(root.glob("sys/class/hwmon/hwmon*"))}
    for name in CPU_SENSORS:
        if name in chips and (inputs := sorted(chips[name].glob("temp*_input"))):
            return tuple(inputs)
    zones = sorted(root.glob("sys/class/thermal/thermal_zone*"))
    named = [zone for zone in zones if "cpu" in (kind := read_text(zone / "type") or "") or "pkg" in kind]
    return tuple(zone / "temp" for zone in named)
