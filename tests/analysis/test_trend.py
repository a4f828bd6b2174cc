"""Trends against brute force, counted distributions and simulation."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.stats import median
from llmtester.analysis.trend import Slope, block_medians, mann_kendall, straight_line, theil_sen

COORDINATES = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6).map(lambda value: round(value, 3)))
POINTS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=2, max_size=30)


def all_slopes(points: list[tuple[float, float]]) -> list[float]:
    pairs = itertools.combinations(sorted(points), 2)
    return [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairs if x0 != x1]


@given(POINTS)
def test_slope_is_the_median_of_all_slopes(points: list[tuple[float, float]]) -> None:
    """Whatever the points, ties included, the slope is that of the definition."""
    found = theil_sen([x for x, _ in points], [y for _, y in points])
    slopes = all_slopes(points)
    if not slopes:
        assert found is None
        return
    assert found is not None
    assert found.value == pytest.approx(
        median(slopes),
        rel=1e-9,
    )
    if found.low is not None and found.high is not None:
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize("seed", range(8))
def test_many_points_have_the_slope_of_the_definition(seed: int) -> None:
    """Slopes too many to list are found by counting, to the digit: noise, counters, equal and crowded places."""
    chance = random.Random(seed)
    places = [(float(at), at / 7, chance.random() * 1e9, float(at // 5))[seed // 2] for at in range(260)]
    values = [chance.gauss(0, 1) if seed % 2 else 4096.0 * chance.choice((0, 0, 0, 1)) for _ in places]
    found = theil_sen(places, values)
    assert found is not None
    assert found.value == pytest.approx(median(all_slopes(list(zip(places, values, strict=True)))), rel=1e-12)


@pytest.mark.untraced
def test_steps_of_a_counter_have_exactly_no_slope() -> None:
    """A reading that stays the same most of the time gives 0, not almost 0, and in no time."""
    assert theil_sen(range(2000), [4096.0 * (second > 1900) for second in range(2000)]) == Slope(
        0.0, 0.0, 0.0, 0.0, 2000
    )


@pytest.mark.untraced
def test_a_few_thousand_points_are_fast() -> None:
    """Half an hour of readings, once a second, costs less than one of them may take."""
    chance = random.Random(1)
    values = [0.001 * second + chance.gauss(0, 1) for second in range(2000)]
    started_s = time.process_time()
    found = theil_sen(range(2000), values)
    assert time.process_time() - started_s < 1
    assert found is not None
    assert found.low is not None
    assert found.low > 0
    assert found.value == pytest.approx(0.001, rel=0.1)
    assert found.intercept + 1000 * found.value == pytest.approx(1.0, rel=0.1)


def test_a_line_needs_two_places() -> None:
    """One place in x has no slope, and a value that is not finite is refused."""
    assert theil_sen([1.0, 1.0], [1.0, 2.0]) is None
    assert theil_sen([], []) is None
    with pytest.raises(ValueError, match="finite"):
        theil_sen([1.0, 2.0], [1.0, float("nan")])


@pytest.mark.parametrize("count", [5, 10, 30, 60])
def test_slope_interval_covers(count: int) -> None:
    """In 400 simulated series the 95 % interval holds the true slope in at least 92 %, also where few are exact."""
    hits = 0
    for seed in range(400):
        chance = random.Random(seed * 100 + count)
        found = theil_sen(range(count), [0.5 * at + chance.gauss(0, 1) for at in range(count)])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.5 <= found.high
    assert hits >= 0.92 * 400


def test_four_points_have_a_slope_but_no_interval() -> None:
    """The most extreme order of four values has p = 1/12, so 95 % cannot be reached."""
    found = theil_sen(range(4), [1.0, 2.0, 3.0, 5.0])
    assert found is not None
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_p_values_equal_the_counted_orders(count: int) -> None:
    """The p of an order is the share of all orders whose S is at least as far from 0."""
    orders = [tuple(map(float, order)) for order in itertools.permutations(range(count))]
    sums = [abs(mann_kendall(order).s) for order in orders]
    for order, distance in zip(orders, sums, strict=True):
        expected = sum(other >= distance for other in sums) / len(orders)
        assert mann_kendall(order).p_value == pytest.approx(expected)


def test_the_approximation_agrees_with_the_exact_distribution() -> None:
    """One tie, and p comes from the normal distribution: for forty values nearly the same p."""
    chance = random.Random(3)
    values = [0.02 * at + chance.gauss(0, 1) for at in range(40)]
    tied = [values[0] if value == values[20] else value for value in values]
    shifted = [values[0] + 1e-9 if value == values[20] else value for value in values]
    assert mann_kendall(tied).p_value == pytest.approx(mann_kendall(shifted).p_value, abs=0.01)


@given(st.lists(st.floats(-1e3, 1e3), max_size=60))
def test_reversing_a_series_reverses_its_trend(values: list[float]) -> None:
    """Direction changes, p does not; constants and short series show nothing."""
    forward, backward = mann_kendall(values), mann_kendall(values[::-1])
    assert (forward.s, forward.p_value) == (-backward.s, backward.p_value)
    assert 0 < forward.p_value <= 1 or forward.p_value == 0.0
    if len(set(values)) < 2 or len(values) < 3:
        assert forward.p_value == 1.0
        assert not forward.shows(1)


def test_a_clear_fall_is_shown() -> None:
    """Ten falling values are a trend down, not up."""
    falling = mann_kendall([10.0 - at for at in range(10)])
    assert falling.shows(-1)
    assert not falling.shows(1)
    assert falling.tau == -1.0


def test_a_straight_line_is_found_exactly() -> None:
    """Points on a line give it without doubt; two points or one place have none."""
    assert straight_line([0.0, 1.0, 2.0], [1.0, 3.0, 5.0]) == Slope(2.0, 2.0, 2.0, 1.0, 3)
    assert straight_line([0.0, 1.0], [1.0, 3.0]) is None
    assert straight_line([1.0] * 3, [1.0, 3.0, 5.0]) is None
    assert straight_line([], []) is None


def test_a_straight_line_has_the_interval_of_the_textbook() -> None:
    """y = 1, 2, 2, 4: slope 0.9, residuals of 0.7 / 2 over a spread of 5, t(0.95, 2) = 4.303."""
    found = straight_line([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 4.0])
    assert found is not None
    assert found.high is not None
    assert found.value == pytest.approx(0.9)
    assert found.high - found.value == pytest.approx(4.3027 * (0.35 / 5) ** 0.5, rel=1e-4)


def test_block_medians_shorten_a_series() -> None:
    """Neighbouring blocks of nearly equal length; what is short stays."""
    assert block_medians([1.0, 2.0, 30.0, 4.0, 5.0, 6.0], 2) == [2.0, 5.0]
    assert block_medians([1.0, 2.0], 5) == [1.0, 2.0]
    with pytest.raises(ValueError, match="block"):
        block_medians([1.0], 0)
