"""What continuous work did: speed over time, where it settled, what slowed it down, whether memory leaked. Pure.

The unit is a slice of ten seconds: tokens after the first of each answer, over the time between their arrivals. Slices
that follow each other resemble each other, so trends are those of the medians of at most thirty blocks of slices.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmtester.analysis import endurance, formulas, heat
from llmtester.analysis.state import CellState, Trial
from llmtester.analysis.stats import ratio_interval
from llmtester.analysis.stress_sentences import sentence
from llmtester.analysis.summary import Curve, CurvePoint, Estimate, Measured, StressResult
from llmtester.analysis.trend import Slope, block_medians, mann_kendall, theil_sen
from llmtester.domain.records import Absent, Reading, Sample

SLICE_S = 10.0
SLICES_MOST = 360
"""Work of more than an hour is cut into longer slices."""

FIRST_S = 60.0
"""The first minute, before a cooler is saturated, is what the rest is compared with."""

BLOCKS_COUNT = 30
STEADY_LEAST_BLOCKS = 5
"""The fewest blocks in which a trend can be seen at all (exact Mann-Kendall test)."""

STEADY_LEAST_SHARE = 1 / 3
"""A speed that settled later than in the last third has not been seen to be steady."""

STEADY_SIGNIFICANCE = 0.05
LEAK_LEAST_S = 60.0
"""Memory is watched from the second minute on, when the context has been used once; for so long at least."""

_NO_WORK = Absent("no continuous work was measured")


@dataclass(frozen=True, slots=True)
class Slice:
    """Tokens that arrived in ten seconds of work, whose middle is ``at_s``, and the seconds that they took."""

    at_s: float
    tok: float
    taken_s: float

    @property
    def tok_per_s(self) -> float:
        return self.tok / self.taken_s


@dataclass(frozen=True, slots=True)
class Speeds:
    """The speed of one cell over its work; see ``summary.StressResult``."""

    slices: tuple[Slice, ...]
    first_minute: Measured = _NO_WORK
    sustained: Measured = _NO_WORK
    ratio: Measured = _NO_WORK
    drift: Measured = _NO_WORK
    steady_from_s: Measured = _NO_WORK


def result(cell: CellState) -> StressResult:
    """Everything that is known of the continuous work of one cell."""
    found = speeds(cell)
    watched = readings(cell)
    throttling, because = heat.judge(watched, FIRST_S)
    growth = growth_bytes_per_hour(cell)
    ended = endurance.ended(cell) or ""
    duration_s = endurance.worked_s(cell)
    return StressResult(
        cell=cell.cell.key,
        target=cell.cell.target.key,
        duration_s=duration_s,
        ended=ended,
        first_minute_tok_per_s=found.first_minute,
        sustained_tok_per_s=found.sustained,
        sustained_ratio=found.ratio,
        drift_ratio=found.drift,
        steady_from_s=found.steady_from_s,
        throttling=throttling,
        throttling_because=because,
        growth_bytes_per_hour=growth,
        energy_j_per_tok=energy_j_per_tok(cell),
        sentence=sentence(duration_s, found.sustained, found.ratio, throttling, ended),
        speed_tok_per_s=tuple(CurvePoint(one.at_s, one.tok_per_s) for one in found.slices),
        temperature_c=_curve(watched, heat.temperature_c),
        frequency_mhz=_curve(watched, lambda reading: reading.frequency_mhz),
        memory_bytes=_curve(watched, lambda reading: reading.server_rss_bytes),
        power_w=_curve(watched, lambda reading: _total(reading.cpu_power_w, reading.gpu_power_w)),
        throttle_count=_curve(watched, heat.throttle_count),
    )


def speeds(cell: CellState) -> Speeds:
    """Speed of the first minute, of the part after which nothing changes any more, and the trend over all of it."""
    found = slices(cell)
    first = [one for one in found if one.at_s < FIRST_S]
    rest = [one for one in found if one.at_s >= FIRST_S]
    if not first:
        return Speeds(tuple(found))
    at_s, logs = _blocks(found)
    steady = _steady_from_s(at_s, logs)
    from_s = steady.value if isinstance(steady, Estimate) else found[-1].at_s * (1 - STEADY_LEAST_SHARE)
    first_minute = _rate(first)
    settled = [one for one in rest if one.at_s >= from_s]
    sustained = _rate(settled) if settled else Absent("the work lasted no longer than the first minute")
    return Speeds(
        tuple(found),
        first_minute,
        sustained,
        _quotient(sustained, first_minute),
        _change(theil_sen(at_s, logs), found[-1].at_s),
        steady,
    )


def slices(cell: CellState) -> list[Slice]:
    """Writing speed over time, added up over the requests in flight; slices in which nothing arrived are left out."""
    if not cell.trials:
        return []
    began_s = cell.trials[0].began_s
    last = cell.trials[-1]
    width_s = max(SLICE_S, (last.began_s + last.wall_s - began_s) / SLICES_MOST)
    sums: dict[int, list[float]] = {}
    for trial in cell.trials:
        origin_ns = _origin_ns(trial)
        for sample in trial.samples:
            if sample.ok:
                _add(sums, sample, trial.began_s - began_s + (sample.sent_ns - origin_ns) / 1e9, width_s)
    streams = cell.cell.load.concurrency
    return [
        Slice((index + 0.5) * width_s, tok * streams, taken_s)
        for index, (tok, taken_s) in sorted(sums.items())
        if taken_s > 0
    ]


def _origin_ns(trial: Trial) -> int:
    return min((sample.sent_ns for sample in trial.samples), default=0)


def _add(sums: dict[int, list[float]], sample: Sample, sent_s: float, width_s: float) -> None:
    """Each gap between two arrivals belongs to the slice in which it ended."""
    parts = formulas.decode_parts(sample)
    if isinstance(parts, Absent):
        return
    arrivals = sample.arrivals_ns
    tok_per_gap = parts[0] / (len(arrivals) - 1)
    start = 1
    while start < len(arrivals):
        index = int((sent_s + arrivals[start] / 1e9) / width_s)
        edge_ns = ((index + 1) * width_s - sent_s) * 1e9
        end = max(start + 1, bisect_left(arrivals, edge_ns, lo=start))
        entry = sums.setdefault(index, [0.0, 0.0])
        entry[0] += (end - start) * tok_per_gap
        entry[1] += (arrivals[end - 1] - arrivals[start - 1]) / 1e9
        start = end


def _blocks(found: Sequence[Slice]) -> tuple[list[float], list[float]]:
    """Middles of the blocks in seconds, and the logarithms of their median speeds."""
    medians = block_medians([one.tok_per_s for one in found], BLOCKS_COUNT)
    return block_medians([one.at_s for one in found], BLOCKS_COUNT), [math.log(value) for value in medians]


def _steady_from_s(at_s: Sequence[float], logs: Sequence[float]) -> Measured:
    """The first block from which on no trend can be seen."""
    least = max(STEADY_LEAST_BLOCKS, math.ceil(len(logs) * STEADY_LEAST_SHARE))
    if len(logs) < least:
        return Absent("the work was too short to tell when it became steady")
    for start in range(len(logs) - least + 1):
        if mann_kendall(logs[start:]).p_value >= STEADY_SIGNIFICANCE:
            return Estimate(at_s[start] if start else 0.0, None, None, len(logs) - start)
    return Absent("the speed was still changing at the end")


def _rate(found: Sequence[Slice]) -> Estimate:
    tok, taken_s = [one.tok for one in found], [one.taken_s for one in found]
    low, high = ratio_interval(tok, taken_s) or (None, None)
    return Estimate(sum(tok) / sum(taken_s), low, high, len(found))


def _quotient(one: Measured, other: Estimate) -> Measured:
    """The ratio of two independent speeds; their relative half-widths add in squares."""
    if isinstance(one, Absent):
        return one
    ratio = one.value / other.value
    if one.high is None or other.high is None:
        return Estimate(ratio, None, None, one.trials_count)
    half_ln = math.hypot(math.log(one.high / one.value), math.log(other.high / other.value))
    return Estimate(ratio, ratio * math.exp(-half_ln), ratio * math.exp(half_ln), one.trials_count)


def _change(slope: Slope | None, length_s: float) -> Measured:
    """What a slope of a logarithm comes to over the whole length, as a share."""
    if slope is None:
        return Absent("the work was too short to have a trend")
    low, high = (None if end is None else math.expm1(end * length_s) for end in (slope.low, slope.high))
    return Estimate(math.expm1(slope.value * length_s), low, high, slope.points_count)


def readings(cell: CellState) -> list[tuple[float, Reading]]:
    """The readings during its measured trials, with seconds since the first one began."""
    if not cell.trials:
        return []
    began_s, last = cell.trials[0].began_s, cell.trials[-1]
    ended_s = last.began_s + last.wall_s
    pairs = zip(cell.watched.at_s, cell.watched.readings, strict=True)
    return [(at_s - began_s, reading) for at_s, reading in pairs if began_s <= at_s <= ended_s + 1.0]


def growth_bytes_per_hour(cell: CellState) -> Measured:
    """The slope of the server's own memory from the second minute on: what a leak would be."""
    points = [
        (at_s / 3600, float(reading.server_anonymous_bytes))
        for at_s, reading in readings(cell)
        if at_s >= FIRST_S and reading.server_anonymous_bytes is not None
    ]
    hours, sizes = [at_hours for at_hours, _ in points], [size for _, size in points]
    for_long = bool(hours) and (hours[-1] - hours[0]) * 3600 >= LEAK_LEAST_S
    slope = theil_sen(block_medians(hours, BLOCKS_COUNT), block_medians(sizes, BLOCKS_COUNT)) if for_long else None
    if slope is None:
        return Absent("memory was not watched for long enough, or this platform does not tell it")
    return Estimate(slope.value, slope.low, slope.high, slope.points_count)


def energy_j_per_tok(cell: CellState) -> Measured:
    """Energy of processor and GPUs over the work, idle power included, for each generated token."""
    tok = sum(sample.completion_tok for trial in cell.trials for sample in trial.samples)
    spent = [_total(reading.cpu_energy_j, reading.gpu_energy_j) for _, reading in readings(cell)]
    known = [value for value in spent if value is not None]
    if not known or not tok:
        return Absent("this machine does not tell its energy")
    return Estimate(sum(known) / tok, None, None, len(cell.trials))


def _total(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _curve(watched: Sequence[tuple[float, Reading]], value: Callable[[Reading], float | None]) -> Curve:
    return tuple(CurvePoint(at_s, float(found)) for at_s, one in watched if (found := value(one)) is not None)
