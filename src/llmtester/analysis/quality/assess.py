"""``assess``: what a state says about the quality of each target, in numbers, a word and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from llmtester.analysis.quality import bands as judging
from llmtester.analysis.quality import fidelity, stability, tasks
from llmtester.analysis.quality.bands import Judged, QualityBands
from llmtester.analysis.quality.preflight import endings, flags_apart, problems, unsteady
from llmtester.analysis.quality.sentences import details, sentence, warnings
from llmtester.analysis.quality.statistics import holm, sequential
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Fidelity, QualitySummary, Rating, Stability, Tasks
from llmtester.domain.records import Absent, Sample
from llmtester.domain.work import Target

PROFILE = "quality"
NOT_COMPARED = "not compared"
FIDELITY, FLOOR, TASKS, STABILITY = "fidelity", "floor", "tasks", "stability"

Samples = Mapping[str, Sample]


def assess(state: RunState, bands: QualityBands) -> tuple[QualitySummary, ...]:
    """One summary for each target of the quality profile, in plan order; empty if it did not take part."""
    cells = [cell for cell in state.cells.values() if cell.cell.profile == PROFILE]
    targets = dict.fromkeys(cell.cell.target for cell in cells)
    found = [_assess(state, target, cells, bands) for target in targets if any(_samples(cells, target.key))]
    return tuple(_rated(one, bands) for one in _adjusted(found))


def _samples(cells: list[CellState], target: str) -> list[Sample]:
    return [s for cell in cells if cell.cell.target.key == target for trial in cell.trials for s in trial.samples]


def answers(state: RunState, target: str, load: str) -> dict[str, Sample]:
    """The samples of a target under one load of the profile, by request id without what marks the load."""
    found = {}
    for cell in state.cells.values():
        if (cell.cell.profile, cell.cell.target.key, cell.cell.load.name) == (PROFILE, target, load):
            for trial in cell.trials:
                for sample in trial.samples:
                    name = sample.request_id
                    found[name if load == TASKS else name.partition(".")[2]] = sample
    return found


def _reference_of(cells: list[CellState], target: Target) -> str | None:
    return next((cell.cell.reference for cell in cells if cell.cell.target == target and cell.cell.reference), None)


def _assess(state: RunState, target: Target, cells: list[CellState], bands: QualityBands) -> QualitySummary:
    reference = _reference_of(cells, target)
    own = {load: answers(state, target.key, load) for load in (FIDELITY, TASKS, STABILITY)}
    if reference is None:
        return _baseline(target, own, answers(state, target.key, FLOOR), bool(_candidates_of(cells, target)))
    compared_with = next(cell.cell.target for cell in cells if cell.cell.target.key == reference)
    if apart := flags_apart(compared_with.settings, target.settings):
        return _incomparable(target, compared_with, apart)
    told = {load: answers(state, reference, load) for load in (FIDELITY, TASKS, STABILITY)}
    floor = fidelity.compare(told[FIDELITY], answers(state, reference, FLOOR))
    refused = problems(told[FIDELITY], own[FIDELITY])
    followed: Fidelity | Absent = (
        Absent(refused[0]) if refused else fidelity.measure(fidelity.compare(told[FIDELITY], own[FIDELITY]), floor)
    )
    if isinstance(followed, Fidelity) and (noise := unsteady(followed.floor_kl_nats, bands.kl_nats[0])):
        followed = Absent(noise)
    return QualitySummary(
        target=target.key,
        label=target.model.label,
        reference=reference,
        reference_label=compared_with.model.label,
        rating=Rating.NOT_RATED,
        words="not rated",
        fidelity=followed,
        tasks=tasks.measure(told[TASKS], own[TASKS]),
        stability=stability.measure(told[STABILITY], own[STABILITY]),
        refused=refused,
        warnings=endings(own[TASKS].values()),
        example=tasks.example(told[TASKS], own[TASKS]),
    )


def _incomparable(target: Target, reference: Target, reason: str) -> QualitySummary:
    """No verdict: the fault is in how the servers were started, not in the file."""
    nothing = Absent(reason)
    return QualitySummary(
        target=target.key,
        label=target.model.label,
        reference=reference.key,
        reference_label=reference.model.label,
        rating=Rating.NOT_RATED,
        words=NOT_COMPARED,
        fidelity=nothing,
        tasks=nothing,
        stability=nothing,
        refused=(reason,),
    )


def _candidates_of(cells: list[CellState], target: Target) -> list[CellState]:
    return [cell for cell in cells if cell.cell.reference == target.key]


def _baseline(target: Target, own: Mapping[str, Samples], floor: Samples, compared: bool) -> QualitySummary:
    """The reference: its own right answers, its free texts, and how exactly it repeats itself."""
    noise = fidelity.compare(own[FIDELITY], floor)
    nothing = "others are compared with it" if compared else "there is no other quantization of this model to compare"
    return QualitySummary(
        target=target.key,
        label=target.model.label,
        reference=None,
        reference_label="",
        rating=Rating.NOT_RATED,
        words="reference" if compared else NOT_COMPARED,
        fidelity=fidelity.measure(noise, noise) if noise else Absent(nothing),
        tasks=tasks.measure(own[TASKS], own[TASKS]),
        stability=stability.measure(own[STABILITY], own[STABILITY]),
        warnings=endings(own[TASKS].values()),
    )


def _adjusted(found: list[QualitySummary]) -> Iterator[QualitySummary]:
    """The p-values of all candidates, corrected for their number."""
    compared = [one for one in found if one.reference and isinstance(one.tasks, Tasks)]
    values = holm([one.tasks.p_value for one in compared if isinstance(one.tasks, Tasks)])
    by_target = {one.target: value for one, value in zip(compared, values, strict=True)}
    for one in found:
        if one.target in by_target and isinstance(one.tasks, Tasks):
            yield replace(one, tasks=replace(one.tasks, p_value_holm=by_target[one.target]))
        else:
            yield one


def _rated(one: QualitySummary, bands: QualityBands) -> QualitySummary:
    if one.reference is None:
        return replace(one, sentence=sentence(one), details=details(one))
    evidence = judge(one, bands)
    if one.refused and one.words == NOT_COMPARED:
        rated = one
    elif one.refused:
        rated = replace(one, rating=Rating.FAILED, words="failed")
    elif not evidence:
        rated = one
    else:
        combined = Judged(*(_worst(evidence, part) for part in ("rating", "best", "worst")))
        rated = replace(one, rating=combined.rating, words=judging.in_words(combined), evidence=_named(evidence))
    rated = replace(rated, warnings=(*warnings(rated), *rated.warnings))
    return replace(rated, sentence=sentence(rated), details=details(rated))


def _worst(evidence: Mapping[str, Judged], part: str) -> Rating:
    ratings: list[Rating] = [getattr(judged, part) for judged in evidence.values()]
    return max(ratings, key=judging.ORDER.index)


def _named(evidence: Mapping[str, Judged]) -> dict[str, Rating]:
    return {name: judged.rating for name, judged in evidence.items()}


def judge(one: QualitySummary, bands: QualityBands) -> dict[str, Judged]:
    """The word of each kind of evidence that there is."""
    found: dict[str, Judged] = {}
    if isinstance(one.fidelity, Fidelity):
        found[FIDELITY] = judging.judge_fidelity(one.fidelity, bands)
    if isinstance(one.tasks, Tasks):
        judged = judging.judge_tasks(one.tasks, bands)
        if isinstance(judged, Judged):
            found[TASKS] = judged
    if isinstance(one.stability, Stability):
        found[STABILITY] = judging.judge_stability(one.stability)
    return found


def decided(state: RunState, cell: CellState) -> bool:
    """Whether a sequential cell of questions has seen enough: the answers that differ from those of the reference
    point one way clearly, or clearly not."""
    if not cell.cell.load.sequential or cell.cell.reference is None:
        return False
    told = answers(state, cell.cell.reference, TASKS)
    pairs = tasks.informative_pairs(tasks.pair(told, answers(state, cell.cell.target.key, TASKS)))
    rivals = sum(
        other.cell.reference == cell.cell.reference and other.cell.load == cell.cell.load
        for other in state.cells.values()
    )
    return sequential([told_right for told_right, right in pairs if told_right != right], rivals) != "open"
