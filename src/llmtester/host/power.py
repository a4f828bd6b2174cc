"""Energy of the processor, where this system lets an ordinary user read it; else why not."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from llmtester.domain.records import Meter
from llmtester.host.cgroup import read_number, read_text
from llmtester.host.thermal import Counters

_POWERCAP = "sys/class/powercap"
_ABSENT_ELSEWHERE = {
    "darwin": "macOS tells the power of the processor only to administrators (powermetrics)",
    "win32": "the energy meters of Windows are not read",
}


@dataclass(slots=True)
class CpuEnergy:
    """RAPL counters of the processor packages, idle power included (``intel-rapl`` serves AMD's processors too)."""

    root: Path
    _counters: Counters = field(init=False)

    def __post_init__(self) -> None:
        zones = [zone for zone in _packages(self.root) if read_number(zone / "energy_uj") is not None]
        limits = tuple(read_number(zone / "max_energy_range_uj") or 0 for zone in zones)
        self._counters = Counters(tuple(zone / "energy_uj" for zone in zones), limits)

    def grown_j(self) -> float | None:
        """Joules since the call before, over all packages; ``None`` at the first call and where none is readable."""
        grown_uj = self._counters.growth()
        return None if grown_uj is None else grown_uj / 1e6


def cpu_meter(root: Path = Path("/")) -> Meter:
    """How the power of the processor is measured here, or why it is not."""
    reason = _ABSENT_ELSEWHERE.get(sys.platform)
    if reason is None:
        zones = _packages(root)
        if any(read_number(zone / "energy_uj") is not None for zone in zones):
            return Meter("cpu_power", "counter", "package", "RAPL through powercap, idle power included")
        reason = (
            "the energy counters may be read by root only; sudo chmod a+r /sys/class/powercap/*/energy_uj allows it"
            if zones
            else "the kernel shows no energy counters, as in most virtual machines"
        )
    return Meter("cpu_power", "none", "none", reason)


def _packages(root: Path) -> list[Path]:
    """Zones of whole packages; their parts and the second view of the same counter (``-mmio``) are left out."""
    zones = sorted((root / _POWERCAP).glob("intel-rapl:*"))
    return [zone for zone in zones if (read_text(zone / "name") or "").startswith("package")]
