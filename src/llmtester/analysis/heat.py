"""Throttling told apart from noise: by the kernel's counters, by what a GPU says, or by clock and temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from llmtester.analysis.stats import median
from llmtester.domain.records import Reading

HOT_C = 80.0
WARMER_C = 10.0
SLOWER_CLOCK_RATIO = 0.95
"""A clock that lost 5 % while the processor is hot, or got 10 degrees warmer, was lowered for heat."""

Throttling: TypeAlias = Literal["seen", "not seen", "cannot tell"]


def temperature_c(reading: Reading) -> float | None:
    """The higher of processor and GPU."""
    known = [value for value in (reading.temperature_c, reading.gpu_temperature_c) if value is not None]
    return max(known, default=None)


def throttle_count(reading: Reading) -> int | None:
    """How often the kernel throttled since the reading before; cores and packages together."""
    counts = (reading.throttled_cores_count, reading.throttled_packages_count)
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def judge(watched: Sequence[tuple[float, Reading]], first_s: float) -> tuple[Throttling, str]:
    """Whether heat slowed the work down after its first ``first_s`` seconds, and what was observed."""
    looks = [reading for _, reading in watched]
    counts = [count for reading in looks if (count := throttle_count(reading)) is not None]
    if sum(counts):
        return "seen", f"the kernel throttled the processor {sum(counts)} times"
    gpu = [reading.gpu_throttled for reading in looks if reading.gpu_throttled is not None]
    if any(gpu):
        return "seen", "the GPU says that it slowed down for heat"
    clock = _typical(watched, first_s, lambda reading: reading.frequency_mhz)
    heat = _typical(watched, first_s, temperature_c)
    if clock and clock[1] < SLOWER_CLOCK_RATIO * clock[0]:
        fell = f"the clock fell from {clock[0] / 1e3:.1f} to {clock[1] / 1e3:.1f} GHz"
        if heat and (heat[1] >= HOT_C or heat[1] - heat[0] >= WARMER_C):
            return "seen", f"{fell} while the temperature went from {heat[0]:.0f} to {heat[1]:.0f} °C"
        return "cannot tell", f"{fell}, but nothing says that it was for heat"
    if counts or gpu:
        return "not seen", "the throttle counters did not move"
    if clock:
        return "not seen", f"the clock stayed at {clock[1] / 1e3:.1f} GHz"
    return "cannot tell", "this machine shows neither its clock nor throttle counters"


def _typical(
    watched: Sequence[tuple[float, Reading]], first_s: float, value: Callable[[Reading], float | None]
) -> tuple[float, float] | None:
    """The medians of the first seconds and of the last third of the rest; ``None`` where either is missing."""
    known = [(at_s, found) for at_s, reading in watched if (found := value(reading)) is not None]
    first = [found for at_s, found in known if at_s < first_s]
    rest = [found for at_s, found in known if at_s >= first_s]
    last = rest[len(rest) * 2 // 3 :]
    return (median(first), median(last)) if first and last else None
