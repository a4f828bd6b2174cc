"""Two runs side by side: which figures changed, and whether the change is real or within the noise.

The runs were made on different days, so their trials are not paired: a change counts as real if the two-sided
Mann-Whitney U test on the values of the trials shows it and the values differ by more than 3 %. A comparison makes many
tests; of the changes that it calls real 5 % may be wrong (Benjamini and Hochberg 1995), so two equal runs are called
different in 5 % of cases, however many cells they have. Cells are matched by what they are, not by where their files
lie; what else differs (machine, engine build, file, flags) is named.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from llmtester.analysis.summary import CellSummary, Estimate, Measured, MetricInfo, Summary, TargetSummary
from llmtester.domain.records import Absent
from llmtester.domain.work import Load

SIGNIFICANCE = 0.025
"""What holds 5 %: trials end when their spread looks small, which favours lucky samples. At 0.05 one test finds a
difference between equal cells in 7.5 % of cases; at 0.025 a whole comparison of two loads does in 3 % (460 pairs with
3 % noise, ``benchmarks.statistics_aa``)."""

SMALLEST_CHANGE_RATIO = 0.03
"""A smaller change is not worth acting on, however sure it is."""

Verdict: TypeAlias = Literal["better", "worse", "changed", "no difference shown", "too few trials to tell", "absent"]
UNJUDGED: Verdict = "no difference shown"
"""What a change is until the p of all others are known, and mostly after."""

Headlines: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one cell in both runs.

    ``change_ratio`` is after over before, minus one; ``p_value`` is two-sided and exact. ``changed`` stands for better
    or worse where the metric has no good direction, ``absent`` where a run has no value.
    """

    metric: MetricInfo
    before: Measured
    after: Measured
    change_ratio: float | Absent
    p_value: float | Absent
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell that both runs have. ``differences``: what about the model file, the build and the flags is not equal."""

    model: str
    quantization: str
    profile: str
    load: str
    engine: str
    before_key: str
    after_key: str
    differences: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``differences`` are those of machine and version; ``only_before`` and ``only_after`` cells without a partner."""

    before_run: str
    after_run: str
    differences: tuple[str, ...]
    cells: tuple[CellChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]


def compare(before: Summary, after: Summary, headlines: Headlines) -> Comparison:
    """The cells that both runs have, in the order of ``before``, with their deciding metrics (``headlines``: profile
    to metric names)."""
    pairs, only_before, only_after = _paired(before, after)
    info = {metric.name: metric for metric in (*before.metrics, *after.metrics)}
    old, new = ({target.key: target for target in run.targets} for run in (before, after))
    cells = [
        _cell_change(_Pair(a, b, old[a.target], new[b.target]), [info[name] for name in headlines.get(a.profile, ())])
        for a, b in pairs
    ]
    limit = discovery_limit([change.p_value for cell in cells for change in cell.changes if change.verdict == UNJUDGED])
    return Comparison(
        before_run=before.run_id,
        after_run=after.run_id,
        differences=tuple(_run_differences(before, after)),
        cells=tuple(replace(cell, changes=tuple(_judged(change, limit) for change in cell.changes)) for cell in cells),
        only_before=only_before,
        only_after=only_after,
    )


def mann_whitney_p(first: Sequence[float], second: Sequence[float]) -> float:
    """The exact two-sided p of the Mann-Whitney U test: the share of all ways to deal the pooled ranks that are at
    least as far from the middle as these. Ties have mid-ranks (Lehmann, Nonparametrics, 1975, section 1.4). 1.0 if one
    side is empty."""
    if not first or not second:
        return 1.0
    doubled = _doubled_mid_ranks([*first, *second])
    return _rank_sum_p(tuple(sorted(doubled)), len(first), sum(doubled[: len(first)]))


def discovery_limit(p_values: Sequence[float | Absent]) -> float:
    """The largest p that counts among these, so that of those that count at most 5 % are false (Benjamini and
    Hochberg 1995): the largest that is at most its rank's share of ``SIGNIFICANCE``. Below any p if none is."""
    known = sorted(p for p in p_values if not isinstance(p, Absent))
    return max((p for rank, p in enumerate(known, 1) if p <= SIGNIFICANCE * rank / len(known)), default=-1.0)


def smallest_p(first_count: int, second_count: int) -> float:
    """The p that two samples of these sizes reach if every value of one is above every value of the other."""
    return min(1.0, 2 / math.comb(first_count + second_count, first_count))


def _doubled_mid_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value among all; equal values share the mean of their ranks, so twice it is whole."""
    ordered = sorted(values)
    return [bisect_left(ordered, value) + bisect_right(ordered, value) + 1 for value in values]


@lru_cache(maxsize=1024)
def _rank_sum_p(doubled: tuple[int, ...], count: int, observed: int) -> float:
    """By recurrence over the ranks: how many choices of ``count`` of them have which sum. Integers, so that ties and
    the limit itself are compared exactly."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(count))]
    for rank in doubled:
        for size in range(count, 0, -1):
            for total, number in ways[size - 1].items():
                ways[size][total + rank] = ways[size].get(total + rank, 0) + number
    middle_times_n = sum(doubled) * count
    n = len(doubled)
    distance = abs(observed * n - middle_times_n)
    extreme = sum(number for total, number in ways[count].items() if abs(total * n - middle_times_n) >= distance)
    return extreme / math.comb(n, count)


@dataclass(frozen=True, slots=True)
class _Pair:
    before: CellSummary
    after: CellSummary
    old: TargetSummary
    new: TargetSummary


def _paired(
    before: Summary, after: Summary
) -> tuple[list[tuple[CellSummary, CellSummary]], tuple[str, ...], tuple[str, ...]]:
    """Cells of the same identity; several of one identity are paired in order, so that none is lost."""
    waiting: dict[tuple[str, ...], list[CellSummary]] = {}
    for identity, cell in _identified(after):
        waiting.setdefault(identity, []).append(cell)
    pairs, alone = [], []
    for identity, cell in _identified(before):
        partners = waiting.get(identity)
        if partners:
            pairs.append((cell, partners.pop(0)))
        else:
            alone.append(cell.key)
    return pairs, tuple(alone), tuple(cell.key for left in waiting.values() for cell in left)


def _identified(run: Summary) -> Iterator[tuple[tuple[str, ...], CellSummary]]:
    models = {target.key: target.model for target in run.targets}
    for cell in run.cells:
        model = models[cell.target]
        yield (model.name, model.quantization, cell.profile, *_load_identity(cell.load)), cell


def _load_identity(load: Load) -> tuple[str, ...]:
    """What is asked and how; not how long a cell goes on, since more trials measure the same thing."""
    asked = (load.prompt_tok, load.output_tok, load.concurrency, load.requests_per_trial, load.content)
    return load.name, *map(str, asked)


def _cell_change(pair: _Pair, metrics: Iterable[MetricInfo]) -> CellChange:
    return CellChange(
        model=pair.old.model.name,
        quantization=pair.old.model.quantization,
        profile=pair.before.profile,
        load=pair.before.load.name,
        engine=pair.old.engine,
        before_key=pair.before.key,
        after_key=pair.after.key,
        differences=tuple(_target_differences(pair.old, pair.new)),
        changes=tuple(_change(metric, pair) for metric in metrics),
    )


def _change(metric: MetricInfo, pair: _Pair) -> Change:
    absent = Absent("the run does not have this metric")
    before, after = (cell.metrics.get(metric.name, absent) for cell in (pair.before, pair.after))
    if not isinstance(before, Estimate) or not isinstance(after, Estimate):
        reason = Absent("one of the runs has no value")
        return Change(metric, before, after, reason, reason, "absent")
    ratio: float | Absent = after.value / before.value - 1 if before.value else Absent("the value before was 0")
    first, second = (cell.per_trial.get(metric.name, ()) for cell in (pair.before, pair.after))
    p_value = mann_whitney_p(first, second)
    if smallest_p(len(first), len(second)) > SIGNIFICANCE:
        return Change(metric, before, after, ratio, p_value, "too few trials to tell")
    return Change(metric, before, after, ratio, p_value, UNJUDGED)


def _judged(change: Change, limit: float) -> Change:
    """With its verdict, now that the p of all others are known."""
    before, after = change.before, change.after
    if change.verdict != UNJUDGED or not isinstance(before, Estimate) or not isinstance(after, Estimate):
        return change
    shown = not isinstance(change.p_value, Absent) and change.p_value <= limit
    return replace(change, verdict=_verdict(change.metric, before, after) if shown else UNJUDGED)


def _verdict(metric: MetricInfo, before: Estimate, after: Estimate) -> Verdict:
    if abs(after.value - before.value) <= SMALLEST_CHANGE_RATIO * abs(before.value):
        return "no difference shown"
    if metric.better == "neither":
        return "changed"
    return "better" if (after.value > before.value) == (metric.better == "higher") else "worse"


def _run_differences(before: Summary, after: Summary) -> Iterator[str]:
    yield from (f"machine {text}" for text in before.machine.differences(after.machine))
    if before.version != after.version:
        yield f"llmtester: {before.version} then, {after.version} now"


def _target_differences(old: TargetSummary, new: TargetSummary) -> Iterator[str]:
    then_now = [("engine", old.engine, new.engine), ("file", old.model.fingerprint, new.model.fingerprint)]
    if old.facts and new.facts:
        then_now.append(("engine build", old.facts.build, new.facts.build))
    flags = asdict(new.settings)
    then_now += [(name, str(value), str(flags[name])) for name, value in asdict(old.settings).items()]
    yield from (f"{name}: {then} then, {now} now" for name, then, now in then_now if then != now)
