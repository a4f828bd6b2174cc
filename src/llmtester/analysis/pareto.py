"""The files that no other one beats: quality, speed and memory traded against each other.

One beats another if it is clearly better in something and clearly worse in nothing; "clearly" as for a tie of advice.
An axis that either of the two lacks compares nothing, except that quality which was measured for neither is replaced
by the size of the model: the larger one is not beaten by a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmtester.analysis.advice_rules import INTERACTIVE
from llmtester.analysis.contenders import Contender, contenders, tied
from llmtester.analysis.summary import (
    CellSummary,
    Estimate,
    FrontPoint,
    Measured,
    QualitySummary,
    TargetSummary,
)
from llmtester.domain.records import Absent

_HIGHER, _LOWER = 1, -1


def front(
    targets: Sequence[TargetSummary], cells: Sequence[CellSummary], quality: Sequence[QualitySummary] = ()
) -> tuple[FrontPoint, ...]:
    """One point for each file that wrote at a measured speed, in plan order."""
    every = [one for one in contenders(targets, cells, quality) if one.lowest(INTERACTIVE, "decode_tok_per_s")]
    shown = {one.key: one.target_of(INTERACTIVE).key for one in every}
    points = []
    for one in every:
        compared = {other.key: compare(other, one) for other in every if other is not one}
        beaten_by = next((key for key, (better, worse) in compared.items() if better and not worse), None)
        points.append(
            FrontPoint(
                target=one.target_of(INTERACTIVE).key,
                quality_ratio=one.right_ratio,
                speed_tok_per_s=one.lowest(INTERACTIVE, "decode_tok_per_s") or Absent("it wrote nothing"),
                memory_bytes=one.memory(INTERACTIVE),
                on_front=beaten_by is None,
                beaten_by=shown[beaten_by] if beaten_by else None,
                ties=tuple(shown[key] for key, differences in compared.items() if not any(differences)),
            )
        )
    return tuple(points)


def compare(one: Contender, other: Contender) -> tuple[int, int]:
    """On how many axes ``one`` is clearly better than ``other``, and on how many clearly worse."""
    signs = [
        _sign(one.lowest(INTERACTIVE, "decode_tok_per_s"), other.lowest(INTERACTIVE, "decode_tok_per_s"), _HIGHER),
        _sign(one.memory(INTERACTIVE), other.memory(INTERACTIVE), _LOWER),
        _quality(one, other),
    ]
    return signs.count(1), signs.count(-1)


def _quality(one: Contender, other: Contender) -> int:
    """By right answers; between files of one model also by what was found damaged; else by size."""
    if not one.judged and not other.judged:
        mine, theirs = (one.parameters, round(one.bits, 1)), (other.parameters, round(other.bits, 1))
        return (mine > theirs) - (mine < theirs)
    by_answers = _sign(one.right_ratio, other.right_ratio, _HIGHER)
    if by_answers or one.model.name != other.model.name or not (one.judged and other.judged):
        return by_answers
    return (one.damage < other.damage) - (one.damage > other.damage)


def _sign(one: Measured | None, other: Measured | None, direction: int) -> int:
    if not isinstance(one, Estimate) or not isinstance(other, Estimate) or tied(one, other):
        return 0
    return direction if one.value > other.value else -direction
