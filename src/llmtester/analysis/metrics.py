"""Every metric, once: a row with its unit, its direction, its formula in words and the code that computes it.

Notation in the formulas: t0 is the moment before the request is written, t_first and t_last the arrivals of the first
and last event that carried output, N the generated tokens as the server counts them, n1 the tokens in the first event.
Warm-up trials never enter a metric, except ``ttft_cold_ms``, which is made of them. Failed requests enter only
``failed_ratio``, and requests that were asked for their content alone only that and ``accuracy_ratio``. A prompt that
was served from a cache, although that was not allowed, has no meaningful prefill, so it is refused there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.analysis import formulas, work_metrics
from llmtester.analysis.estimators import (
    FailedShare,
    Highest,
    HighestGrowth,
    MedianOfTrials,
    Metric,
    RatioOfSums,
    RightShare,
    present,
)
from llmtester.analysis.formulas import Value
from llmtester.analysis.state import CellState, Trial
from llmtester.analysis.stats import coefficient_of_variation, outliers
from llmtester.analysis.summary import Estimate, Measured, MetricInfo
from llmtester.domain.records import Absent, Sample

Direction: TypeAlias = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class SpreadOfTrials:
    """Coefficient of variation of another metric over trials: how much the same request varies."""

    info: MetricInfo
    of: str

    def of_trial(self, samples: Sequence[Sample]) -> Value:
        return Absent("one trial has no spread")

    def of_cell(self, cell: CellState) -> Measured:
        values, _ = present(METRICS[self.of].of_trial(trial.samples) for trial in cell.trials)
        spread = coefficient_of_variation(values)
        return Absent("a spread needs two trials") if spread is None else Estimate(spread, None, None, len(values))


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


def of_cell(name: str, cell: CellState) -> Measured:
    """One metric of a cell, as ``METRICS[name].of_cell`` has it.

    Status, advice, forecast and doubts all ask for the same few; each is computed once for the trials that there are.
    """
    known, trials_count = cell.remembered, len(cell.trials) + len(cell.warmups)
    if known.trials_count != trials_count:
        known.trials_count = trials_count
        known.by_metric.clear()
    if name not in known.by_metric:
        known.by_metric[name] = METRICS[name].of_cell(cell)
    found: Measured = known.by_metric[name]
    return found


class MetricsCollector:
    """All metrics of one cell."""

    def __init__(self, cell: CellState) -> None:
        self._cell = cell

    def collect(self) -> dict[str, Measured]:
        """Each metric by name, ``Absent`` with its reason where it could not be computed."""
        return {name: of_cell(name, self._cell) for name in METRICS}

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
