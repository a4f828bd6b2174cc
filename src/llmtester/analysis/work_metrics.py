"""Metrics of whole trials and whole cells: work done in a time, facts found right, what changed over the work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from llmtester.analysis import formulas, stress
from llmtester.analysis.formulas import Value
from llmtester.analysis.quality.statistics import wilson
from llmtester.analysis.state import CellState, Trial
from llmtester.analysis.stats import coefficient_of_variation, median, median_interval, ratio_interval
from llmtester.analysis.summary import Estimate, Measured, MetricInfo
from llmtester.analysis.trend import theil_sen
from llmtester.domain.records import Absent, Sample

TREND_LEAST_DOCUMENTS = 8
"""Fewer documents have no trend that could be told from chance."""


@dataclass(frozen=True, slots=True)
class OverWall:
    """What the answers of a trial amount to, over the time from its first request to its last answer; sums of both."""

    info: MetricInfo
    amount: Callable[[Sample], float]

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        parts = self._parts(samples)
        return parts if isinstance(parts, Absent) else parts[0] / parts[1]

    def of_cell(self, cell: CellState) -> Measured:
        parts = [self._parts(trial.samples) for trial in cell.trials]
        known = [part for part in parts if not isinstance(part, Absent)]
        if not known:
            return next((part for part in parts if isinstance(part, Absent)), Absent("it was not measured"))
        amounts, walls = [amount for amount, _ in known], [wall for _, wall in known]
        low, high = ratio_interval(amounts, walls) or (None, None)
        return Estimate(sum(amounts) / sum(walls), low, high, len(known))

    def _parts(self, samples: Sequence[Sample]) -> tuple[float, float] | Absent:
        amount = sum(self.amount(sample) for sample in samples if sample.ok and sample.timed)
        wall_s = Trial(0, 0, tuple(samples)).wall_s
        return (amount, wall_s) if amount and wall_s else Absent("nothing of the kind was answered")


@dataclass(frozen=True, slots=True)
class OfCell:
    """What only the whole of a cell tells."""

    info: MetricInfo
    value: Callable[[CellState], Measured]

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        return Absent("a single trial does not tell it")

    def of_cell(self, cell: CellState) -> Measured:
        return self.value(cell)


@dataclass(frozen=True, slots=True)
class FactsShare:
    """Facts that were found right over facts that were asked for.

    Wilson's interval over as many facts as would tell as much if they were independent: those of one document stand or
    fall together, so their number is divided by the design effect (Kish, Survey Sampling, 1965, chapter 5).
    """

    info: MetricInfo

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        counts = _facts(samples)
        asked = sum(n for _, n in counts)
        return sum(right for right, _ in counts) / asked if asked else Absent("no facts were asked for")

    def of_cell(self, cell: CellState) -> Measured:
        counts = _facts([sample for trial in cell.trials for sample in trial.samples])
        right, asked = facts_counts(cell)
        if not asked:
            return Absent("no facts were asked for")
        share = right / asked
        independent = max(1, round(asked / _design_effect(counts, share, asked)))
        low, high = wilson(round(share * independent), independent)
        return Estimate(share, min(low, share), max(high, share), len(cell.trials))


def _facts(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    """Right and asked facts of each document. A document without an answer has none right."""
    asked = max((s.grade.facts_asked_count or 0 for s in samples if s.grade), default=0)
    if not asked:
        return []
    return [
        (sample.grade.facts_right_count or 0, sample.grade.facts_asked_count or asked) if sample.grade else (0, asked)
        for sample in samples
    ]


def facts_counts(cell: CellState) -> tuple[int, int]:
    """Facts that were found right and facts that were asked for in the measured trials."""
    counts = _facts([sample for trial in cell.trials for sample in trial.samples])
    return sum(right for right, _ in counts), sum(asked for _, asked in counts)


def _design_effect(counts: Sequence[tuple[int, int]], share: float, asked: int) -> float:
    """Variance of the share over documents, over that of independent facts; between 1 and the facts of a document."""
    n = len(counts)
    most = asked / n
    if n < 2 or share in {0.0, 1.0}:
        return most
    variance = n / (n - 1) * sum((right - share * of) ** 2 for right, of in counts) / asked**2
    return min(most, max(1.0, variance / (share * (1 - share) / asked)))


def is_document(sample: Sample) -> bool:
    return sample.grade is not None and sample.grade.facts_asked_count is not None


def _documents(cell: CellState) -> list[Sample]:
    """Answered documents in the order in which they were sent."""
    return [
        sample
        for trial in cell.trials
        for sample in sorted(trial.samples, key=lambda sample: sample.sent_ns)
        if sample.ok and is_document(sample)
    ]


_NO_DOCUMENTS = Absent("no documents were worked on")


def _document_s(cell: CellState) -> Measured:
    spent = [(sample.ended_ns - sample.sent_ns) / 1e9 for sample in _documents(cell)]
    if not spent:
        return _NO_DOCUMENTS
    low, high = median_interval(spent) or (None, None)
    return Estimate(median(spent), low, high, len(cell.trials))


def _document_spread(cell: CellState) -> Measured:
    spent = [(sample.ended_ns - sample.sent_ns) / 1e9 for sample in _documents(cell)]
    spread = coefficient_of_variation(spent)
    return _NO_DOCUMENTS if spread is None else Estimate(spread, None, None, len(cell.trials))


def _speed_change(cell: CellState) -> Measured:
    parts = [formulas.decode_parts(sample) for sample in _documents(cell)]
    logs = [math.log(part[0] / part[1]) for part in parts if not isinstance(part, Absent) and min(part) > 0]
    length = len(logs) - 1
    slope = theil_sen(range(len(logs)), logs) if len(logs) >= TREND_LEAST_DOCUMENTS else None
    if slope is None:
        return Absent("too few documents were worked on")
    low, high = (None if end is None else math.expm1(end * length) for end in (slope.low, slope.high))
    return Estimate(math.expm1(slope.value * length), low, high, len(cell.trials))


def _memory_change(cell: CellState) -> Measured:
    sizes = [r.server_anonymous_bytes for _, r in stress.readings(cell) if r.server_anonymous_bytes is not None]
    third = len(sizes) // 3
    if not third:
        return Absent("too few readings, or this platform does not tell it")
    return Estimate(float(median(sizes[-third:]) - median(sizes[:third])), None, None, len(cell.trials))


def _continuous(value: Callable[[CellState], Measured]) -> Callable[[CellState], Measured]:
    def of(cell: CellState) -> Measured:
        return Absent("only work without a pause tells it") if cell.cell.load.duration_s is None else value(cell)

    return of


def _info(name: str, title: str, unit: str, better: Literal["higher", "lower", "neither"], formula: str) -> MetricInfo:
    return MetricInfo(name, title, unit, better, formula)


ROWS = (
    OverWall(
        _info(
            "throughput_tok_per_s",
            "Output of all requests together",
            "tok/s",
            "higher",
            "sum of N over sum of (last answer - first t0) of the trials; waiting and reading included",
        ),
        lambda sample: float(sample.completion_tok),
    ),
    OverWall(
        _info(
            "documents_per_hour",
            "Documents an hour",
            "1/h",
            "higher",
            "answered documents over sum of (last answer - first t0) of the trials",
        ),
        lambda sample: 3600.0 if is_document(sample) else 0.0,
    ),
    OfCell(
        _info("document_s", "Time for a document", "s", "lower", "end of the answer - t0, median over documents"),
        _document_s,
    ),
    OfCell(
        _info(
            "document_spread_ratio",
            "Spread of the time for a document",
            "",
            "lower",
            "standard deviation (n - 1) of the times for a document over their mean",
        ),
        _document_spread,
    ),
    FactsShare(
        _info(
            "facts_ratio",
            "Facts found right",
            "",
            "higher",
            "facts found right over facts asked for; Wilson's interval, corrected for facts of the same document",
        ),
    ),
    OfCell(
        _info(
            "speed_change_ratio",
            "Change of the writing speed over the documents",
            "",
            "neither",
            "median slope (Theil-Sen) of the logarithm of the writing speed over the order of the documents, from the "
            "first to the last one",
        ),
        _speed_change,
    ),
    OfCell(
        _info(
            "memory_change_bytes",
            "Change of the server's memory over the work",
            "B",
            "lower",
            "anonymous memory of the server, median of the last third of the readings - median of the first third",
        ),
        _memory_change,
    ),
    OfCell(
        _info(
            "sustained_tok_per_s",
            "Writing speed after the first minute, once it is steady",
            "tok/s",
            "higher",
            "tokens over the time between them in slices of 10 s, from where no trend is seen (else the last third)",
        ),
        _continuous(lambda cell: stress.speeds(cell).sustained),
    ),
    OfCell(
        _info(
            "sustained_ratio",
            "Share of the first minute's speed that is kept",
            "",
            "higher",
            "sustained writing speed over that of the first minute",
        ),
        _continuous(lambda cell: stress.speeds(cell).ratio),
    ),
    OfCell(
        _info(
            "memory_growth_bytes_per_hour",
            "Growth of the server's memory",
            "B/h",
            "lower",
            "median slope (Theil-Sen) of its anonymous memory from the second minute on",
        ),
        _continuous(stress.growth_bytes_per_hour),
    ),
)
