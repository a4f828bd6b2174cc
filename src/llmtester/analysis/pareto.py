"""The files that no other one beats: quality, speed and memory traded against each other.

One beats another if it is clearly better in something and clearly worse in nothing; "clearly" as for a tie of advice.
An axis that only one of the two has makes them incomparable, one that neither has is left out. Where right answers
cannot be told apart, or were measured for neither, the larger model counts as better, as in advice: a smaller one beats
it only by clearly better answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """One point for each file whose speed or answers were measured, in plan order."""
    every = [_Axes.of(one) for one in contenders(targets, cells, quality)]
    every = [one for one in every if isinstance(one.speed, Estimate) or isinstance(one.right, Estimate)]
    shown = {one.key: one.contender.target_of(INTERACTIVE).key for one in every}
    points = []
    for one in every:
        compared = {other.key: compare(other, one) for other in every if other is not one}
        beaten_by = next((key for key, (better, worse) in compared.items() if better and not worse), None)
        points.append(
            FrontPoint(
                target=shown[one.key],
                quality_ratio=one.right,
                speed_tok_per_s=one.speed,
                memory_bytes=one.memory,
                on_front=beaten_by is None,
                beaten_by=shown[beaten_by] if beaten_by else None,
                ties=tuple(shown[key] for key, differences in compared.items() if not any(differences)),
            )
        )
    return tuple(points)


@dataclass(frozen=True, slots=True)
class _Axes:
    """One file with its three values, looked up once."""

    contender: Contender
    key: str
    right: Measured
    speed: Measured
    memory: Measured

    @classmethod
    def of(cls, one: Contender) -> _Axes:
        speed = one.lowest(INTERACTIVE, "decode_tok_per_s") or Absent("it wrote nothing that could be timed")
        return cls(one, one.key, one.right_ratio, speed, one.memory(INTERACTIVE))


def compare(one: _Axes, other: _Axes) -> tuple[int, int]:
    """On how many axes ``one`` is clearly better than ``other``, and on how many clearly worse."""
    signs = (
        _sign(one.speed, other.speed, _HIGHER),
        _sign(one.memory, other.memory, _LOWER),
        _quality(one, other),
    )
    known = [sign for sign in signs if sign is not None]
    return (1, 1) if len(known) < len(signs) else (known.count(1), known.count(-1))


def _quality(one: _Axes, other: _Axes) -> int | None:
    """By right answers where they differ clearly, then by size, then by damage or, if nobody measured it, by bits."""
    first, second = one.contender, other.contender
    if first.judged != second.judged:
        return None
    by_answers = _sign(one.right, other.right, _HIGHER)
    if by_answers is None or by_answers:
        return by_answers
    if first.parameters != second.parameters:
        return 1 if first.parameters > second.parameters else -1
    if first.judged:
        return (first.damage < second.damage) - (first.damage > second.damage)
    return (round(first.bits, 1) > round(second.bits, 1)) - (round(first.bits, 1) < round(second.bits, 1))


def _sign(one: Measured, other: Measured, direction: int) -> int | None:
    """1 or -1 for a clear difference, 0 for none, ``None`` where only one of the two was measured."""
    if isinstance(one, Estimate) and isinstance(other, Estimate):
        if tied(one, other):
            return 0
        return direction if one.value > other.value else -direction
    return None if isinstance(one, Estimate) or isinstance(other, Estimate) else 0
