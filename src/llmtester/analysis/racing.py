"""Which configurations need no further trial, because the decision no longer depends on them. Pure.

The decision is the one of ``analysis.advice`` for a chat: of what is fast enough the most capable wins, and among
equals the fastest. So being slow is no reason to be dropped: a slower but larger model may be the better advice. One is

- ``dropped`` when another of at least its capability is reliably faster under every load and not worse rated,
- ``settled`` when it cannot win any more (too slow for sure while another is not, or a more capable one is fast enough
  for sure) and no further trial would change its word,
- a ``tie`` when it can still win, was measured often enough, and every rival of equal capability is within 3 %,
- ``ready`` when it can still win, was measured often enough, no further trial would change its word and no rival is
  left. Who has nobody to race with is ready as soon as that holds for its own word.

No trial changes a word that is certain, because the interval of every deciding metric lies within one band. One that
lies so near a limit that the trials which are left will hardly tell is not waited for (futility by conditional power:
Lan, Simon and Halperin, 1982), unless there is nobody to race with, when nobody waits.

Verdicts fall only after whole rounds, from the trials of those rounds, so that they are the same whenever and in
whichever process they are asked for. Differences are taken between trials of the same number (what one prompt costs
cancels out) with one variance for all, floored by what two starts of one server differ in, and tested at a level that
is shared among all pairs and rounds. Source: facts/measuring.md, section 3; docs/decisions/0060-racing.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llmtester.analysis import ratings
from llmtester.analysis.advice_ranking import LEVELS_GOOD_ENOUGH
from llmtester.analysis.advice_rules import TIE_RATIO
from llmtester.analysis.ratings import ORDER, Bands
from llmtester.analysis.stats import median, student_t
from llmtester.analysis.summary import Estimate, MetricInfo, RaceVerdict, Rating
from llmtester.domain.text import printable

TIE_LN = math.log1p(TIE_RATIO)

ALPHA = 0.05
"""Chance that a whole race drops anything wrongly before it had its least number of trials, and chance for one pair
after that, when all that is at stake is the end of a long look at two nearly equal ones."""

WORD_ALPHA = 0.01
"""Chance that a word which is called certain is not the right one."""

FUTILE_CHANCE = 0.2
"""A word is not waited for whose chance to become more certain is about this or less; usual in sequential trials."""

LAUNCH_SD_LN = 0.01
"""What two starts of the same server may differ in, as a standard deviation of ln(speed): an assumption, on the safe
side of the 3 % that are called a tie; nobody has measured it over many machines."""

LEAST_SD_LN = 0.003
"""A quieter machine than this is not believed."""

CLIP_MADS = 3.0
_SD_OF_MAD = 1.4826
_GOOD, _ACCEPTABLE = ORDER.index(Rating.GOOD), ORDER.index(Rating.ACCEPTABLE)
_UNKNOWN = (0, ORDER.index(Rating.FAILED))

Lane = tuple[str, str]
"""Load name and metric name."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """One target in the race of one profile.

    ``logs`` maps a lane to the natural logarithms of its trials by trial number, ``None`` where a trial has no value.
    ``rounds_count`` is how many rounds it has finished under every load. ``doubtful``: it has so few bits that its
    answers are probably damaged, so that it stands below everything that is acceptable. ``closed`` are the loads that
    get no further trial, being as precise as they were wanted.
    """

    key: str
    label: str
    parameters_count: float
    bits_per_weight: float
    doubtful: bool
    logs: Mapping[Lane, Sequence[float | None]]
    rounds_count: int
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """What is raced for: the deciding ``metrics`` with their ``bands``, and ``speed``, the one that decides among
    equals. ``quotas`` maps a load to the trials that each round ends with, ``least`` to the fewest that a winner needs.
    ``bits_decide``: nobody measures the answers, so more bits count as more capable. ``one_start``: all rounds are in
    one start of the server, because nobody else needs the machine.
    """

    metrics: tuple[MetricInfo, ...]
    speed: str
    bands: Bands
    quotas: Mapping[str, tuple[int, ...]]
    least: Mapping[str, int]
    bits_decide: bool = True
    one_start: bool = False


def quotas(visit_trials: int, max_trials: int) -> tuple[int, ...]:
    """How many trials a cell has after each visit of its server: ``visit_trials`` more each time, up to
    ``max_trials``; a last visit of less than that is joined to the one before."""
    ends = list(range(visit_trials, max_trials, visit_trials))
    if ends and max_trials - ends[-1] < visit_trials and len(ends) > 1:
        ends.pop()
    return (*ends, max_trials)


def judge(entrants: Sequence[Entrant], rules: Rules) -> dict[str, RaceVerdict]:
    """The verdict on every entrant that needs no further trial, by target key.

    The race is run again from its start, round by round, as far as all who are still in it have come.
    """
    verdicts: dict[str, RaceVerdict] = {}
    for place in range(max(len(ends) for ends in rules.quotas.values())):
        racing = [entrant for entrant in entrants if entrant.key not in verdicts]
        if not racing or any(entrant.rounds_count <= place for entrant in racing):
            break
        verdicts |= _Round(entrants, rules, place, verdicts).verdicts()
    return verdicts


class _Round:
    """What the trials up to the end of one round say."""

    def __init__(
        self, entrants: Sequence[Entrant], rules: Rules, place: int, before: Mapping[str, RaceVerdict]
    ) -> None:
        self._rules = rules
        self._alive = [entrant for entrant in entrants if entrant.key not in before]
        self._standing = [
            entrant for entrant in entrants if entrant.key not in before or before[entrant.key].word != "dropped"
        ]
        self._launches = 1 if rules.one_start else place + 1
        looks = max(len(quota) for quota in rules.quotas.values())
        self._most_launches = looks
        self._ends = {load: quota[min(place, len(quota) - 1)] for load, quota in rules.quotas.items()}
        self._enough = all(end >= rules.least[load] for load, end in self._ends.items())
        self._level = ALPHA if self._enough else ALPHA / (max(1, len(entrants) - 1) * looks)
        self._logs = {entrant.key: self._until_here(entrant) for entrant in entrants}
        self._lanes = [(load, info.name) for load in rules.quotas for info in rules.metrics]
        self._infos = {info.name: info for info in rules.metrics}
        self._own = {lane: self._own_spread(lane) for lane in self._lanes}
        self._paired = {lane: self._paired_spread(lane) for lane in self._lanes}
        self._ranks = {entrant.key: self._rank_range(entrant.key) for entrant in self._standing}
        self._level_sure = min(_level(self._ranks[one.key][1], one) for one in self._standing)
        self._level_possible = min(_level(self._ranks[one.key][0], one) for one in self._standing)

    def verdicts(self) -> dict[str, RaceVerdict]:
        """Verdicts that fall at the end of this round."""
        found: dict[str, RaceVerdict] = {}
        contenders = []
        for entrant in self._alive:
            faster = self._dominator(entrant)
            if faster:
                found[entrant.key] = self._dropped(entrant, faster)
                continue
            best, worst = self._ranks[entrant.key]
            above = self._above(entrant)
            if _level(best, entrant) <= self._level_sure and not above:
                contenders.append(entrant)
            elif best == worst or self._would_not_tell(entrant):
                found[entrant.key] = self._settled(entrant, above)
        for entrant in contenders:
            verdict = self._won(entrant, contenders)
            if verdict:
                found[entrant.key] = verdict
        return found

    def _above(self, entrant: Entrant) -> list[Entrant]:
        """Those that are more capable and stand, for sure, on the best level that anybody can reach."""
        if self._level_possible >= LEVELS_GOOD_ENOUGH:
            return []  # nothing is good enough, and then what comes closest is a question of speed
        return [
            other
            for other in self._standing
            if self._capability(other) > self._capability(entrant)
            and _level(self._ranks[other.key][1], other) <= self._level_possible
        ]

    def _capability(self, entrant: Entrant) -> tuple[float, ...]:
        bits = (entrant.bits_per_weight,) if self._rules.bits_decide else ()
        return (entrant.parameters_count, *bits)

    def _until_here(self, entrant: Entrant) -> dict[Lane, list[float | None]]:
        return {lane: list(logs[: self._ends[lane[0]]]) for lane, logs in entrant.logs.items()}

    def _rank_range(self, key: str) -> tuple[int, int]:
        """The best and the worst word, as places of ``ORDER``, that this entrant may deserve."""
        best = worst = 0
        for lane in self._lanes:
            if lane not in self._logs[key]:
                continue  # this model's context is too short for the load
            low, high = self._lane_ranks(key, lane)
            best, worst = max(best, low), max(worst, high)
        return best, worst

    def _lane_ranks(self, key: str, lane: Lane) -> tuple[int, int]:
        """The best and the worst word that a lane may deserve."""
        values = _clipped([value for value in self._logs[key][lane] if value is not None])
        spread = self._own[lane]
        if not values or spread is None:
            return _UNKNOWN
        sd, degrees = spread
        half = _one_sided_t(WORD_ALPHA / 2, degrees) * _error(sd, len(values), self._launches)
        return self._words_within(lane, sum(values) / len(values), half)

    def _words_within(self, lane: Lane, middle: float, half: float) -> tuple[int, int]:
        ends = [
            ORDER.index(ratings.rate(math.exp(end), self._infos[lane[1]], self._rules.bands))
            for end in (middle - half, middle + half)
        ]
        return min(ends), max(ends)

    def _would_not_tell(self, entrant: Entrant) -> bool:
        """Whether further trials would leave the word open: no lane that could still make it worse than it is at best
        is likely to become more certain."""
        best, _ = self._ranks[entrant.key]
        own = self._logs[entrant.key]
        spoiling = [lane for lane in self._lanes if lane in own and self._lane_ranks(entrant.key, lane)[1] > best]
        return not any(self._would_tell(entrant, lane) for lane in spoiling)

    def _would_tell(self, entrant: Entrant, lane: Lane) -> bool:
        load, _ = lane
        if load in entrant.closed and len(entrant.logs[lane]) <= self._ends[load]:
            return False
        values = _clipped([value for value in self._logs[entrant.key][lane] if value is not None])
        spread = self._own[lane]
        if self._rules.one_start or not values or spread is None:
            return True
        sd, degrees = spread
        most = max(len(values), self._rules.quotas[load][-1])
        now, end = _error(sd, len(values), self._launches), _error(sd, most, self._most_launches)
        half = _one_sided_t(WORD_ALPHA / 2, degrees + most - len(values)) * end
        drift = _one_sided_t(FUTILE_CHANCE, degrees) * math.sqrt(max(0.0, now**2 - end**2))
        middle, present = sum(values) / len(values), self._lane_ranks(entrant.key, lane)
        return any(self._words_within(lane, middle + moved, half) != present for moved in (-drift, 0.0, drift))

    def _dominator(self, entrant: Entrant) -> Entrant | None:
        """The fastest of those that are at least as capable, reliably faster and not worse rated."""
        found = [
            other
            for other in self._standing
            if other is not entrant and self._is_as_capable(other, entrant) and self._beats(other, entrant)
        ]
        return min(found, key=lambda other: self._gap(entrant, other) or 0.0) if found else None

    def _is_as_capable(self, other: Entrant, entrant: Entrant) -> bool:
        if other.doubtful and not entrant.doubtful:
            return False
        if self._rules.bits_decide:
            return self._capability(other) >= self._capability(entrant)
        return other.parameters_count >= entrant.parameters_count and other.bits_per_weight >= entrant.bits_per_weight

    def _beats(self, other: Entrant, entrant: Entrant) -> bool:
        shared = [lane for lane in self._lanes if lane in entrant.logs and lane in other.logs]
        if not shared or any(lane in entrant.logs and lane not in other.logs for lane in self._lanes):
            return False
        for lane in shared:
            found = self._difference(entrant, other, lane)
            if found is None:
                return False
            mean, error, degrees = found
            if lane[1] == self._rules.speed:
                if mean + _one_sided_t(self._level, degrees) * error >= 0:
                    return False
            elif mean > TIE_LN and self._lane_ranks(other.key, lane)[1] > self._lane_ranks(entrant.key, lane)[0]:
                return False
        return True

    def _difference(self, entrant: Entrant, other: Entrant, lane: Lane) -> tuple[float, float, int] | None:
        """Mean of ln(entrant) - ln(other), positive where the entrant is better; its standard error and degrees."""
        spread = self._paired[lane]
        pairs = _clipped(self._pairs(entrant.key, other.key, lane))
        if not pairs or spread is None:
            return None
        sd, degrees = spread
        error = math.hypot(sd / math.sqrt(len(pairs)), LAUNCH_SD_LN * math.sqrt(2 / self._launches))
        return sum(pairs) / len(pairs), error, degrees

    def _pairs(self, one: str, other: str, lane: Lane) -> list[float]:
        sign = 1 if self._infos[lane[1]].better == "higher" else -1
        both = zip(self._logs[one].get(lane, ()), self._logs[other].get(lane, ()), strict=False)
        return [sign * (a - b) for a, b in both if a is not None and b is not None]

    def _gap(self, entrant: Entrant, other: Entrant) -> float | None:
        """The mean difference in speed under the load where the entrant is furthest behind."""
        found = [self._difference(entrant, other, lane) for lane in self._lanes if lane[1] == self._rules.speed]
        return min((difference[0] for difference in found if difference), default=None)

    def _own_spread(self, lane: Lane) -> tuple[float, int] | None:
        return _pooled([value for value in logs.get(lane, ()) if value is not None] for logs in self._logs.values())

    def _paired_spread(self, lane: Lane) -> tuple[float, int] | None:
        """The spread of a difference, pooled over all against the first: as wide for any other pair."""
        first = next((key for key, logs in self._logs.items() if any(x is not None for x in logs.get(lane, ()))), None)
        if first is None:
            return None
        return _pooled(self._pairs(key, first, lane) for key in self._logs if key != first)

    def _won(self, entrant: Entrant, contenders: Sequence[Entrant]) -> RaceVerdict | None:
        if not self._enough:
            return None
        best, worst = self._ranks[entrant.key]
        if best != worst and not self._would_not_tell(entrant):
            return None
        alike = self._capability(entrant)
        close = self._level_possible >= LEVELS_GOOD_ENOUGH
        rivals = [one for one in contenders if one is not entrant and (close or self._capability(one) == alike)]
        gaps = [self._gap(entrant, rival) for rival in rivals]
        if any(gap is None or abs(gap) > TIE_LN for gap in gaps):
            return None
        if not rivals:
            return RaceVerdict("ready", self._word(entrant))
        nearest = min(rivals, key=lambda rival: abs(self._gap(entrant, rival) or 0.0))
        said = f"as fast as {printable(nearest.label)}, within 3 %"
        return RaceVerdict("tie", said, nearest.key, self._ratio(entrant, nearest))

    def _dropped(self, entrant: Entrant, faster: Entrant) -> RaceVerdict:
        ratio = self._ratio(entrant, faster)
        said = f"dropped: slower than {printable(faster.label)}"
        if ratio and ratio.low is not None and ratio.high is not None:
            said += f" by {1 - ratio.value:.0%} ({max(0.0, 1 - ratio.high):.0%} to {1 - ratio.low:.0%})".replace(
                "%", " %"
            )
        return RaceVerdict("dropped", said, faster.key, ratio)

    def _settled(self, entrant: Entrant, above: Sequence[Entrant]) -> RaceVerdict:
        because = f"{printable(above[0].label)} is larger and fast enough" if above else "another is rated better"
        return RaceVerdict("settled", f"{self._word(entrant)}; {because}")

    def _word(self, entrant: Entrant) -> str:
        best, worst = (ORDER[rank].value for rank in self._ranks[entrant.key])
        return f"{best} for certain" if best == worst else f"{best} or {worst}, and more trials would hardly tell"

    def _ratio(self, entrant: Entrant, other: Entrant) -> Estimate | None:
        """Speed of the entrant over that of the other, under the load where it is furthest behind."""
        lanes = [lane for lane in self._lanes if lane[1] == self._rules.speed]
        found = [(d, lane) for lane in lanes if (d := self._difference(entrant, other, lane))]
        if not found:
            return None
        (mean, error, degrees), lane = min(found)
        half = _one_sided_t(ALPHA / 2, degrees) * error
        count = len(self._pairs(entrant.key, other.key, lane))
        return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), count)


def _level(rank: int, entrant: Entrant) -> int:
    """The level on which a word puts it, as ``analysis.advice_ranking`` has them."""
    if rank > _ACCEPTABLE:
        return LEVELS_GOOD_ENOUGH + entrant.doubtful
    return 2 if entrant.doubtful else int(rank > _GOOD)


def _error(sd: float, trials_count: int, launches_count: int) -> float:
    """Standard error of a mean over trials in so many starts of a server."""
    return math.hypot(sd / math.sqrt(trials_count), LAUNCH_SD_LN / math.sqrt(launches_count))


def _pooled(series: Iterable[Sequence[float]]) -> tuple[float, int] | None:
    """Pooled standard deviation, floored, and its degrees of freedom; ``None`` without any."""
    squares, degrees = 0.0, 0
    for values in series:
        if len(values) < 2:
            continue
        kept = _clipped(values)
        mean = sum(kept) / len(kept)
        squares += sum((value - mean) ** 2 for value in kept)
        degrees += len(kept) - 1
    return (max(LEAST_SD_LN, math.sqrt(squares / degrees)), degrees) if degrees else None


def _clipped(values: Sequence[float]) -> list[float]:
    """The values with outliers drawn in to three standard deviations as the median absolute deviation sees them."""
    if len(values) < 3:
        return list(values)
    middle = median(values)
    reach = CLIP_MADS * _SD_OF_MAD * median([abs(value - middle) for value in values])
    return [min(max(value, middle - reach), middle + reach) for value in values]


@lru_cache(maxsize=1024)
def _one_sided_t(level: float, degrees: int) -> float:
    return student_t(1 - 2 * level, degrees)
