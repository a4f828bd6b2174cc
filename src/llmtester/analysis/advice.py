"""Which model for which use, why, and how sure that is.

Uses and limits are data in ``advice_rules``; who comes first is decided in ``advice_ranking``; the words are made in
``advice_sentences``. Every advice names the cells that it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmtester.analysis import advice_sentences as sentences
from llmtester.analysis import serving
from llmtester.analysis.advice_changes import changes, near_floor
from llmtester.analysis.advice_ranking import LEVELS_GOOD_ENOUGH, Evidence, Judged, judge, peers, ranking, ties
from llmtester.analysis.advice_rules import SURE_RATIO, USES, Stand, Use
from llmtester.analysis.advice_sentences import Case
from llmtester.analysis.contenders import Contender, contenders
from llmtester.analysis.summary import Advice, CellSummary, Estimate, QualitySummary, Rating, TargetSummary

CERTAINTIES = ("a first hint", "fairly sure", "sure")
"""``sure``: narrow interval, no doubt, nothing assumed; ``fairly sure``: one of them is missing; else a first hint."""

UNKNOWN, NOT_MEASURED = "unknown", "not measured"

REASONS_LIMIT = 3


def advise(
    targets: Sequence[TargetSummary],
    cells: Sequence[CellSummary],
    quality: Sequence[QualitySummary] = (),
    evidence: Evidence | None = None,
) -> tuple[Advice, ...]:
    """One advice for each use, those that were measured first; empty if nothing was tried at all."""
    every = contenders(targets, cells, quality)
    if not any(_was_tried(cell) for cell in cells):
        return ()
    found = [_for_use(use, every, evidence or Evidence()) for use in USES]
    order = {"measured": 0, "fallback": 1, "not measured": 2}
    return tuple(sorted(found, key=lambda one: order[one.basis]))


def _for_use(use: Use, every: Sequence[Contender], evidence: Evidence) -> Advice:
    stand = next((stand for stand in use.stands if _was_run(stand, every)), None)
    if stand is None:
        return _not_measured(use, every)
    ranked = ranking(use, judge(use, stand, every, evidence))
    if not ranked:
        return _unrated(use, stand, every)
    return _told(use, stand, ranked, every, evidence)


def _unrated(use: Use, stand: Stand, every: Sequence[Contender]) -> Advice:
    """Tried, but without a result to advise from; the reasons are those of the cells or of what was not measurable."""
    profile = stand.profiles[0]
    reasons = [
        cell.reason for one in every for cell in one.cells_of(profile) if cell.status == "failed" and cell.reason
    ]
    rated = [one for one in every if one.rating(profile) is not Rating.NOT_RATED]
    memory_told = any(isinstance(one.memory(profile), Estimate) for one in every)
    if rated and use.order in {"lean", "balanced"} and not memory_told:
        reasons.append("The memory of a server cannot be measured here.")
    return Advice(
        use=use.name,
        verdict=f"No model could be rated for {use.name}.",
        winner=None,
        ties=(),
        certainty=UNKNOWN,
        why=tuple(dict.fromkeys(reasons))[:REASONS_LIMIT] or ("What was measured is in doubt or incomplete.",),
        cells=(),
        profiles=stand.profiles,
        metric=use.metrics[0],
        floor=use.floor,
    )


def _was_run(stand: Stand, every: Sequence[Contender]) -> bool:
    """Whether each profile was tried on some model."""
    return all(any(_was_tried(cell) for one in every for cell in one.cells_of(profile)) for profile in stand.profiles)


def _was_tried(cell: CellSummary) -> bool:
    return cell.status in {"done", "partial", "failed"}


def _not_measured(use: Use, every: Sequence[Contender]) -> Advice:
    profiles = use.stands[0].profiles
    missing = [profile for profile in profiles if not _was_run(Stand((profile,)), every)]
    left = [cell for one in every for profile in missing for cell in one.cells_of(profile)]
    if missing and all(
        any(cell.status == "pending" for one in every for cell in one.cells_of(name)) for name in missing
    ):
        why, command = "The run ended before it came to this.", "llmtester run --resume"
    else:
        skipped = next((cell.reason for cell in left if cell.status == "skipped" and cell.reason), "")
        why = f"It was left out: {skipped}" if skipped else "Nothing in this run tells which model suits it."
        command = f"llmtester run --profiles {','.join(profiles)}"
    return Advice(
        use=use.name,
        verdict=f"{use.name[:1].upper()}{use.name[1:]}: not measured.",
        winner=None,
        ties=(),
        certainty=NOT_MEASURED,
        why=(why,),
        cells=(),
        basis="not measured",
        profiles=profiles,
        metric=use.metrics[0],
        floor=use.floor,
        next_command=command,
    )


def _told(use: Use, stand: Stand, ranked: Sequence[Judged], every: Sequence[Contender], evidence: Evidence) -> Advice:
    winner = ranked[0]
    enough = winner.level < LEVELS_GOOD_ENOUGH
    equals = ties(use, ranked)
    case = Case(use, stand, ranked, equals, every, evidence, enough)
    target = winner.contender.target_of(stand.profiles[0])
    return Advice(
        use=use.name,
        verdict=sentences.verdict(case),
        winner=target.key if enough else None,
        ties=tuple(tie.contender.target_of(stand.profiles[0]).key for tie in equals),
        certainty=CERTAINTIES[min(_certainty(case), stand.certainty_limit)],
        why=sentences.why(case),
        cells=tuple(cell.key for cell in winner.contender.cells_of(stand.profiles[0])),
        basis="measured" if stand is use.stands[0] else "fallback",
        rating=winner.rating,
        profiles=stand.profiles,
        metric=winner.metric,
        floor=use.floor,
        cautions=sentences.cautions(case),
        changes=changes(case),
        runner_up=ranked[1].contender.target_of(stand.profiles[0]).key if len(ranked) > 1 else None,
        next_command="" if stand is use.stands[0] else f"llmtester run --profiles {','.join(use.stands[0].profiles)}",
        command=serving.server_command(target) if enough else "",
        modelfile=serving.modelfile(target) if enough else "",
    )


def _certainty(case: Case) -> int:
    """A place in ``CERTAINTIES``."""
    winner = case.winner.contender
    own = winner.cells_of(case.profile)
    if case.winner.contender.doubtful or not all(cell.status == "done" for cell in own):
        return 0
    speed = winner.lowest(case.profile, "decode_tok_per_s") or case.winner.value
    doubts = any(finding.severity != "note" for cell in own for finding in cell.findings)
    assumed = _assumed(case) or near_floor(case) or bool(case.pending)
    found = _narrow(speed) + (not doubts)
    return min(found, 1) if assumed else found


def _narrow(value: Estimate) -> bool:
    if value.low is None or value.high is None:
        return False
    return (value.high - value.low) / 2 <= SURE_RATIO * value.value


def _assumed(case: Case) -> bool:
    """Whether the winner beat an equal only because larger models and more bits usually answer better."""
    if case.use.order not in {"capable", "deep"}:
        return False
    return any(
        one.contender.parameters != case.winner.contender.parameters or one.contender.bits != case.winner.contender.bits
        for one in peers(case.use, case.ranked)
        if one is not case.winner and not (one.contender.judged and case.winner.contender.judged)
    )
