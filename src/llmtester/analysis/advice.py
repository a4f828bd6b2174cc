"""Which model for which use, why, and how sure that is. Rules as data: one row of ``USES`` a use.

The rule: among the targets that are good enough for the use, the most capable one wins, because below "good" speed is
felt and above it the better answer matters more. Until quality was measured, capability is what the files say: more
parameters, then more bits a weight. Where it was measured, its word takes the place of the bits: of two files that
answer alike the faster one wins, and one whose quality is poor or failed never wins. Equal capability is decided by
speed, and a difference within the interval or within 3 % is a tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmtester.analysis import ratings
from llmtester.analysis.ratings import ORDER
from llmtester.analysis.summary import Advice, CellSummary, Estimate, QualitySummary, Rating, TargetSummary

TIE_RATIO = 0.03
"""Two speeds closer than this are called equal: nobody feels it and a reboot moves it further."""

SURE_RATIO = 0.05
"""Relative half-width of the speed interval up to which the rating is called certain."""


@dataclass(frozen=True, slots=True)
class Use:
    """A job that a person has, the profile that stands for it and the metric that decides among equals."""

    name: str
    profile: str
    speed: str


USES = (Use("chat", "interactive", "decode_tok_per_s"),)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One target for one use: its worst rating over the loads and its slowest speed."""

    target: TargetSummary
    cells: tuple[CellSummary, ...]
    rating: Rating
    speed: Estimate
    quality: QualitySummary | None = None
    sibling_bytes: int = 0

    @property
    def capability(self) -> tuple[float, float]:
        """More parameters first, then better answers where they were measured, else more bits a weight.

        Where a file does not say its parameters, its size stands for them, and where its answers were compared with
        those of its siblings, the size of the largest of them.
        """
        model = self.target.model
        if self.quality is None:
            return (float(model.parameters_count or model.size_bytes), round(model.bits_per_weight or 0.0, 1))
        return (float(model.parameters_count or self.sibling_bytes), -float(_rank(self.quality)))

    @property
    def sound(self) -> bool:
        """Whether nothing says that its answers are damaged."""
        return self.quality is None or self.quality.rating not in {Rating.POOR, Rating.FAILED}


def _rank(quality: QualitySummary) -> int:
    """0 for the best word; the reference itself counts as excellent."""
    return 0 if quality.reference is None else ORDER.index(quality.rating)


def advise(
    targets: Sequence[TargetSummary], cells: Sequence[CellSummary], quality: Sequence[QualitySummary] = ()
) -> tuple[Advice, ...]:
    """One advice for each use that has measured cells."""
    found = []
    for use in USES:
        measured = [cell for cell in cells if cell.profile == use.profile]
        if measured:
            found.append(_advise(use, _candidates(use, targets, measured, quality)))
    return tuple(found)


def _candidates(
    use: Use, targets: Sequence[TargetSummary], cells: Sequence[CellSummary], quality: Sequence[QualitySummary]
) -> list[Candidate]:
    judged = {one.target: one for one in quality if one.reference is None or one.rating is not Rating.NOT_RATED}
    found = []
    for target in targets:
        own = tuple(cell for cell in cells if cell.target == target.key)
        speeds = [speed for cell in own if isinstance(speed := cell.metrics.get(use.speed), Estimate)]
        rating = ratings.worst([cell.rating for cell in own])
        if speeds and rating is not Rating.NOT_RATED:
            slowest = min(speeds, key=lambda speed: speed.value)
            siblings = [one.model.size_bytes for one in targets if one.model.name == target.model.name]
            found.append(Candidate(target, own, rating, slowest, judged.get(target.key), max(siblings)))
    return found


def _advise(use: Use, candidates: Sequence[Candidate]) -> Advice:
    if not candidates:
        return Advice(use.name, f"No model could be rated for {use.name}.", None, (), "unknown", (), ())
    sound = [candidate for candidate in candidates if candidate.sound] or candidates
    rank = min(max(ORDER.index(Rating.GOOD), min(ORDER.index(c.rating) for c in sound)), len(ORDER) - 1)
    fit = [candidate for candidate in sound if ORDER.index(candidate.rating) <= rank]
    winner = max(fit, key=lambda candidate: (candidate.capability, candidate.speed.value))
    ties = [c for c in fit if c is not winner and c.capability == winner.capability and _tied(c.speed, winner.speed)]
    certainty = _certainty(winner)
    enough = ORDER.index(winner.rating) <= ORDER.index(Rating.ACCEPTABLE) and winner.sound
    label = winner.target.model.label
    names = " or ".join([label, *(tie.target.model.label for tie in ties)])
    verdict = (
        f"Use {names} for {use.name}: it is {winner.rating.value} here."
        if enough
        else f"None of these models is good enough for {use.name} on this machine; {label} comes closest."
    )
    return Advice(
        use=use.name,
        verdict=verdict,
        winner=winner.target.key if enough else None,
        ties=tuple(tie.target.key for tie in ties),
        certainty=certainty,
        why=_why(winner, ties, fit, candidates),
        cells=tuple(cell.key for cell in winner.cells),
    )


def _why(
    winner: Candidate, ties: Sequence[Candidate], fit: Sequence[Candidate], candidates: Sequence[Candidate]
) -> tuple[str, ...]:
    slowest = min(winner.cells, key=lambda cell: _value(cell, "decode_tok_per_s"))
    reasons = [slowest.meaning]
    if ties:
        reasons.append("The speeds of the models named are within what this run can tell apart: a tie.")
    others = [candidate for candidate in fit if candidate is not winner and candidate not in ties]
    if any(other.capability < winner.capability for other in others):
        reasons.append(
            "It is the largest of those that are fast enough, and a larger one normally answers better."
            if winner.quality is None
            else "Of those that are fast enough it answers best."
        )
    if any(other.capability == winner.capability for other in others):
        alike = "of its size" if winner.quality is None else "of those that answer equally well"
        reasons.append(f"It is the fastest {alike}.")
    damaged = [candidate for candidate in candidates if not candidate.sound]
    if damaged:
        names = ", ".join(candidate.target.model.label for candidate in damaged[:3])
        reasons.append(f"Its answers are damaged: {names}." if len(damaged) == 1 else f"Damaged answers: {names}.")
    slower = [candidate for candidate in candidates if candidate not in fit and candidate.sound]
    if slower:
        names = ", ".join(candidate.target.model.label for candidate in slower[:3])
        reasons.append(f"Rated lower: {names}{' and more' if len(slower) > 3 else ''}.")
    reasons.append(
        "The quality of the answers was not measured in this run."
        if winner.quality is None
        else winner.quality.sentence
    )
    return tuple(reasons)


def _value(cell: CellSummary, name: str) -> float:
    measured = cell.metrics.get(name)
    return measured.value if isinstance(measured, Estimate) else float("inf")


def _tied(one: Estimate, other: Estimate) -> bool:
    if abs(one.value / other.value - 1) <= TIE_RATIO:
        return True
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _certainty(winner: Candidate) -> str:
    """``sure``: narrow interval, no doubt; ``fairly sure``: either; ``a first hint``: neither or unfinished."""
    doubts = any(finding.severity != "note" for cell in winner.cells for finding in cell.findings)
    complete = all(cell.status == "done" for cell in winner.cells)
    speed = winner.speed
    narrow = (
        speed.low is not None and speed.high is not None and (speed.high - speed.low) / 2 / speed.value <= SURE_RATIO
    )
    return ("a first hint", "fairly sure", "sure")[(narrow and complete) + (not doubts and complete)]
