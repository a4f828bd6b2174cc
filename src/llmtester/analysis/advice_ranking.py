"""Who comes first for a use: levels, proven differences in answers, and the order that the use asks for.

Contenders stand on levels: good enough before acceptable, damaged answers last. On the best level that is taken, those
whose answers are proven worse than those of another there are out. Of the rest the order of the use decides: for a
chat the largest model, then the least damaged file, then speed, because above "good" speed is hardly felt and the
better answer matters more. The second is whatever the same rule chooses without the first, and so on.

Hence removing a winner promotes the next, and a model that is worse in everything cannot change the winner: it never
reaches a better level, its answers never prove others worse, and it loses every comparison of an order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from llmtester.analysis.advice_rules import INTERACTIVE, QUALITY, Stand, Use
from llmtester.analysis.contenders import Contender, clearly_worse, tied
from llmtester.analysis.ratings import BANDS, ORDER, Bands, worst
from llmtester.analysis.summary import Estimate, Measured, Rating, StressResult, UsableContext
from llmtester.domain.records import Absent

LEVELS_GOOD_ENOUGH = 3
"""Good, acceptable, and acceptable with doubtful answers; from the next level on nothing is recommended."""

DEEP_ENOUGH_TOK = 32_768
"""A book chapter. What is usable beyond this does not decide any more; the better answer does."""

BEST_LOAD = frozenset({"documents_per_hour", "throughput_tok_per_s"})
"""Metrics taken from the best load, because the user chooses how many requests to send at once; else the worst."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What advice is made from, besides the cells. ``usable_context`` by target, ``memory_bytes`` of the machine."""

    bands: Bands = field(default_factory=lambda: BANDS)
    memory_bytes: int = 0
    usable_context: Mapping[str, UsableContext] = field(default_factory=dict)
    stress: Sequence[StressResult] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A contender for one use: the word for it, the value that decides, how the use orders it, and how many of the
    questions that matter it answered right, of how many."""

    contender: Contender
    rating: Rating
    metric: str
    value: Estimate
    level: int
    merit: tuple[float, ...]
    right: tuple[int, int] | None

    @property
    def key(self) -> str:
        return self.contender.key


def judge(use: Use, stand: Stand, every: Sequence[Contender], evidence: Evidence) -> list[Judged]:
    """The contenders that could be rated for the use on this basis, in plan order."""
    found = []
    for one in every:
        metric, value = _value(use, one, stand, evidence)
        rating = _rating(use, one, stand, value, evidence)
        if rating is not Rating.NOT_RATED and value is not None:
            level = _level(use, one, rating)
            merit = _MERITS[use.order](one, value)
            if level >= LEVELS_GOOD_ENOUGH:
                # Nothing here can be recommended; what comes closest is the one that lacks least.
                merit = (-value.value if use.order == "lean" else value.value, *merit)
            found.append(Judged(one, rating, metric, value, level, merit, one.right(use.kinds)))
    return found


def _rating(use: Use, one: Contender, stand: Stand, value: Estimate | None, evidence: Evidence) -> Rating:
    """The worst word of the profile; for long documents that of the depths up to the one that is named."""
    profile = stand.profiles[0]
    if profile == QUALITY:
        reference = one.quality is not None and one.quality.reference is None
        return Rating.EXCELLENT if reference else one.quality.rating if one.quality else Rating.NOT_RATED
    told = evidence.usable_context.get(one.target_of(profile).key)
    if use.order == "deep" and told:
        return told.rating
    if use.order == "deep" and value is not None:
        inside = [cell.rating for cell in one.cells_of(profile) if cell.load.prompt_tok <= value.value]
        return worst(inside) if inside else one.rating(profile)
    return one.rating(profile)


def _value(use: Use, one: Contender, stand: Stand, evidence: Evidence) -> tuple[str, Estimate | None]:
    """The first of the use's metrics that this contender has, with its name."""
    return next(
        ((name, found) for name in use.metrics if (found := _fact(name, one, stand, evidence))), (use.metrics[0], None)
    )


def _fact(name: str, one: Contender, stand: Stand, evidence: Evidence) -> Estimate | None:
    profile = stand.profiles[0]
    if name == "memory_peak_bytes":
        return _present(one.memory(profile))
    if name == "usable_context_tok":
        told = evidence.usable_context.get(one.target_of(profile).key)
        return _present(told.context_tok) if told else _deepest(one, profile)
    if name == "balance_ratio":
        return _balance(one, evidence)
    return one.highest(profile, name) if name in BEST_LOAD else one.lowest(profile, name)


def _present(value: Measured) -> Estimate | None:
    return None if isinstance(value, Absent) else value


def _deepest(one: Contender, profile: str) -> Estimate | None:
    """The longest prompt up to which every load is acceptable; the shortest where none is."""
    deepest = None
    for cell in sorted(one.cells_of(profile), key=lambda cell: cell.load.prompt_tok):
        if ORDER.index(cell.rating) > ORDER.index(Rating.ACCEPTABLE):
            return deepest or Estimate(float(cell.load.prompt_tok), None, None, cell.trials_count)
        deepest = Estimate(float(cell.load.prompt_tok), None, None, cell.trials_count)
    return deepest


def _balance(one: Contender, evidence: Evidence) -> Estimate | None:
    """Share of right answers times share of speed times share of memory left, each from 0 to 1.

    Speed counts from "acceptable" to "excellent" on a logarithmic scale, because it is felt in ratios.
    """
    speed, memory = one.lowest(INTERACTIVE, "decode_tok_per_s"), _present(one.memory(INTERACTIVE))
    right = one.right()
    if speed is None or memory is None or right is None or not evidence.memory_bytes:
        return None
    excellent, _, acceptable = evidence.bands["decode_tok_per_s"]
    felt = _logarithmic_share(speed.value, acceptable, excellent)
    left = max(0.0, 1 - memory.value / evidence.memory_bytes)
    return Estimate(right[0] / right[1] * felt * left, None, None, speed.trials_count)


def _logarithmic_share(value: float, low: float, high: float) -> float:
    """0 at ``low`` and below, 1 at ``high`` and above, by ratios between."""
    return min(max(log(max(value, 1e-9) / low) / log(high / low), 0.0), 1.0)


def _level(use: Use, one: Contender, rating: Rating) -> int:
    """0 is best; up to ``LEVELS_GOOD_ENOUGH`` exclusive something can be recommended."""
    rank = ORDER.index(rating)
    if one.damaged:
        return 5 if rank <= ORDER.index(use.least) else 6
    if rank > ORDER.index(use.least):
        return 4 if one.doubtful else 3
    if one.doubtful:
        return 2
    return 0 if rank <= ORDER.index(use.good) else 1


def _capable(one: Contender, value: Estimate) -> tuple[float, ...]:
    """The most capable, then the value that decides."""
    return (*one.capability, value.value)


_MERITS: Mapping[str, Callable[[Contender, Estimate], tuple[float, ...]]] = {
    "capable": _capable,
    "lean": lambda one, value: (-value.value, *_capable(one, value)),
    "deep": lambda one, value: (min(value.value, DEEP_ENOUGH_TOK), *_capable(one, value)),
    "busy": lambda one, value: (value.value, *_capable(one, value)),
    "balanced": lambda one, value: (value.value, *_capable(one, value)),
}


def ranking(use: Use, judged: Sequence[Judged]) -> list[Judged]:
    """Best first: each is what the rule chooses among those that are left."""
    rest, ranked = list(judged), []
    while rest:
        best = max(peers(use, rest), key=lambda one: (one.merit, one.key))
        ranked.append(best)
        rest.remove(best)
    return ranked


def peers(use: Use, judged: Sequence[Judged]) -> list[Judged]:
    """Those of the best level whose answers are not proven worse than those of another of them."""
    level = min(one.level for one in judged)
    same = [one for one in judged if one.level == level]
    if use.order == "balanced":
        return same  # right answers are part of the product
    told = [one.right for one in same if one.right]
    if not told:
        return same
    best = max(told, key=lambda right: (right[0] / right[1], right[1]))
    return [one for one in same if one.right is None or not clearly_worse(one.right, best)]


def ties(use: Use, ranked: Sequence[Judged]) -> list[Judged]:
    """Peers of the first that differ from it only by what this run cannot tell."""
    by_speed = use.order in {"capable", "deep"}
    winner = ranked[0]
    return [
        one
        for one in peers(use, ranked)
        if one is not winner and tied(one.value, winner.value) and (not by_speed or one.merit[:-1] == winner.merit[:-1])
    ]
