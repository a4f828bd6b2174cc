"""Races of entrants made by hand, every limit from both sides. Milliseconds, for mutants.

The limits are written out here from the rules of the race: spread, launches, level and Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmtester.analysis.racing import Entrant, Rules, judge, quotas
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.stats import student_t
from llmtester.analysis.summary import Estimate, MetricInfo, RaceVerdict

TTFT = MetricInfo("ttft_ms", "Time to first token", "ms", "lower", "")
DECODE = MetricInfo("decode_tok_per_s", "Writing speed", "tok/s", "higher", "")
SPEED, WAIT = ("short", "decode_tok_per_s"), ("short", "ttft_ms")
LONG_SPEED = ("long", "decode_tok_per_s")
D = 0.01
TIE_LN = math.log(1.03)
CLIP = 3 * 1.4826
NEAR = 1e-6


def around(value: float, *offsets: float) -> list[float]:
    """Logarithms of trials that differ from a value by so much."""
    return [math.log(value) + offset for offset in offsets or (D, -D)]


def still(value: float, count: int = 2) -> list[float]:
    return [math.log(value)] * count


def entrant(key: str, speed: Sequence[float | None] | None = None, **more: object) -> Entrant:
    logs = {} if speed is None else {SPEED: speed}
    made = Entrant(key, f"model {key}", 3e9, 5.0, doubtful=False, logs=logs, rounds_count=1)
    return replace(made, **more)


def rules(*ends: int, least: int = 100, **more: object) -> Rules:
    made = Rules((DECODE,), "decode_tok_per_s", BANDS, {"short": ends or (2, 4, 6)}, {"short": least})
    return replace(made, **more)


def two_loads(*ends: int, least: int = 100, **more: object) -> Rules:
    made = rules(**more)
    return replace(made, quotas={"short": ends, "long": ends}, least={"short": least, "long": least})


def words(*entrants: Entrant, by: Rules | None = None) -> dict[str, str]:
    return {key: verdict.word for key, verdict in judge(entrants, by or rules()).items()}


def sd(*series: Sequence[float]) -> tuple[float, int]:
    """Standard deviation pooled over series, and its degrees of freedom."""
    squares = sum(sum((value - sum(values) / len(values)) ** 2 for value in values) for values in series)
    degrees = sum(len(values) - 1 for values in series)
    return math.sqrt(squares / degrees), degrees


def difference_limit(spread: tuple[float, int], pairs_count: int, launches: int, level: float) -> float:
    """How far apart two must be to be told apart at a one-sided level."""
    error = math.hypot(spread[0] / math.sqrt(pairs_count), 0.01 * math.sqrt(2 / launches))
    return student_t(1 - 2 * level, spread[1]) * error


def word_limit(spread: tuple[float, int], trials_count: int, launches: int) -> float:
    """How far from a band's limit one must be for its word to be certain: 1 % in all, half on each side."""
    error = math.hypot(spread[0] / math.sqrt(trials_count), 0.01 / math.sqrt(launches))
    return student_t(0.99, spread[1]) * error


def futile_limit(spread: tuple[float, int], trials: tuple[int, int], launches: tuple[int, int]) -> float:
    """How far from a limit one may be for its word to stay open, by all but one chance in five on that side: the width
    after all trials in all starts, less how far the mean may move till then. Trials and launches are now and at last.
    """
    now, last = (
        math.hypot(spread[0] / math.sqrt(t), 0.01 / math.sqrt(s)) for t, s in zip(trials, launches, strict=True)
    )
    drift = student_t(0.6, spread[1]) * math.sqrt(now**2 - last**2)
    return word_limit((spread[0], spread[1] + trials[1] - trials[0]), trials[1], launches[1]) - drift


@pytest.mark.parametrize(
    ("visit", "most", "ends"),
    [
        (2, 10, (2, 4, 6, 8, 10)),
        (3, 10, (3, 6, 10)),
        (3, 9, (3, 6, 9)),
        (4, 10, (4, 10)),
        (4, 15, (4, 8, 15)),
        (6, 10, (6, 10)),
        (5, 10, (5, 10)),
        (10, 10, (10,)),
        (12, 10, (10,)),
        (1, 1, (1,)),
    ],
)
def test_a_short_last_visit_is_joined_to_the_one_before(visit: int, most: int, ends: tuple[int, ...]) -> None:
    """Unless there would be one visit only."""
    assert quotas(visit, most) == ends


def test_who_is_dropped_is_told_by_whom_and_by_how_much() -> None:
    """40 against 60 tok/s: a third slower, with the 95 % interval of the ratio."""
    fast = entrant("fast", around(60), label="fast\x1b[2J")
    found = judge([entrant("slow", still(40)), fast], rules())
    half = difference_limit((D * math.sqrt(2), 1), 2, 1, 0.025)
    assert half == pytest.approx(12.706204736 * D * math.sqrt(3))
    verdict = found.pop("slow")
    assert not found
    assert verdict.word == "dropped"
    assert verdict.against == "fast"
    assert verdict.because == "dropped: slower than fast\\x1b[2J by 33 % (17 % to 47 %)"
    assert verdict.ratio == Estimate(
        pytest.approx(2 / 3), pytest.approx(2 / 3 * math.exp(-half)), pytest.approx(2 / 3 * math.exp(half)), 2
    )


def test_an_interval_of_a_loss_does_not_reach_below_nothing() -> None:
    """After enough trials five in a hundred may be dropped wrongly, so that the 95 % interval may hold equality."""
    spread = sd([D, -D, D, -D])
    gap = (difference_limit(spread, 4, 1, 0.05) + difference_limit(spread, 4, 1, 0.025)) / 2
    found = judge(
        [entrant("slow", still(60, 4)), entrant("fast", around(60 * math.exp(gap), D, -D, D, -D))],
        rules(4, 8, least=4),
    )
    low = math.exp(-gap - difference_limit(spread, 4, 1, 0.025))
    said = f"by {round(100 - 100 * math.exp(-gap))} % (0 % to {round(100 - 100 * low)} %)"
    assert found["slow"].because == f"dropped: slower than model fast {said}"
    assert found["slow"].ratio is not None
    assert found["slow"].ratio.high is not None
    assert found["slow"].ratio.high > 1
    assert found["fast"] == RaceVerdict("ready", "excellent for certain")


@pytest.mark.parametrize("bystanders", [0, 1, 3])
@pytest.mark.parametrize("one_start", [False, True])
@pytest.mark.parametrize(
    ("rounds", "least"),
    [(1, 3), (2, 5), (2, 4), (2, 3), (1, 2)],
)
def test_how_far_behind_is_reliably_slower(rounds: int, least: int, bystanders: int, one_start: bool) -> None:
    """The level is shared among rivals and rounds until all have enough trials; every start adds to what is known."""
    count = 2 * rounds
    level = 0.05 if count >= least else 0.05 / (max(1, bystanders + 1) * 3)
    offsets = [D, -D] * rounds
    limit = difference_limit(sd(offsets), count, 1 if one_start else rounds, level)
    others = [
        entrant(f"small {n}", parameters_count=1e9, rounds_count=rounds) for n in range(bystanders)
    ]  # its context is too short for the load
    by = rules(least=least, one_start=one_start)
    for factor, dropped in ((1 + NEAR, True), (1 - NEAR, False)):
        slow = entrant("slow", still(60, count), rounds_count=rounds)
        fast = entrant("fast", around(60 * math.exp(limit * factor), *offsets), rounds_count=rounds)
        assert (words(slow, fast, *others, by=by).get("slow") == "dropped") is dropped
        assert (words(fast, *others, slow, by=by).get("slow") == "dropped") is dropped


@pytest.mark.parametrize(
    ("offsets", "kept"),
    [
        ((0.0, 0.0), None),
        ((0.001, -0.001), None),
        ((0.0, 0.01, 1.0), (0.0, 0.01, 0.01 + CLIP * 0.01)),
        ((0.0, 0.01, -1.0), (0.0, 0.01, 0.0 - CLIP * 0.01)),
        ((0.0, 0.01, -0.01, 0.5), (0.0, 0.01, -0.01, 0.005 + CLIP * 0.01)),
        ((0.0, 0.01, -0.01, -0.5), (0.0, 0.01, -0.01, -0.005 - CLIP * 0.01)),
    ],
)
def test_outliers_are_drawn_in_and_quiet_machines_not_believed(
    offsets: tuple[float, ...], kept: tuple[float, ...] | None
) -> None:
    """Three robust standard deviations from the middle is as far as a trial counts; 0.3 % is the least spread."""
    count = len(offsets)
    spread = sd(kept) if kept else (0.003, count - 1)
    mean = sum(kept) / count if kept else 0.0
    limit = difference_limit(spread, count, 1, 0.05 / 3)
    by = rules(count, 20, 21)
    for factor, dropped in ((1 + NEAR, True), (1 - NEAR, False)):
        speed = 60 * math.exp(limit * factor - mean)
        found = judge([entrant("slow", still(60, count)), entrant("fast", around(speed, *offsets))], by)
        assert ("slow" in found) is dropped
        if dropped:
            assert found["slow"].ratio.value == pytest.approx(math.exp(-limit * factor))
            half = difference_limit(spread, count, 1, 0.025)
            assert found["slow"].ratio.low == pytest.approx(math.exp(-limit * factor - half))
            assert found["slow"].ratio.high == pytest.approx(math.exp(-limit * factor + half))


def test_the_spread_of_a_difference_is_pooled_over_all_against_the_first() -> None:
    """With degrees of freedom from each; who has one trial adds none, and who has none is not the first."""
    mute = entrant("mute", [None, None], parameters_count=1e9)
    slow = entrant("slow", around(60, 0.0, 0.002))
    lone = entrant("lone", [math.log(60), None], parameters_count=1e9)
    other = entrant("other", around(60, 0.03, -0.01), parameters_count=1e9)
    spread = sd([0.03, -0.012], [0.01, -0.012])
    assert spread[1] == 2
    limit = difference_limit(spread, 2, 1, 0.05 / (4 * 3))
    for factor, dropped in ((1 + NEAR, True), (1 - NEAR, False)):
        fast = entrant("fast", around(60 * math.exp(limit * factor), 0.011, -0.009))
        found = words(mute, slow, lone, other, fast)
        assert (found.get("slow") == "dropped") is dropped


def test_trials_without_a_value_are_left_out_of_the_pairs() -> None:
    """Only trials of the same number that both have are compared: here two of four."""
    slow = entrant("slow", [math.log(40), None, math.log(40) + 0.2, math.log(40)])
    fast = entrant("fast", [math.log(60) + D, math.log(90), None, math.log(60) - D])
    ratio = judge([slow, fast], rules(4, 6, 8))["slow"].ratio
    assert ratio is not None
    assert ratio.value == pytest.approx(2 / 3)
    assert ratio.trials_count == 2


def test_without_any_pair_nobody_is_dropped() -> None:
    """No value, no common trial, or one common trial only among all: nothing is known of the spread."""
    lonely = entrant("lonely", [math.log(600), None])
    assert words(entrant("a", [None, math.log(40)]), lonely) == {}
    assert words(entrant("a", [math.log(40), None]), lonely) == {}
    assert words(entrant("a", [None, None]), lonely) == {}
    assert words(entrant("a", [None, None]), entrant("b", [None, None])) == {}
    assert words(entrant("a", [None, None]), entrant("b", around(60)), entrant("c", around(20)))["c"] == "dropped"
    assert "a" not in words(entrant("a", [None, None]), entrant("b", around(60)), entrant("c", around(20)))


LIMITS = ((30, "excellent", "good"), (15, "good", "acceptable"), (8, "acceptable", "poor"))


@pytest.mark.parametrize(("limit", "above", "below"), LIMITS)
@pytest.mark.parametrize(("rounds", "one_start"), [(1, False), (2, False), (2, True)])
def test_how_far_from_a_limit_a_word_is_certain(
    limit: float, above: str, below: str, rounds: int, one_start: bool
) -> None:
    """One alone is ready as soon as the interval of its speed lies within one band, whichever that is."""
    count = 4 * rounds
    offsets = [D, -D, D, -D] * rounds
    half = word_limit(sd(offsets), count, 1 if one_start else rounds)
    by = rules(4, 8, 12, least=count, one_start=one_start)
    for side, word in ((1, above), (-1, below)):
        for factor, certain in ((1 + NEAR, True), (1 - NEAR, False)):
            one = entrant("one", around(limit * math.exp(side * half * factor), *offsets), rounds_count=rounds)
            found = judge([one], by)
            assert found == ({"one": RaceVerdict("ready", f"{word} for certain")} if certain else {})


@pytest.mark.parametrize(("limit", "above", "below"), LIMITS)
@pytest.mark.parametrize("rounds", [1, 2])
def test_how_near_a_limit_more_trials_would_not_tell(limit: float, above: str, below: str, rounds: int) -> None:
    """If all twelve trials in three starts, with the spread of those that were made, would probably leave the word
    open, it is as good as it gets; who is alone is measured on."""
    count = 4 * rounds
    offsets = [D, -D, D, -D] * rounds
    half = futile_limit(sd(offsets), (count, 12), (rounds, 3))
    by = rules(4, 8, 12, least=count)
    verdict = RaceVerdict("ready", f"{above} or {below}, and more trials would hardly tell")
    for side in (1, -1):
        for factor, found in ((1 + NEAR, {}), (1 - NEAR, {"one": verdict})):
            one = entrant("one", around(limit * math.exp(side * half * factor), *offsets), rounds_count=rounds)
            assert judge([one], by) == found
            assert judge([one], replace(by, one_start=True)) == {}


def test_a_word_that_becomes_narrower_is_waited_for() -> None:
    """Three words now and two at the end are more certain, even if one would be better still."""
    offsets = [0.4, 0.1, -0.1, -0.4]
    one = entrant("one", around(15, *offsets))
    assert 15 * math.exp(-word_limit(sd(offsets), 4, 1)) < 8 < 15 * math.exp(-word_limit(sd(offsets), 40, 3))
    assert judge([one], rules(4, 8, 40, least=4)) == {}
    near = entrant("one", around(15, D, -D, D, -D))
    assert (
        judge([near], rules(4, 8, 40, least=4))["one"].because
        == "good or acceptable, and more trials would hardly tell"
    )


def test_a_load_that_gets_no_further_trial_leaves_the_word_as_it_is() -> None:
    """Precise enough, and its interval holds a limit: the trials of other loads would change nothing, except what was
    closed later than this round. Another load that may make it worse keeps it open."""
    by = two_loads(2, 4, 6, least=2, metrics=(TTFT, DECODE))
    logs = {SPEED: around(9000), WAIT: around(1050), LONG_SPEED: around(9000), ("long", "ttft_ms"): around(0.01)}
    one = entrant("one", logs=logs)
    assert judge([one], by) == {}
    assert judge([replace(one, closed=frozenset({"long"}))], by) == {}
    closed = replace(one, closed=frozenset({"short"}))
    verdict = RaceVerdict("ready", "excellent or good, and more trials would hardly tell")
    assert judge([closed], by) == {"one": verdict}
    assert judge([closed], replace(by, one_start=True)) == {"one": verdict}
    later = {**logs, WAIT: [*around(1050), *around(1050)]}
    assert judge([replace(closed, logs=later)], by) == {}
    worse = {**logs, ("long", "ttft_ms"): around(3200)}
    assert judge([replace(closed, logs=worse)], by) == {}


def test_an_outlier_is_drawn_in_before_a_word_is_given() -> None:
    """One bad trial of four does not decide the word, nor does a missing one."""
    kept = (0.0, 0.01, -0.01, -0.005 - CLIP * 0.01)
    limit = word_limit(sd(kept), 4, 1) - sum(kept) / 4
    for factor, found in ((1 + NEAR, {"one": "ready"}), (1 - NEAR, {})):
        logs = [None, *around(30 * math.exp(limit * factor), 0.0, 0.01, -0.01, -0.5)]
        assert words(entrant("one", logs), by=rules(5, 10, least=5)) == found


def test_the_own_spread_is_pooled_over_all() -> None:
    """Another's noise and degrees of freedom count for one's own word."""
    spread = sd([0.0, 0.01, 0.02], [0.0, 0.05, 0.06, 0.11])
    kept = [0.0, 0.01, 0.02]
    for factor, found in ((1 + NEAR, {"one": "ready", "large": "ready"}), (1 - NEAR, {"one": "ready"})):
        limit = word_limit(spread, 3, 1) - sum(kept) / 3
        large = entrant("large", [*around(30 * math.exp(limit * factor), *kept), None], parameters_count=8e9)
        small = entrant("one", around(2000, 0.0, 0.05, 0.06, 0.11))
        got = words(large, small, by=rules(4, 8, least=4))
        assert ("large" in got) is ("large" in found)


def test_a_word_is_the_worst_over_loads_and_metrics() -> None:
    """Fast under one load and slow to begin under another; a load that does not fit its context counts for nothing."""
    by = two_loads(2, 4, least=2, metrics=(TTFT, DECODE))
    logs = {
        SPEED: around(9000),
        WAIT: around(0.01),
        LONG_SPEED: around(9000),
        ("long", "ttft_ms"): around(1e6),
    }
    assert judge([entrant("one", logs=logs)], by)["one"].because == "poor for certain"
    del logs["long", "ttft_ms"]
    assert judge([entrant("one", logs=logs)], by)["one"].because == "excellent for certain"
    logs[SPEED] = around(1e-3)
    assert judge([entrant("one", logs=logs)], by)["one"].because == "poor for certain"


def loads(short: float | None, long: float | None) -> dict[tuple[str, str], list[float]]:
    """Speeds under two loads, with so little noise that the words and the order are certain."""
    speeds = {SPEED: short, LONG_SPEED: long}
    return {lane: around(speed, 0.001, -0.001, 0.001, -0.001) for lane, speed in speeds.items() if speed is not None}


BOTH = two_loads(4, 8, 12)


@pytest.mark.parametrize(
    ("slow", "fast", "dropped"),
    [
        (loads(100, 90), loads(130, 110), True),
        (loads(100, 110), loads(130, 90), False),
        (loads(110, 90), loads(100, 130), False),
        (loads(100, 90), loads(130, None), False),
        (loads(100, None), loads(130, 10), True),
        (loads(100, None), loads(None, 130), False),
        (loads(None, 90), loads(130, 110), True),
    ],
)
def test_who_is_dropped_is_slower_under_every_load_that_it_can_take(
    slow: dict[tuple[str, str], list[float]], fast: dict[tuple[str, str], list[float]], dropped: bool
) -> None:
    """And the other must take all of them, too."""
    found = words(entrant("slow", logs=slow), entrant("fast", logs=fast, parameters_count=3e9), by=BOTH)
    assert (found.get("slow") == "dropped") is dropped
    assert found.get("fast") != "dropped"


def test_the_ratio_is_the_one_under_the_load_where_it_is_furthest_behind() -> None:
    """And of several that are faster the one with the largest of these leads is named."""
    slow = entrant("slow", logs=loads(100, 100))
    even = entrant("even", logs=loads(140, 140))
    peak = entrant("peak", logs=loads(150, 110))
    for order in ((slow, even, peak), (peak, slow, even), (even, peak, slow)):
        found = judge(order, BOTH)["slow"]
        assert found.against == "peak"
        assert found.ratio is not None
        assert found.ratio.value == pytest.approx(100 / 150)
    assert judge([slow, replace(even, logs=loads(110, 140))], BOTH)["slow"].ratio.value == pytest.approx(100 / 140)


def test_a_load_with_fewer_rounds_keeps_its_last_quota() -> None:
    """The rounds are counted by the load with the most; the shared level is divided by that number of looks."""
    by = replace(rules(2, 4, 6), quotas={"long": (2,), "short": (2, 4, 6)}, least={"long": 2, "short": 100})
    level = 0.05 / 3
    limit = difference_limit(sd([D, -D, D, -D]), 4, 2, level)
    for factor, dropped in ((1 + NEAR, True), (1 - NEAR, False)):
        slow = {SPEED: still(100, 4), LONG_SPEED: around(100, 0.0, 0.0, 9.0, 9.0)}
        fast = {SPEED: around(100 * math.exp(limit * factor), D, -D, D, -D), LONG_SPEED: around(900)}
        found = words(entrant("slow", logs=slow, rounds_count=2), entrant("fast", logs=fast, rounds_count=2), by=by)
        assert (found.get("slow") == "dropped") is dropped


def waits(speed: float, wait_ms: float) -> dict[tuple[str, str], list[float]]:
    return {SPEED: around(speed, 0.001, -0.001, 0.001, -0.001), WAIT: around(wait_ms, 0.001, -0.001, 0.001, -0.001)}


@pytest.mark.parametrize(
    ("slow", "fast", "dropped"),
    [
        (waits(40, 500), waits(60, 700), True),  # waits longer, but that is excellent, too
        (waits(40, 500), waits(60, 2000), False),  # writes faster and is worse rated for its waiting time
        (waits(40, 500), waits(60, 400), True),
        (waits(40, 2000), waits(60, 500), True),
        (waits(40, 990), waits(60, 990 * 1.03 * (1 + NEAR)), False),  # the word may be worse, and it is beyond a tie
        (waits(40, 990), waits(60, 990 * 1.03 * (1 - NEAR)), True),
        (waits(40, 1000), waits(60, 1040), False),  # good for sure, and the slow one may be excellent
        (waits(40, 940), waits(60, 1000), False),  # may be good only, and the slow one is excellent for sure
        (waits(40, 700), waits(60, 1040), False),
        ({**waits(40, 500), WAIT: [None] * 4}, waits(60, 500), False),
    ],
)
def test_who_drops_another_is_not_worse_rated(
    slow: dict[tuple[str, str], list[float]], fast: dict[tuple[str, str], list[float]], dropped: bool
) -> None:
    """Beyond what is called a tie, a metric that is not speed counts by its word."""
    by = rules(4, 8, 12, metrics=(TTFT, DECODE))
    found = words(entrant("slow", logs=slow), entrant("fast", logs=fast), by=by)
    assert (found.get("slow") == "dropped") is dropped


LARGE, SMALL = {"parameters_count": 8e9}, {"parameters_count": 1e9}
MORE_BITS, FEWER_BITS = {"bits_per_weight": 8.0}, {"bits_per_weight": 4.0}
DOUBTFUL = {"doubtful": True}


@pytest.mark.parametrize(
    ("slow", "fast", "bits_decide", "dropped"),
    [
        ({}, LARGE, True, True),
        ({}, SMALL, True, False),
        ({}, MORE_BITS, True, True),
        ({}, FEWER_BITS, True, False),
        ({}, LARGE | FEWER_BITS, True, True),
        ({}, SMALL | MORE_BITS, True, False),
        ({}, {}, False, True),
        ({}, LARGE, False, True),
        ({}, MORE_BITS, False, True),
        ({}, FEWER_BITS, False, False),
        ({}, LARGE | FEWER_BITS, False, False),
        ({}, SMALL | MORE_BITS, False, False),
        ({}, DOUBTFUL, True, False),
        ({}, DOUBTFUL | LARGE, False, False),
        (DOUBTFUL, DOUBTFUL, True, True),
        (DOUBTFUL, {}, True, True),
    ],
)
def test_only_who_is_as_capable_drops_another(
    slow: dict[str, object], fast: dict[str, object], bits_decide: bool, dropped: bool
) -> None:
    """Parameters come first, then bits; where answers are measured, both must be at least as many."""
    pair = entrant("slow", around(40), **slow), entrant("fast", around(60), **fast)
    found = words(*pair, by=rules(bits_decide=bits_decide))
    assert (found.get("slow") == "dropped") is dropped
    assert found.get("fast") != "dropped"


def verdicts(*entrants: Entrant, least: int = 100, **more: object) -> dict[str, str]:
    found = judge(entrants, rules(4, 8, 12, least=least, **more))
    return {key: verdict.because for key, verdict in found.items()}


def steady(key: str, speed: float, **more: object) -> Entrant:
    return entrant(key, around(speed, 0.001, -0.001, 0.001, -0.001), **more)


@pytest.mark.parametrize(
    ("entrants", "found"),
    [
        # a larger one is good enough for sure
        (
            (steady("a", 60, **SMALL), steady("b\x1b", 20)),
            {"a": "excellent for certain; b\\x1b is larger and fast enough"},
        ),
        ((steady("a", 60, **FEWER_BITS), steady("b", 20)), {"a": "excellent for certain; b is larger and fast enough"}),
        # ... but not on the best level, which the smaller one reaches
        ((steady("a", 60, **SMALL), steady("b", 10)), {"b": "acceptable for certain; another is rated better"}),
        ((steady("a", 60, **SMALL), steady("b", 5)), {"b": "poor for certain; another is rated better"}),
        ((steady("a", 10, **SMALL), steady("b", 5)), {"b": "poor for certain; another is rated better"}),
        # ... or both are
        ((steady("a", 12, **SMALL), steady("b", 10)), {"a": "acceptable for certain; b is larger and fast enough"}),
        # at the limit of the best level nothing is sure about the other either
        ((steady("a", 60, **SMALL), steady("b", 15)), {}),
        ((steady("a", 10, **SMALL), steady("b", 8)), {}),
        ((steady("a", 15, **SMALL), steady("b", 10)), {}),
        # ... but who cannot win need not know its word, if it would never know it
        (
            (steady("a", 60), steady("b", 8, **LARGE)),
            {"b": "acceptable or poor, and more trials would hardly tell; another is rated better"},
        ),
        (
            (steady("a", 30, **SMALL), steady("b", 20)),
            {"a": "excellent or good, and more trials would hardly tell; b is larger and fast enough"},
        ),
        # nothing is good enough: then size does not matter
        ((steady("a", 7, **SMALL), steady("b", 5)), {}),
        # damaged answers stand below what is acceptable and above what is poor
        ((steady("a", 60, **DOUBTFUL), steady("b", 10)), {"a": "excellent for certain; another is rated better"}),
        ((steady("a", 60, **DOUBTFUL), steady("b", 5)), {"b": "poor for certain; another is rated better"}),
        ((steady("a", 7, **DOUBTFUL), steady("b", 5)), {"a": "poor for certain; another is rated better"}),
        (
            (steady("a", 60, **DOUBTFUL), steady("b", 10, **DOUBTFUL | LARGE)),
            {"a": "excellent for certain; b is larger and fast enough"},
        ),
    ],
)
def test_who_cannot_win_and_whose_word_is_certain_is_settled(
    entrants: tuple[Entrant, ...], found: dict[str, str]
) -> None:
    """Whatever their order, and only they, before anybody has enough trials."""
    named = tuple(replace(one, label=one.key) for one in entrants)
    keys = {one.key: one.key[0] for one in named}
    for order in (named, named[::-1]):
        judged = judge(order, rules(4, 8, 12))
        assert {keys[key]: verdict.because for key, verdict in judged.items()} == found
        assert {verdict.word for verdict in judged.values()} <= {"settled"}
        assert all(verdict.against is None and verdict.ratio is None for verdict in judged.values())


def test_more_bits_are_not_more_capable_where_answers_are_measured() -> None:
    """Then a slower one with more bits is a rival like any other."""
    pair = steady("a", 60, **FEWER_BITS), steady("b", 20, label="b")
    assert verdicts(*pair) == {"a": "excellent for certain; b is larger and fast enough"}
    assert verdicts(*pair, bits_decide=False) == {}


def test_the_first_of_those_above_is_named() -> None:
    """In the order in which they take part."""
    found = verdicts(steady("a", 60, **SMALL), steady("b", 20), steady("c", 18, **LARGE))
    assert found == {
        "a": "excellent for certain; model b is larger and fast enough",
        "b": "good for certain; model c is larger and fast enough",
    }


@pytest.mark.parametrize(("factor", "tied"), [(1 - NEAR, True), (1 + NEAR, False)])
def test_within_three_per_cent_is_a_tie(factor: float, tied: bool) -> None:
    """Of those with enough trials, a certain word and the same capability."""
    gap = TIE_LN * factor
    noise = 0.08
    one = entrant("one", around(6000, 0.0, 0.0, 0.0, 0.0), label="one\x1b")
    other = entrant("other", around(6000 * math.exp(gap), noise, -noise, noise, -noise))
    found = judge([one, other], rules(4, 8, 12, least=4))
    if not tied:
        assert found == {}
        return
    half = difference_limit(sd([noise, -noise, noise, -noise]), 4, 1, 0.025)
    assert found["one"].word == found["other"].word == "tie"
    assert found["one"].because == "as fast as model other, within 3 %"
    assert found["other"].because == "as fast as one\\x1b, within 3 %"
    assert found["one"].against == "other"
    assert found["other"].against == "one"
    assert found["one"].ratio == Estimate(
        pytest.approx(math.exp(-gap)), pytest.approx(math.exp(-gap - half)), pytest.approx(math.exp(-gap + half)), 4
    )
    assert found["other"].ratio == Estimate(
        pytest.approx(math.exp(gap)), pytest.approx(math.exp(gap - half)), pytest.approx(math.exp(gap + half)), 4
    )
    assert judge([one, other], rules(4, 8, 12, least=5)) == {}


def tied(*speeds: float) -> dict[str, RaceVerdict]:
    noise = 0.08
    racing = [
        entrant(f"{speed:g}", around(speed, *(noise * sign for sign in ((1, -1, 1, -1) if at else (0, 0, 0, 0)))))
        for at, speed in enumerate(speeds)
    ]
    return judge(racing, rules(4, 8, 12, least=4))


def test_the_nearest_of_those_that_tie_is_named() -> None:
    """The second of three is nearest to both others; one that is too far from any keeps all racing but its friends."""
    found = tied(1000, 1015, 1024)
    assert {key: verdict.against for key, verdict in found.items()} == {"1000": "1015", "1015": "1024", "1024": "1015"}
    assert {key: verdict.word for key, verdict in tied(1000, 1020, 1040).items()} == {"1020": "tie"}


def test_an_open_word_or_an_unmeasured_rival_is_no_tie() -> None:
    """The one with the certain word ties with the other, which is raced on."""
    offsets = (0.001, -0.001, 0.001, -0.001)
    pair = entrant("a", around(30.8, *offsets)), entrant("b", around(31.3, *offsets))
    assert futile_limit((0.003, 6), (4, 12), (1, 3)) < math.log(30.8 / 30) < word_limit((0.003, 6), 4, 1)
    found = judge(pair, rules(4, 8, 12, least=4))
    assert "a" not in found
    mute = entrant("mute", [None] * 4)
    assert words(steady("a", 60), mute, by=rules(4, 8, least=4)) == {}
    assert words(steady("a", 60), replace(mute, **SMALL), by=rules(4, 8, least=4)) == {"a": "ready"}


def test_where_nothing_is_good_enough_all_are_rivals() -> None:
    """A larger model that is as slow ties with a smaller one; else capability tells them apart."""
    by = rules(4, 8, 12, least=4)
    assert words(steady("a", 5, **SMALL), steady("b", 5.0), by=by) == {"a": "tie", "b": "tie"}
    assert words(steady("a", 5, **SMALL), steady("b", 4.5), by=by) == {}
    unequal = steady("a", 60, **SMALL), steady("b", 15.4, label="b")
    assert words(*unequal, by=by) == {"a": "ready"}


def test_enough_is_enough_under_every_load() -> None:
    """One load that is short of its least keeps the winner racing."""
    one = entrant("one", logs=loads(60, 60))
    by = two_loads(4, 8, 12, least=4)
    assert words(one, by=by) == {"one": "ready"}
    assert words(one, by=replace(by, least={"short": 4, "long": 5})) == {}
    assert words(one, by=replace(by, least={"short": 5, "long": 4})) == {}


def test_a_round_is_judged_when_all_who_race_have_finished_it() -> None:
    """Those who are out need not come along, and nobody's later trials count for an earlier round."""
    slow = entrant("slow", [*around(40), *still(66)], rounds_count=1)
    fast = entrant("fast", [*around(60), *around(60)], rounds_count=2)
    by = rules(2, 4, 6, least=4)
    assert words(replace(slow, rounds_count=0), fast, by=by) == {}
    assert words(slow, replace(fast, rounds_count=0), by=by) == {}
    assert words(slow, replace(fast, rounds_count=1), by=by) == {"slow": "dropped"}
    assert words(slow, fast, by=by) == {"slow": "dropped", "fast": "ready"}
    assert words(replace(slow, rounds_count=3), fast, by=by) == {"slow": "dropped", "fast": "ready"}
    assert words(by=by) == {}


def test_who_was_dropped_drops_nobody_any_more() -> None:
    """Trials of a second round that more than make up for the first prove nothing against those who are left."""
    slow = entrant("slow", [*still(10), *still(10 * math.exp(30))], rounds_count=2)
    middle = entrant("middle", [*around(50, 0.2, -0.2), *still(50)], rounds_count=2)
    fast = entrant("fast", still(100, 4), rounds_count=2)
    assert words(fast, middle, slow, by=rules(least=4)) == {"slow": "dropped"}


def test_who_is_larger_waits_for_one_that_may_reach_a_better_level() -> None:
    """Acceptable is not yet the best level that anybody can reach while a small one may be good."""
    edge = steady("edge", 15, parameters_count=5e8)
    small, large = steady("small", 12, **SMALL), steady("large", 10)
    assert verdicts(small, large) == {"small": "acceptable for certain; model large is larger and fast enough"}
    assert verdicts(edge, small, large) == {}


def test_who_is_settled_still_drops_others() -> None:
    """It is out of the race, not out of what the advice may choose from."""
    offsets = (0.001, -0.001) * 4
    giant = entrant("giant", around(20, *offsets), parameters_count=30e9, rounds_count=2)
    small = entrant("small", around(31.8, *offsets), rounds_count=1)
    late = entrant("late", around(30.6, *offsets), rounds_count=2)
    by = rules(4, 8, 12)
    assert words(giant, small, replace(late, rounds_count=1), by=by) == {"small": "settled"}
    found = judge([giant, small, late], by)
    assert {key: verdict.word for key, verdict in found.items()} == {"small": "settled", "late": "dropped"}
    assert found["late"].against == "small"


def test_who_lacks_the_deciding_speed_is_dropped_without_a_ratio() -> None:
    """Its other metrics are no better, and there is nothing to tell by how much."""
    mute = entrant("mute", logs={WAIT: around(500)})
    fast = entrant("fast", logs={WAIT: around(500), SPEED: around(60)})
    found = judge([mute, fast], rules(2, 4, metrics=(TTFT, DECODE)))
    assert found["mute"] == RaceVerdict("dropped", "dropped: slower than model fast", "fast", None)


def test_words_are_those_of_the_bands_that_were_given() -> None:
    """40 tok/s is excellent by the built-in bands and poor for somebody who wants 60 at least."""
    alone = entrant("alone", around(40, 0.001, -0.001, 0.0))
    strict = {**BANDS, "decode_tok_per_s": (100.0, 80.0, 60.0)}
    lone = rules(3, least=3, one_start=True)
    assert judge([alone], lone)["alone"].because == "excellent for certain"
    assert judge([alone], replace(lone, bands=strict))["alone"].because == "poor for certain"


def test_a_load_that_one_cannot_hold_does_not_hide_the_others() -> None:
    """A model whose context is too short for the first load is judged by the second."""
    both = replace(two_loads(3, least=3, one_start=True), quotas={"long": (3,), "short": (3,)})
    short_only = entrant("short", around(20, 0.001, -0.001, 0.0))
    assert judge([short_only], both)["short"].because == "good for certain"


def test_loads_with_fewer_rounds_stay_at_their_last() -> None:
    """A load whose trials are used up enters later rounds with all of them."""
    quotas_of = {"short": (3,), "long": (3, 6)}
    ends = replace(rules(one_start=True), quotas=quotas_of, least={"short": 3, "long": 5})
    wide = around(40, 0.001, -0.001, 0.0)
    logs = {SPEED: wide, LONG_SPEED: [*wide, *wide]}
    made = entrant("alone", logs=logs, rounds_count=2)
    assert judge([made], ends)["alone"].word == "ready"
