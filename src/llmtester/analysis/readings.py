"""Readings of hours in the space of some hundreds, with nothing lost that is counted and no peak that was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from llmtester.domain.records import Reading

KEPT_COUNT = 600  # even, because full series are merged in pairs
"""Ten minutes at one reading a second, half an hour at one in three to four seconds."""

Together: TypeAlias = Callable[[Any, Any], Any]


def _mean(one: float, other: float) -> float:
    return (one + other) / 2


def _sum(one: float, other: float) -> float:
    return one + other


TOGETHER: Mapping[str, Together] = {
    "memory_available_bytes": min,
    "swap_used_bytes": max,
    "server_rss_bytes": max,
    "server_anonymous_bytes": max,
    "server_file_bytes": max,
    "server_model_bytes": max,
    "server_proportional_bytes": max,
    "own_cpu_ratio": _mean,
    "server_cpu_ratio": _mean,
    "other_cpu_ratio": _mean,
    "temperature_c": max,
    "frequency_mhz": _mean,
    "frequency_lowest_mhz": min,
    "loop_lag_ns": max,
    "server_major_faults_count": _sum,
    "swap_in_bytes": _sum,
    "swap_out_bytes": _sum,
    "throttled_cores_count": _sum,
    "throttled_packages_count": _sum,
    "cpu_power_w": _mean,
    "cpu_energy_j": _sum,
    "gpu_power_w": _mean,
    "gpu_energy_j": _sum,
    "gpu_memory_used_bytes": max,
    "gpu_utilisation_ratio": _mean,
    "gpu_temperature_c": max,
    "gpu_throttled": max,
}
"""How two neighbouring readings become one: what is counted since the reading before adds up, levels keep their worse
end, rates their mean. The moment is that of the later one."""

_NAMES = tuple(entry.name for entry in fields(Reading) if entry.name != "at_ns")


def merged(earlier: Reading, later: Reading) -> Reading:
    """One reading that stands for both."""
    values = {name: _known(TOGETHER[name], getattr(earlier, name), getattr(later, name)) for name in _NAMES}
    return Reading(at_ns=later.at_ns, **values)


def _known(together: Together, one: Any, other: Any) -> Any:
    if one is None or other is None:
        return one if other is None else other
    return together(one, other)


@dataclass(slots=True)
class Thinned:
    """Readings with when they were taken, in seconds that the run was active; evenly spaced, at most ``KEPT_COUNT``.

    When there are too many, neighbours are merged, and from then on each entry stands for twice as many readings.
    """

    at_s: list[float] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    span: int = 1
    _last_holds: int = 0

    def add(self, at_s: float, reading: Reading) -> None:
        if self.readings and self._last_holds < self.span:
            self.readings[-1], self.at_s[-1] = merged(self.readings[-1], reading), at_s
            self._last_holds += 1
            return
        if len(self.readings) >= KEPT_COUNT:
            self.at_s[:] = self.at_s[1::2]
            self.readings[:] = [merged(*pair) for pair in zip(self.readings[::2], self.readings[1::2], strict=True)]
            self.span *= 2
        self.readings.append(reading)
        self.at_s.append(at_s)
        self._last_holds = 1
