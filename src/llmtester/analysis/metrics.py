"""Every metric, once: a row with its unit, its direction, its formula in words and the code that computes it.

Notation in the formulas: t0 is the moment before the request is written, t_first and t_last the arrivals of the first
and last event that carried output, N the generated tokens as the server counts them, n1 the tokens in the first event.
Warm-up trials never enter a metric, except ``ttft_cold_ms``, which is made of them. Failed requests enter only
``failed_ratio``, and requests that were asked for their content alone only that and ``accuracy_ratio``. A prompt that
was served from a cache, although that was not allowed, has no meaningful prefill, so it is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from llmtester.analysis import formulas, work_metrics
from llmtester.analysis.formulas import Parts, Value
from llmtester.analysis.quality.statistics import wilson
from llmtester.analysis.state import CellState, Growth, Trial
from llmtester.analysis.stats import coefficient_of_variation, median, median_interval, outliers, ratio_interval
from llmtester.analysis.summary import Estimate, Measured, MetricInfo
from llmtester.domain.records import Absent, Sample

Direction: TypeAlias = Literal["higher", "lower", "neither"]
T = TypeVar("T")


class Metric(Protocol):
    @property
    def info(self) -> MetricInfo: ...

    def of_trial(self, samples: Sequence[Sample]) -> Value: ...

    def of_cell(self, cell: CellState) -> Measured: ...


@dataclass(frozen=True, slots=True)
class MedianOfTrials:
    """Median over trials of the median over the samples of a trial, with the interval of ``stats.median_interval``."""

    info: MetricInfo
    value: Callable[[Sample], Value]
    trials: Callable[[CellState], Sequence[Trial]] = lambda cell: cell.trials

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        values, reason = _present(self.value(sample) for sample in samples if sample.ok and sample.timed)
        return median(values) if values else Absent(reason)

    def of_cell(self, cell: CellState) -> Measured:
        values, reason = _present(self.of_trial(trial.samples) for trial in self.trials(cell))
        if not values:
            return Absent(reason)
        low, high = median_interval(values) or (None, None)
        return Estimate(median(values), low, high, len(values))


@dataclass(frozen=True, slots=True)
class RatioOfSums:
    """Sum of numerators over sum of denominators, so that long samples weigh more; never a mean of ratios."""

    info: MetricInfo
    parts: Callable[[Sample], Parts]

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        summed = self._summed(samples)
        return summed if isinstance(summed, Absent) else summed[0] / summed[1]

    def of_cell(self, cell: CellState) -> Measured:
        sums, reason = _present(self._summed(trial.samples) for trial in cell.trials)
        if not sums:
            return Absent(reason)
        above, below = [a for a, _ in sums], [b for _, b in sums]
        low, high = ratio_interval(above, below) or (None, None)
        return Estimate(sum(above) / sum(below), low, high, len(sums))

    def _summed(self, samples: Sequence[Sample]) -> Parts:
        parts, reason = _present(self.parts(sample) for sample in samples if sample.ok and sample.timed)
        below = sum(b for _, b in parts)
        if not parts or below <= 0:
            return Absent(reason)
        return sum(a for a, _ in parts), below


@dataclass(frozen=True, slots=True)
class Highest:
    """The worst value that was seen. An extreme has no interval."""

    info: MetricInfo
    value: Callable[[Sample], Value]

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        values, reason = _present(self.value(sample) for sample in samples if sample.ok and sample.timed)
        return max(values) if values else Absent(reason)

    def of_cell(self, cell: CellState) -> Measured:
        values, reason = _present(self.of_trial(trial.samples) for trial in cell.trials)
        return Estimate(max(values), None, None, len(values)) if values else Absent(reason)


@dataclass(frozen=True, slots=True)
class FailedShare:
    """Failed requests over all requests of the measured trials."""

    info: MetricInfo

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        return sum(not sample.ok for sample in samples) / len(samples) if samples else Absent("no request was sent")

    def of_cell(self, cell: CellState) -> Measured:
        share = self.of_trial([sample for trial in cell.trials for sample in trial.samples])
        return share if isinstance(share, Absent) else Estimate(share, None, None, len(cell.trials))


@dataclass(frozen=True, slots=True)
class HighestGrowth:
    """The largest growth that the readings during one trial show. An extreme has no interval."""

    info: MetricInfo
    value: Callable[[Growth], int | None]

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        return Absent("samples do not tell it")

    def of_cell(self, cell: CellState) -> Measured:
        values = [self.value(trial.growth) for trial in cell.trials if trial.growth is not None]
        known = [value for value in values if value is not None]
        if not known:
            return Absent("no trial lasted for two readings, or this platform does not tell it")
        return Estimate(float(max(known)), None, None, len(known))


@dataclass(frozen=True, slots=True)
class SpreadOfTrials:
    """Coefficient of variation of another metric over trials: how much the same request varies."""

    info: MetricInfo
    of: str

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        return Absent("one trial has no spread")

    def of_cell(self, cell: CellState) -> Measured:
        values, _ = _present(METRICS[self.of].of_trial(trial.samples) for trial in cell.trials)
        spread = coefficient_of_variation(values)
        return Absent("a spread needs two trials") if spread is None else Estimate(spread, None, None, len(values))


@dataclass(frozen=True, slots=True)
class RightShare:
    """Answers that their profile graded as right, over all that it graded, with Wilson's interval over answers."""

    info: MetricInfo

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        right, graded = _graded(samples)
        return right / graded if graded else Absent("no answer was graded")

    def of_cell(self, cell: CellState) -> Measured:
        right, graded = _graded([sample for trial in cell.trials for sample in trial.samples])
        if not graded:
            return Absent("no answer was graded")
        low, high = wilson(right, graded)
        return Estimate(right / graded, low, high, len(cell.trials))


def _graded(samples: Sequence[Sample]) -> tuple[int, int]:
    grades = [sample.grade for sample in samples if sample.ok and sample.grade is not None]
    return sum(grade.score >= 1.0 for grade in grades), len(grades)


def _present(values: Iterable[T | Absent]) -> tuple[list[T], str]:
    """The values that exist, and why the others do not."""
    kept: list[T] = []
    reason = "nothing was measured"
    for value in values:
        if isinstance(value, Absent):
            reason = value.reason
        else:
            kept.append(value)
    return kept, reason


def _first_of_each_launch(cell: CellState) -> Sequence[Trial]:
    firsts: dict[int, Trial] = {}
    for trial in cell.warmups:
        firsts.setdefault(trial.launch, trial)
    return tuple(firsts.values())


def _info(name: str, title: str, unit: str, better: Direction, formula: str) -> MetricInfo:
    return MetricInfo(name, title, unit, better, formula)


METRICS: Mapping[str, Metric] = {
    metric.info.name: metric
    for metric in (
        MedianOfTrials(
            _info("ttft_ms", "Time to first token", "ms", "lower", "t_first - t0, median over trials"),
            formulas.ttft_ms,
        ),
        MedianOfTrials(
            _info(
                "ttft_cold_ms",
                "Time to first token, first request after a start",
                "ms",
                "lower",
                "t_first - t0 of the first warm-up request of each server start, median over starts",
            ),
            formulas.ttft_ms,
            _first_of_each_launch,
        ),
        RatioOfSums(
            _info(
                "decode_tok_per_s",
                "Writing speed",
                "tok/s",
                "higher",
                "sum of (N - n1) over sum of (t_last - t_first); the end token is left out of N, n1 is 1 unless the "
                "server bundles tokens",
            ),
            formulas.decode_parts,
        ),
        RatioOfSums(
            _info(
                "server_decode_tok_per_s",
                "Writing speed by the server's own clock",
                "tok/s",
                "higher",
                "sum of (predicted tokens - 1) over sum of the predicted time that the server reports",
            ),
            formulas.server_decode_parts,
        ),
        RatioOfSums(
            _info(
                "prefill_tok_per_s",
                "Reading speed",
                "tok/s",
                "higher",
                "sum of evaluated prompt tokens over sum of prompt time, both as the server reports them",
            ),
            formulas.prefill_parts,
        ),
        MedianOfTrials(
            _info(
                "overhead_ms",
                "Time to first token beyond the server's own prompt time",
                "ms",
                "lower",
                "time to first token - prompt time reported by the server (queue, HTTP and template), median over "
                "trials",
            ),
            formulas.overhead_ms,
        ),
        MedianOfTrials(
            _info(
                "itl_p50_ms",
                "Gap between tokens, typical",
                "ms",
                "lower",
                "median of the gaps between events of a request, median over trials",
            ),
            formulas.gap_percentile(50),
        ),
        MedianOfTrials(
            _info(
                "itl_p95_ms",
                "Gap between tokens, 95th percentile",
                "ms",
                "lower",
                "95th percentile of the gaps of a request (59 gaps at least), median over trials",
            ),
            formulas.gap_percentile(95),
        ),
        Highest(
            _info("itl_max_ms", "Longest stall", "ms", "lower", "longest gap between two events in any request"),
            formulas.longest_gap_ms,
        ),
        MedianOfTrials(
            _info("e2e_ms", "Whole answer", "ms", "lower", "t_last - t0, median over trials"),
            formulas.e2e_ms,
        ),
        RatioOfSums(
            _info(
                "tokens_per_chunk",
                "Tokens per event",
                "tok",
                "neither",
                "visible tokens over events that carried output; 1 means that gaps are times between tokens",
            ),
            formulas.tokens_per_chunk_parts,
        ),
        MedianOfTrials(
            _info("prompt_tok", "Prompt length", "tok", "neither", "prompt tokens counted by the server, median"),
            formulas.prompt_tok,
        ),
        MedianOfTrials(
            _info("completion_tok", "Answer length", "tok", "neither", "N, median over trials"),
            formulas.completion_tok,
        ),
        RightShare(
            _info(
                "accuracy_ratio",
                "Right answers",
                "",
                "higher",
                "answers graded as right over all graded answers; Wilson's interval",
            ),
        ),
        RatioOfSums(
            _info(
                "cached_ratio",
                "Share of the prompt from the cache",
                "",
                "neither",
                "sum of cached prompt tokens over sum of prompt tokens, both as the server reports them",
            ),
            formulas.cached_parts,
        ),
        HighestGrowth(
            _info(
                "memory_growth_bytes",
                "Memory that a trial added",
                "B",
                "lower",
                "anonymous memory of the server, highest reading of a trial - its first one, largest over trials",
            ),
            lambda growth: growth.memory_bytes,
        ),
        HighestGrowth(
            _info(
                "swap_growth_bytes",
                "Swap that a trial added",
                "B",
                "lower",
                "swap in use on the machine, highest reading of a trial - its first one, largest over trials",
            ),
            lambda growth: growth.swap_bytes,
        ),
        SpreadOfTrials(
            _info(
                "ttft_spread_ratio",
                "Spread of the time to first token",
                "",
                "lower",
                "sample standard deviation of the time to first token over trials / its mean",
            ),
            "ttft_ms",
        ),
        SpreadOfTrials(
            _info(
                "decode_spread_ratio",
                "Spread of the writing speed",
                "",
                "lower",
                "sample standard deviation of the writing speed over trials / its mean",
            ),
            "decode_tok_per_s",
        ),
        FailedShare(
            _info("failed_ratio", "Failed requests", "", "lower", "failed requests over all requests of the trials"),
        ),
        *work_metrics.ROWS,
    )
}


class MetricsCollector:
    """All metrics of one cell."""

    def __init__(self, cell: CellState) -> None:
        self._cell = cell

    def collect(self) -> dict[str, Measured]:
        """Each metric by name, ``Absent`` with its reason where it could not be computed."""
        return {name: metric.of_cell(self._cell) for name, metric in METRICS.items()}

    def outliers(self) -> dict[str, tuple[int, ...]]:
        """For each metric that has any, the numbers of the trials whose value does not belong to the rest."""
        found: dict[str, tuple[int, ...]] = {}
        for name, metric in METRICS.items():
            valued = [(trial.number, metric.of_trial(trial.samples)) for trial in self._cell.trials]
            known = [(number, value) for number, value in valued if not isinstance(value, Absent)]
            odd = outliers([value for _, value in known])
            if odd:
                found[name] = tuple(known[index][0] for index in odd)
        return found

    def per_trial(self) -> dict[str, tuple[float, ...]]:
        """Each metric's value per measured trial, in order; trials without a value are left out."""
        found: dict[str, tuple[float, ...]] = {}
        for name, metric in METRICS.items():
            values = (metric.of_trial(trial.samples) for trial in self._cell.trials)
            found[name] = tuple(value for value in values if not isinstance(value, Absent))
        return found
