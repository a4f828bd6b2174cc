"""``summarise``: the one step from a state to what every report says about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from llmtester.analysis import endurance, findings, lay_terms, meanings, ratings, stress, usable_context
from llmtester.analysis.advice import advise
from llmtester.analysis.advice_ranking import Evidence
from llmtester.analysis.forecast import rearranged_bytes, scores
from llmtester.analysis.lens import Lens
from llmtester.analysis.metrics import METRICS, MetricsCollector
from llmtester.analysis.pareto import front
from llmtester.analysis.progress import CellStatus, Progress
from llmtester.analysis.quality.assess import PROFILE, assess
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.stats import median, median_interval
from llmtester.analysis.summary import (
    CellSummary,
    Estimate,
    Finding,
    Measured,
    QualitySummary,
    Rating,
    StressResult,
    Summary,
    TargetSummary,
    UsableContext,
)
from llmtester.domain.records import Absent
from llmtester.domain.work import Target


def summarise(state: RunState, lens: Lens) -> Summary:
    """Everything that a report says. Raises ``ValueError`` for a state that no run was started in."""
    machine = state.begun_on
    quality = assess(state, lens.quality)
    progress = Progress(state, lens)
    cells = tuple(_with_quality(_cell(state, cell, lens, progress), quality) for cell in state.cells.values())
    contexts = usable_context.find(state)
    targets = tuple(_target(state, target, cells, contexts) for target in _targets(state))
    worked = tuple(
        stress.result(cell) for cell in state.cells.values() if endurance.is_continuous(cell) and cell.trials
    )
    return Summary(
        run_id=state.run_id,
        outcome=_outcome(state),
        started_unix_ns=state.started_unix_ns,
        duration_s=state.elapsed_s,
        version=state.version,
        plan_digest=state.plan.digest,
        machine=machine,
        settings=state.settings,
        notes=state.plan.notes,
        targets=targets,
        cells=cells,
        findings=tuple(finding for cell in cells for finding in cell.findings),
        advice=advise(targets, cells, quality, _evidence(state, lens, contexts, worked)),
        metrics=tuple(metric.info for metric in METRICS.values()),
        resumed_count=state.resumed_count,
        quality=quality,
        usable_context=contexts,
        forecast=tuple(scores(state)),
        wall_time_s=state.wall_time.seconds,
        front=front(targets, cells, quality),
        stress=worked,
    )


def _evidence(
    state: RunState, lens: Lens, contexts: Sequence[UsableContext], worked: Sequence[StressResult]
) -> Evidence:
    memory_bytes = state.begun_on.memory_limit_bytes or state.begun_on.memory_bytes
    return Evidence(lens.bands, memory_bytes, {context.target: context for context in contexts}, worked)


def _outcome(state: RunState) -> Literal["finished", "interrupted", "unfinished"]:
    return state.ended.outcome if state.ended else "unfinished"


def _targets(state: RunState) -> tuple[Target, ...]:
    return tuple(dict.fromkeys(cell.cell.target for cell in state.cells.values()))


def _cell(state: RunState, cell: CellState, lens: Lens, progress: Progress) -> CellSummary:
    names = tuple(lens.headlines.get(cell.cell.profile, ()))
    status = progress.status(cell)
    collector = MetricsCollector(cell)
    metrics = collector.collect()
    samples = [sample for trial in cell.trials for sample in trial.samples]
    doubts: tuple[Finding, ...] = ()
    if cell.trials:
        headline = tuple(metrics[name] for name in names)
        evidence = findings.Evidence(cell, state.target_of(cell.cell.key), headline, names, state.begun_on)
        doubts = tuple(found for found in findings.find(evidence) if not (status.reason and found.code in PRECISION))
    bands = ratings.bands_for(cell.cell.profile, lens.bands)
    rating, because = _rating(status, metrics, names, bands)
    severe = next((finding for finding in doubts if finding.severity == "severe" and finding.touches(*names)), None)
    if severe:
        rating, because = Rating.NOT_RATED, severe.evidence
    return CellSummary(
        key=cell.cell.key,
        target=cell.cell.target.key,
        profile=cell.cell.profile,
        load=cell.cell.load,
        status=status.word,
        reason=status.reason,
        trials_count=len(cell.trials),
        samples_ok_count=sum(sample.ok for sample in samples),
        samples_failed_count=sum(not sample.ok for sample in samples),
        metrics=metrics,
        per_trial=collector.per_trial(),
        rating=rating,
        rating_because=because,
        meaning=meanings.meaning(cell, metrics) if cell.trials else status.reason,
        findings=doubts,
        race=progress.verdict(cell),
        outliers=collector.outliers(),
        meanings=lay_terms.of_metrics(metrics),
        suits=lay_terms.suits(metrics),
    )


PRECISION = frozenset({"too_few_trials"})
"""Doubts that a cell which ended early on purpose does not deserve."""


def _with_quality(cell: CellSummary, quality: Sequence[QualitySummary]) -> CellSummary:
    """A cell of the quality profile takes its word from its own kind of evidence and its sentence from the whole."""
    if cell.profile != PROFILE or cell.status in {"failed", "skipped", "pending"}:
        return cell
    of_target = next((one for one in quality if one.target == cell.target), None)
    if of_target is None:
        return cell
    refused = of_target.rating if of_target.refused else Rating.NOT_RATED
    because = of_target.refused[0] if of_target.refused else f"{cell.load.name} beside the reference"
    rating = of_target.evidence.get(cell.load.name, refused)
    if rating is Rating.NOT_RATED and not of_target.refused:
        because = "it is the reference" if of_target.reference is None else "there is too little evidence for a word"
    findings_kept = tuple(finding for finding in cell.findings if finding.code not in SPEED_FINDINGS)
    return replace(cell, rating=rating, rating_because=because, meaning=of_target.sentence, findings=findings_kept)


SPEED_FINDINGS = frozenset(
    {
        "early_end",
        "cached_prompt",
        "hidden_cache",
        "busy_machine",
        "client_lag",
        "too_few_trials",
        "cold_first_trial",
        "slowing_down",
        "stalls",
        "degenerate_output",
        "throttling",
        "battery",
        "container_limits",
    }
)
"""Doubts about times, which mean nothing for the quality of answers, and what that profile judges by itself."""


def _rating(
    status: CellStatus, metrics: Mapping[str, Measured], names: Sequence[str], bands: ratings.Bands
) -> tuple[Rating, str]:
    if status.word == "failed":
        return Rating.FAILED, status.reason
    if status.word in {"skipped", "pending"}:
        return Rating.NOT_RATED, status.reason
    return ratings.rate_cell(metrics, [METRICS[name].info for name in names], bands)


def _target(
    state: RunState, target: Target, cells: Sequence[CellSummary], contexts: Sequence[UsableContext]
) -> TargetSummary:
    """A step of the long context profile says nothing alone: how far a target gets takes the place of its words."""
    known = state.targets[target.key]
    loads_s = [load_ns / 1e9 for load_ns in known.load_ns]
    failure = known.load_failure
    own = [cell.rating for cell in cells if cell.target == target.key and cell.profile != usable_context.PROFILE]
    own += [context.rating for context in contexts if context.target == target.key]
    return TargetSummary(
        key=target.key,
        engine=target.engine,
        model=target.model,
        settings=target.settings,
        facts=known.facts,
        starts_count=known.launch,
        load_s=_loads(loads_s),
        memory_peak_bytes=(
            Absent("this platform does not tell the memory of a server")
            if known.memory_peak_bytes is None
            else Estimate(float(known.memory_peak_bytes), None, None, known.launch)
        ),
        memory_expected_bytes=_expected(state, target),
        memory_meaning=_memory_left(state, known.memory_peak_bytes),
        failure=failure.message if failure else "",
        failure_fix=failure.fix if failure else "",
        log_tail=failure.log_tail if failure else (),
        rating=ratings.worst(own),
    )


def _memory_left(state: RunState, peak_bytes: int | None) -> str:
    return "" if peak_bytes is None else lay_terms.memory_left(peak_bytes, state.begun_on)


def _expected(state: RunState, target: Target) -> Measured:
    need_bytes = state.plan.memory_need_bytes.get(target.key)
    if need_bytes is None:
        return Absent("no estimate was made")
    return Estimate(float(need_bytes + rearranged_bytes(target)), None, None, 0)


def _loads(loads_s: Sequence[float]) -> Measured:
    if not loads_s:
        return Absent("the server never became ready")
    low, high = median_interval(loads_s) or (None, None)
    return Estimate(median(loads_s), low, high, len(loads_s))
