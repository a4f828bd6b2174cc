"""Statistics against tables, exact counts and simulation."""

from __future__ import annotations

import math
import random

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
    """Whatever the values, the interval lies around the median and inside the range."""
    interval = stats.median_interval(values)
    if len(values) < stats.MIN_TRIALS_FOR_INTERVAL:
        assert interval is None
        return
    assert interval is not None
    low, high = interval
    slack = 1e-9 * max(values)
    assert min(values) - slack <= low <= stats.median(values) + slack
    assert stats.median(values) - slack <= high <= max(values) + slack


@pytest.mark.parametrize("count", [5, 6, 8, 10, 15])
def test_median_interval_covers_as_promised(count: int) -> None:
    """In 2,000 simulated cells with 10 % noise the interval holds the true median in 93 to 97 % of them."""
    chance = random.Random(count)
    hits = 0
    for _ in range(2000):
        interval = stats.median_interval([math.exp(chance.gauss(0, 0.1)) for _ in range(count)])
        assert interval is not None
        hits += interval[0] <= 1.0 <= interval[1]
    assert 0.93 <= hits / 2000 <= 0.97


@pytest.mark.parametrize("count", [5, 8, 10])
def test_ratio_interval_covers_as_promised(count: int) -> None:
    """In 2,000 simulated cells with 3 % noise the interval of the speed holds the truth in 93 to 97 % of them."""
    chance = random.Random(count)
    hits = 0
    for _ in range(2000):
        seconds = [math.exp(chance.gauss(0, 0.03)) for _ in range(count)]
        interval = stats.ratio_interval([100.0] * count, seconds)
        assert interval is not None
        truth = 100.0 / math.exp(0.03**2 / 2)
        hits += interval[0] <= truth <= interval[1]
    assert 0.93 <= hits / 2000 <= 0.97


def test_ratio_interval_stays_positive() -> None:
    """A speed cannot be negative, however wild the trials were."""
    interval = stats.ratio_interval([100.0] * 5, [1.0, 1.0, 1.0, 1.0, 60.0])
    assert interval is not None
    assert 0 < interval[0] < 500 / 64 < interval[1]


def test_ratio_interval_needs_two_blocks_and_time() -> None:
    """One block has no spread, and no time has no speed."""
    assert stats.ratio_interval([1.0], [1.0]) is None
    assert stats.ratio_interval([1.0, 1.0], [0.0, 0.0]) is None
    assert stats.ratio_interval([0.0, 0.0], [1.0, 1.0]) is None


def test_coefficient_of_variation() -> None:
    """Sample standard deviation over the mean; absent where either does not exist."""
    assert stats.coefficient_of_variation([9.0, 11.0]) == pytest.approx(math.sqrt(2) / 10)
    assert stats.coefficient_of_variation([1.0]) is None
    assert stats.coefficient_of_variation([-1.0, 1.0]) is None
