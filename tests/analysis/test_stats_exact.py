"""Statistics against values worked out by hand: every limit is tried from both sides. Milliseconds, for mutants."""

from __future__ import annotations

import math

import pytest

from llmtester.analysis import stats

T96_2 = 0.96 * math.sqrt(2 / (4 * 0.98 * 0.02))
"""Student's t with two degrees of freedom has a closed form; 96 % two-sided is 4.8487."""


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """A mutant shares the memory of the tests before it, which must not hold the quantiles of the original."""
    stats.student_t.cache_clear()


def test_the_median_of_few() -> None:
    """The middle one of three, halfway between the middle two of four, whatever their order."""
    assert stats.median([3.0, 1.0, 9.0]) == 3.0
    assert stats.median([8.0, 1.0, 4.0, 2.0]) == 3.0
    with pytest.raises(ValueError, match=r"^median of nothing$"):
        stats.median([])


def test_a_percentile_lies_between_two_order_statistics() -> None:
    """The 90th of thirty squares lies a tenth of the way from 26 squared to 27 squared; one value is all of its own."""
    squares = [float(value * value) for value in range(30)]
    assert stats.percentile(squares[::-1], 90) == pytest.approx(676 + 0.1 * 53)
    assert stats.percentile([32.0, 1.0, 2.0, 16.0, 4.0, 8.0], 50) == 6.0
    assert stats.percentile([7.0], 1) == 7.0
    assert stats.percentile([0.0, 100.0], 5) == pytest.approx(5.0)


@pytest.mark.parametrize(("percent", "floor"), [(50, 5), (90, 29), (95, 59), (99, 299)])
def test_how_many_samples_a_percentile_needs(percent: float, floor: int) -> None:
    """The first count at which it is unlikely that all lie below: one in twenty."""
    assert stats.percentile_floor(percent) == floor
    assert (percent / 100) ** floor <= 0.05 < (percent / 100) ** (floor - 1)


@pytest.mark.parametrize(
    ("confidence", "degrees", "quantile"),
    [
        (0.95, 1, 12.706204736174705),
        (0.96, 2, T96_2),
        (0.95, 3, 3.182446305283708),
        (0.95, 4, 2.776445105197798),
        (0.95, 5, 2.570581835636315),
        (0.95, 9, 2.2621571627409915),
        (0.95, 30, 2.0422724563012373),
        (0.998, 3, 10.214531852407387),
        (0.5, 1, 1.0),
        (0.99999, 1, 1e4),
    ],
)
def test_quantiles_of_student_to_nine_digits(confidence: float, degrees: int, quantile: float) -> None:
    """Odd and even degrees have different series; what lies beyond ten thousand ends there."""
    assert stats.student_t(confidence, degrees) == pytest.approx(quantile, rel=3e-9)


def test_student_t_needs_a_degree() -> None:
    """The refusal says so in these words."""
    with pytest.raises(ValueError, match=r"^Student's t needs at least one degree of freedom$"):
        stats.student_t(0.95, 0)
    with pytest.raises(ValueError, match=r"^Student's t needs at least one degree of freedom$"):
        stats.student_p(1.0, 0)


def test_p_of_student_is_the_way_back_from_its_quantile() -> None:
    """Both sides count; one degree of freedom is Cauchy's distribution, where t = 1 has half of all beyond it."""
    assert stats.student_p(1.0, 1) == pytest.approx(0.5)
    assert stats.student_p(-T96_2, 2) == pytest.approx(0.04)
    assert stats.student_p(2.2621571627409915, 9) == pytest.approx(0.05)
    assert stats.student_p(0.0, 5) == 1.0


def test_an_interval_of_times_is_t_on_their_logarithms() -> None:
    """Logarithms -1, 0, 1 have a standard error of 1 over the root of 3; 0, 0, 3 have one of 1 around a mean of 1."""
    e = math.e
    low_high = stats.median_interval([e * e, 1.0, e])
    assert low_high == pytest.approx((e * math.exp(-T96_2 / math.sqrt(3)), e * math.exp(T96_2 / math.sqrt(3))))
    assert stats.median_interval([5.0, 5 * e**3, 5.0]) == pytest.approx(
        (5 * math.exp(1 - T96_2), 5 * math.exp(1 + T96_2))
    )
    assert stats.median_interval([1.0, e]) is None


def test_an_interval_of_times_always_reaches_to_the_median() -> None:
    """With little confidence asked for, the mean of the logarithms would leave the median outside."""
    t20_2 = 0.2 * math.sqrt(2 / (4 * 0.6 * 0.4))
    above = stats.median_interval([1.0, 1.0, math.exp(3)], 0.2)
    assert above == pytest.approx((1.0, math.exp(1 + t20_2)))
    below = stats.median_interval([1.0, 1.0, math.exp(-3)], 0.2)
    assert below == pytest.approx((math.exp(-1 - t20_2), 1.0))


def test_absurd_values_end_instead_of_overflowing() -> None:
    """Times or speeds that differ by hundreds of powers of ten."""
    wild = stats.median_interval([1e-300, 1.0, 1e300])
    assert wild == pytest.approx((0.0, math.exp(300)))
    speeds = stats.ratio_interval([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], 1 - 1e-7)
    assert speeds == pytest.approx((0.0, 2 * math.exp(300)))


def test_a_zero_among_the_times_leads_to_ranks_of_the_same_confidence() -> None:
    """Zero has no logarithm either."""
    values = [float(value) for value in range(10)]
    assert stats.median_interval(values, 0.5) == stats.rank_interval(values, 0.5)
    assert stats.median_interval(values, 0.5) != stats.rank_interval(values)
    assert stats.median_interval(values) == stats.rank_interval(values)
    assert stats.median_interval([-1.0, 2.0, 3.0]) is None
    positive = stats.median_interval([0.5, 1.0, 2.0])
    assert positive is not None
    assert positive[0] * positive[1] == pytest.approx(1.0)


def test_ranks_are_interpolated() -> None:
    """Five values give their extremes; six and ten by the formula of Hettmansperger and Sheather, worked by hand."""
    assert stats.rank_interval([1.0, 2.0, 3.0, 4.0]) is None
    assert stats.rank_interval([5.0, 1.0, 4.0, 2.0, 3.0]) == (1.0, 5.0)
    weight = 5 * (0.00875 / 0.1875) / (1 + 4 * (0.00875 / 0.1875))
    assert stats.rank_interval([8.0, 1.0, 2.0, 32.0, 4.0, 16.0]) == pytest.approx((1 + weight, 32 - 16 * weight))
    share = (1 - 22 / 1024 - 0.95) / (90 / 1024)
    weight = 8 * share / (2 + 6 * share)
    squares = [float(value * value) for value in range(1, 11)]
    assert stats.rank_interval(squares, 0.95) == pytest.approx((4 + 5 * weight, 81 - 17 * weight))
    share = (1 - 112 / 1024 - 0.7) / (240 / 1024)
    weight = 7 * share / (3 + 4 * share)
    assert stats.rank_interval(squares, 0.7) == pytest.approx((9 + 7 * weight, 64 - 15 * weight))


def test_an_interval_of_a_speed_is_t_on_the_logarithm_of_the_ratio() -> None:
    """Fifty per second; residuals 50, 0, -50 make a relative standard error of 0.5 over the root of 3."""
    half = T96_2 * math.sqrt(2500 / 3) / 2 / 50
    interval = stats.ratio_interval([100.0, 100.0, 100.0], [1.0, 2.0, 3.0])
    assert interval == pytest.approx((50 * math.exp(-half), 50 * math.exp(half)))
    small = stats.ratio_interval([0.1, 0.2, 0.3], [0.1, 0.1, 0.1])
    assert small is not None
    assert small[0] * small[1] == pytest.approx(4.0)
    assert stats.ratio_interval([1.0, 1.0, 1.0], [-1.0, -1.0, 1.0]) is None
    assert stats.ratio_interval([1.0, 1.0, 1.0], [-1.0, 0.0, 1.0]) is None
    assert stats.ratio_interval([-1.0, 0.0, 1.0], [1.0, 1.0, 1.0]) is None
    with pytest.raises(ValueError, match="zip"):
        stats.ratio_interval([1.0, 1.0, 1.0], [1.0, 1.0])


def around_100(count: int, last: float) -> list[float]:
    """That many values whose median is 100 and whose median distance from it is 1, the last one far away."""
    if count == 4:
        return [99.0, 99.0, 101.0, last]
    half = count // 2
    if count % 2:
        return [99.0] * half + [100.0] + [101.0] * (half - 1) + [last]
    return [99.0] * (half - 1) + [100.0, 100.0] + [101.0] * (half - 2) + [last]


@pytest.mark.parametrize(
    ("count", "limit"),
    [
        *((4, 16.0), (5, 19.0), (6, 10.0), (7, 11.0), (8, 8.5), (9, 8.5), (10, 7.0), (11, 7.0)),
        *((12, 6.0), (15, 6.0), (16, 5.0), (30, 5.0), (31, 4.5), (32, 4.5)),
    ],
)
def test_how_far_out_an_outlier_is(count: int, limit: float) -> None:
    """A thousandth inside the limit of its count is not one; a thousandth outside is."""
    reach = 1.4826 * limit
    assert stats.outliers(around_100(count, 100 + 0.999 * reach)) == ()
    assert stats.outliers(around_100(count, 100 + 1.001 * reach)) == (count - 1,)


def test_outliers_among_equal_values() -> None:
    """Values that repeat exactly are believed to spread by 0.3 % of their size; three values name nobody."""
    assert stats.outliers([100.0] * 5 + [102.9]) == ()
    assert stats.outliers([100.0] * 5 + [103.1]) == (5,)
    assert stats.outliers([-100.0] * 5 + [-102.9]) == ()
    assert stats.outliers([-103.1] + [-100.0] * 5) == (0,)
    assert stats.outliers([1.0, 1.0, 99.0]) == ()


def test_a_first_value_against_four_others() -> None:
    """1, 2, 3, 4 predict the next within 10.2145 times their deviation times the root of 1.25: 14.743."""
    rest = [1.0, 2.0, 3.0, 4.0]
    reach = 10.214531852407387 * math.sqrt(5 / 3) * math.sqrt(1.25)
    assert stats.first_differs([2.5 + 0.999 * reach, *rest]) is None
    assert stats.first_differs([2.5 + 1.001 * reach, *rest]) == pytest.approx(1.001 * reach / 2.5)
    assert stats.first_differs([2.5 - 1.001 * reach, *rest]) == pytest.approx(-1.001 * reach / 2.5)
    assert stats.first_differs([6.0, *rest]) is None
    assert stats.first_differs([6.0, *rest], 0.5) == pytest.approx(1.4)
    assert stats.first_differs([900.0, 1.0, 2.0]) is None
    assert stats.first_differs([900.0, 1.0, 2.0, 3.0]) == pytest.approx(449.0)


def test_a_first_value_against_equal_ones() -> None:
    """The floor of 0.3 % makes the reach 3.426 around 100; around zero there is no share to give."""
    assert stats.first_differs([103.4, 100.0, 100.0, 100.0, 100.0]) is None
    assert stats.first_differs([103.5, 100.0, 100.0, 100.0, 100.0]) == pytest.approx(0.035)
    assert stats.first_differs([-103.4, -100.0, -100.0, -100.0, -100.0]) is None
    assert stats.first_differs([-103.5, -100.0, -100.0, -100.0, -100.0]) == pytest.approx(0.035)
    assert stats.first_differs([99.0, -1.0, 1.0, -1.0, 1.0]) is None


def test_variation_of_few() -> None:
    """1, 2, 3 vary by 1 around 2; the sign of the mean does not matter; none without two values or around zero."""
    assert stats.coefficient_of_variation([1.0, 2.0, 3.0]) == pytest.approx(0.5)
    assert stats.coefficient_of_variation([-1.0, -2.0, -3.0]) == pytest.approx(0.5)
    assert stats.coefficient_of_variation([0.3, 0.7]) == pytest.approx(math.sqrt(0.08) / 0.5)
    assert stats.coefficient_of_variation([0.25, 0.75, 2.0]) == pytest.approx(0.9013878188659973)
    assert stats.coefficient_of_variation([]) is None
    assert stats.coefficient_of_variation([4.0]) is None
    assert stats.coefficient_of_variation([-1.0, 1.0]) is None
