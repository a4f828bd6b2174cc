"""How values of samples become the value of a trial and of a cell: the kinds of rows in the table of ``metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from llmtester.analysis.formulas import Parts, Value
from llmtester.analysis.quality.statistics import wilson
from llmtester.analysis.state import CellState, Growth, Trial
from llmtester.analysis.stats import median, median_interval, ratio_interval
from llmtester.analysis.summary import Estimate, Measured, MetricInfo
from llmtester.domain.records import Absent, Sample

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
        values, reason = present(self.value(sample) for sample in samples if sample.ok and sample.timed)
        return median(values) if values else Absent(reason)

    def of_cell(self, cell: CellState) -> Measured:
        values, reason = present(self.of_trial(trial.samples) for trial in self.trials(cell))
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
        sums, reason = present(self._summed(trial.samples) for trial in cell.trials)
        if not sums:
            return Absent(reason)
        above, below = [a for a, _ in sums], [b for _, b in sums]
        low, high = ratio_interval(above, below) or (None, None)
        return Estimate(sum(above) / sum(below), low, high, len(sums))

    def _summed(self, samples: Sequence[Sample]) -> Parts:
        parts, reason = present(self.parts(sample) for sample in samples if sample.ok and sample.timed)
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
        values, reason = present(self.value(sample) for sample in samples if sample.ok and sample.timed)
        return max(values) if values else Absent(reason)

    def of_cell(self, cell: CellState) -> Measured:
        values, reason = present(self.of_trial(trial.samples) for trial in cell.trials)
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


def present(values: Iterable[T | Absent]) -> tuple[list[T], str]:
    """The values that exist, and why the others do not."""
    kept: list[T] = []
    reason = "nothing was measured"
    for value in values:
        if isinstance(value, Absent):
            reason = value.reason
        else:
            kept.append(value)
    return kept, reason
