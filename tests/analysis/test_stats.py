"""Statistics against tables, exact counts and simulation."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis import stats

VALUES = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=40)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042)])
def test_student_t_equals_the_table(degrees: int, expected: float) -> None:
    """The 95 % quantiles are those of every printed table."""
    assert stats.student_t(0.95, degrees) == pytest.approx(expected, abs=5e-4)


def test_student_t_refuses_no_degrees() -> None:
    """One value has no spread, so there is no quantile for it."""
    with pytest.raises(ValueError, match="degree"):
        stats.student_t(0.95, 0)


@pytest.mark.parametrize(("percent", "floor"), [(50, 5), (90, 29), (95, 59), (99, 299)])
def test_percentile_floors_equal_the_binomial(percent: float, floor: int) -> None:
    """One sample fewer and the maximum would still be a likely value below the percentile."""
    assert stats.percentile_floor(percent) == floor
    assert stats.percentile([1.0] * (floor - 1), percent) is None
    assert stats.percentile([1.0] * floor, percent) == 1.0


def test_percentile_interpolates() -> None:
    """Type 7: the 95th percentile of 0..100 is 95."""
    assert stats.percentile([float(value) for value in range(101)], 95) == 95.0


@given(VALUES)
def test_median_lies_in_the_middle(values: list[float]) -> None:
    """As many values below as above."""
    middle = stats.median(values)
    assert sum(value < middle for value in values) <= len(values) / 2
    assert sum(value > middle for value in values) <= len(values) / 2


def test_median_of_nothing_is_refused() -> None:
    """There is no middle of an empty list."""
    with pytest.raises(ValueError, match="nothing"):
        stats.median([])


@given(VALUES)
def test_median_interval_holds_the_median(values: list[float]) -> None:
    """Whatever the times, the interval lies around the median and stays positive; the fewest have none."""
    interval = stats.median_interval(values)
    if len(values) < stats.MIN_TRIALS_FOR_INTERVAL:
        assert interval is None
        return
    assert interval is not None
    low, high = interval
    assert 0 <= low <= stats.median(values) <= high


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_values_without_a_logarithm_have_an_interval_from_ranks(values: list[float]) -> None:
    """Whatever the values, it lies around the median and inside the range."""
    interval = stats.median_interval([*values, -1.0])
    assert interval == stats.rank_interval([*values, -1.0]) or len(values) + 1 < stats.MIN_TRIALS_FOR_INTERVAL
    if interval is None:
        assert len(values) + 1 < stats.MIN_VALUES_FOR_RANKS
        return
    low, high = interval
    middle = stats.median([*values, -1.0])
    slack = 1e-9 * max(map(abs, [*values, -1.0]))
    assert min(*values, -1.0) - slack <= low <= middle + slack
    assert middle - slack <= high <= max(*values, -1.0) + slack


def covered(count: int, noise: float, interval_of: Callable[[list[float]], tuple[float, float] | None]) -> float:
    """The share of 2,000 simulated cells of log-normal times around 1 whose interval holds 1."""
    chance = random.Random(count)
    hits = 0
    for _ in range(2000):
        interval = interval_of([math.exp(chance.gauss(0, noise)) for _ in range(count)])
        assert interval is not None
        hits += interval[0] <= 1.0 <= interval[1]
    return hits / 2000


@pytest.mark.parametrize("count", [3, 5, 10])
def test_median_interval_covers_as_promised(count: int) -> None:
    """With a fixed number of trials and 10 % noise it holds the true median in 95 to 97 % of cells, give or take one:
    it is made for trials that end early, which costs a point."""
    assert 0.94 <= covered(count, 0.1, stats.median_interval) <= 0.98


@pytest.mark.parametrize("count", [5, 6, 10, 15])
def test_rank_interval_covers_as_promised(count: int) -> None:
    """Asked for 95 % it holds the true median in 93 to 97 % of cells."""
    assert 0.93 <= covered(count, 0.1, lambda values: stats.rank_interval(values, 0.95)) <= 0.97


@pytest.mark.parametrize("count", [5, 10])
def test_ratio_interval_covers_as_promised(count: int) -> None:
    """With a fixed number of trials and 3 % noise it holds the true speed in 94 to 98 % of cells."""
    mean_s = math.exp(0.03**2 / 2)
    speed_of = stats.ratio_interval
    assert 0.94 <= covered(count, 0.03, lambda seconds: speed_of([mean_s] * count, seconds)) <= 0.98


def test_ratio_interval_stays_positive() -> None:
    """A speed cannot be negative, however wild the trials were."""
    interval = stats.ratio_interval([100.0] * 5, [1.0, 1.0, 1.0, 1.0, 60.0])
    assert interval is not None
    assert 0 < interval[0] < 500 / 64 < interval[1]


def test_ratio_interval_needs_three_blocks_and_time() -> None:
    """Two blocks have a spread that says nothing, and no time has no speed."""
    assert stats.ratio_interval([1.0, 1.0], [1.0, 1.1]) is None
    assert stats.ratio_interval([1.0] * 3, [0.0] * 3) is None
    assert stats.ratio_interval([0.0] * 3, [1.0] * 3) is None


def test_outliers_are_named() -> None:
    """One trial that took three times as long is named by its position; noise of 1 % is not."""
    quiet = [1.0, 1.01, 0.99, 1.0, 1.005, 0.995]
    assert stats.outliers(quiet) == ()
    assert stats.outliers([*quiet[:3], 3.0, *quiet[3:]]) == (3,)
    assert stats.outliers([1.0, 1.0, 9.0]) == ()
    assert stats.outliers([5.0] * 6) == ()


@pytest.mark.parametrize("count", [5, 6, 10, 20])
def test_clean_trials_hold_few_outliers(count: int) -> None:
    """In 2,000 simulated cells of normal noise at most 2 % name one."""
    chance = random.Random(count)
    named = sum(bool(stats.outliers([chance.gauss(100, 5) for _ in range(count)])) for _ in range(2000))
    assert named <= 0.02 * 2000


def test_a_slow_first_trial_is_seen() -> None:
    """A first trial 20 % above four quiet ones is not noise; one inside their noise is."""
    assert stats.first_differs([1.2, 1.0, 1.01, 0.99, 1.0]) == pytest.approx(0.2, abs=0.01)
    assert stats.first_differs([1.01, 1.0, 1.01, 0.99, 1.0]) is None
    assert stats.first_differs([9.0, 1.0, 1.0]) is None


def test_coefficient_of_variation() -> None:
    """Sample standard deviation over the mean; absent where either does not exist."""
    assert stats.coefficient_of_variation([9.0, 11.0]) == pytest.approx(math.sqrt(2) / 10)
    assert stats.coefficient_of_variation([1.0]) is None
    assert stats.coefficient_of_variation([-1.0, 1.0]) is None
