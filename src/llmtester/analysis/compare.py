"""Two runs side by side: which figures changed, and whether the change is real or within the noise.

The runs were made on different days, so their trials are not paired: a change counts as real if Student's t on the
logarithms of the trials shows it, beside what two starts of one server may differ in, and the values differ by more
than 3 %. A comparison makes many tests; of the changes that it calls real 5 % may be wrong (Benjamini and Hochberg
1995), so two equal runs are called different in at most 5 % of cases, however many cells they have. Cells are matched
by what they are, not by where their files lie; what else differs (machine, engine build, file, flags) is named.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, variance
from typing import Literal, TypeAlias

from llmtester.analysis.racing import LAUNCH_SD_LN
from llmtester.analysis.stats import MIN_TRIALS_FOR_INTERVAL, student_p
from llmtester.analysis.summary import CellSummary, Estimate, Measured, MetricInfo, Summary, TargetSummary
from llmtester.domain.records import Absent
from llmtester.domain.work import Load

SIGNIFICANCE = 0.05
"""Share of the changes called real that may be false."""

SMALLEST_CHANGE_RATIO = 0.03
"""A smaller change is not worth acting on, however sure it is."""

Verdict: TypeAlias = Literal["better", "worse", "changed", "no difference shown", "too few trials to tell", "absent"]
UNJUDGED: Verdict = "no difference shown"
"""What a change is until the p of all others are known, and mostly after."""

Headlines: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one cell in both runs.

    ``change_ratio`` is after over before, minus one; ``p_value`` is that of ``equal_p``. ``changed`` stands for better
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


def equal_p(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p of the hypothesis that both samples measure the same thing.

    Student's t for two samples with one variance, on logarithms where all values are positive, as the intervals are;
    to the error of the difference comes what two starts of one server differ in, since each run may be one start. 1.0
    where a side has too few values for an interval.
    """
    if min(len(first), len(second)) < MIN_TRIALS_FOR_INTERVAL:
        return 1.0
    positive = min(*first, *second) > 0
    ours, theirs = ([math.log(value) for value in values] if positive else list(values) for values in (first, second))
    degrees = len(ours) + len(theirs) - 2
    pooled = ((len(ours) - 1) * variance(ours) + (len(theirs) - 1) * variance(theirs)) / degrees
    error = math.sqrt(pooled * (1 / len(ours) + 1 / len(theirs)) + (2 * LAUNCH_SD_LN**2 if positive else 0.0))
    difference = fmean(theirs) - fmean(ours)
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return student_p(difference / error, degrees)


def discovery_limit(p_values: Sequence[float | Absent]) -> float:
    """The largest p that counts among these, so that of those that count at most 5 % are false (Benjamini and
    Hochberg 1995): the largest that is at most its rank's share of ``SIGNIFICANCE``. Below any p if none is."""
    known = sorted(p for p in p_values if not isinstance(p, Absent))
    return max((p for rank, p in enumerate(known, 1) if p <= SIGNIFICANCE * rank / len(known)), default=-1.0)


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
    enough = min(len(first), len(second)) >= MIN_TRIALS_FOR_INTERVAL
    return Change(
        metric, before, after, ratio, equal_p(first, second), UNJUDGED if enough else "too few trials to tell"
    )


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
