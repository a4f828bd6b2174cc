"""Statistics without a library: order statistics, percentiles with floors, intervals of medians and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

MIN_TRIALS_FOR_INTERVAL = 3
"""Two trials have a spread, but one that says nothing: Student's t with one degree of freedom is 15.9."""

MIN_VALUES_FOR_RANKS = 5
"""Below five values no interval from order statistics reaches even 90 %."""

SEQUENTIAL_CONFIDENCE = 0.96
"""The level at which an interval is computed so that it holds the truth in 95 % of runs.

Trials end when the interval is narrow, so lucky spreads end early; the looks (4 to 10 trials) cost about one point of
coverage (docs/decisions/0060, ``benchmarks.statistics_coverage``)."""

OUTLIER_LIMITS = ((4, 16.0), (5, 19.0), (6, 10.0), (7, 11.0), (9, 8.5), (11, 7.0), (15, 6.0), (30, 5.0))
"""Number of values, and how many robust standard deviations from the median one of them must be to count as an
outlier; 4.5 for more. Simulated: a clean normal series of that length holds one in 1 % of cases."""

SMALLEST_SPREAD_RATIO = 0.003
"""No trial is as repeatable as three neighbours by chance look; the floor of the race in the design."""


LARGEST_LN = 300.0
"""Where an interval of absurd values ends instead of overflowing."""


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones. Raises ``ValueError`` if there is none."""
    if not values:
        raise ValueError("median of nothing")
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile_floor(percent: float) -> int:
    """Samples needed before the ``percent`` percentile says more than the maximum does.

    One-sided 95 %: the smallest n with ``(percent / 100) ** n <= 0.05``, that is 5, 29, 59 and 299 for the 50th,
    90th, 95th and 99th percentile.
    """
    return math.ceil(math.log(0.05) / math.log(percent / 100))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Linear interpolation between order statistics (Hyndman and Fan type 7); ``None`` below its floor."""
    if len(values) < percentile_floor(percent):
        return None
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def median_interval(values: Sequence[float], confidence: float = SEQUENTIAL_CONFIDENCE) -> tuple[float, float] | None:
    """The interval of the middle of positive values: Student's t on their logarithms, always holding the median.

    Times of a machine are near log-normal; there the mean of the logarithms is the logarithm of the median and needs
    fewer trials than order statistics do. An outlier widens the interval instead of being cut off: cutting at three
    robust deviations costs four points of coverage at five trials. ``None`` below ``MIN_TRIALS_FOR_INTERVAL`` values.
    Values that are not all positive have no logarithms: then ``rank_interval``.
    """
    n = len(values)
    if n < MIN_TRIALS_FOR_INTERVAL:
        return None
    if min(values) <= 0:
        return rank_interval(values, confidence)
    middle = median(values)
    logs = [math.log(value / middle) for value in values]
    mean = sum(logs) / n
    half = student_t(confidence, n - 1) * math.sqrt(sum((x - mean) ** 2 for x in logs) / (n - 1) / n)
    return middle * min(1.0, math.exp(mean - half)), middle * max(1.0, math.exp(min(mean + half, LARGEST_LN)))


def rank_interval(values: Sequence[float], confidence: float = SEQUENTIAL_CONFIDENCE) -> tuple[float, float] | None:
    """The distribution-free interval of the median, from interpolated order statistics.

    The ranks (k, n + 1 - k) cover the median with probability ``1 - 2 P(Bin(n, 1/2) < k)``; between the two
    neighbouring ks that bracket ``confidence`` the ends are interpolated after Hettmansperger and Sheather (1986).
    At five values the extremes reach 93.75 % and are given; below that ``None``.
    """
    n = len(values)
    if n < MIN_VALUES_FOR_RANKS:
        return None
    ordered = sorted(values)
    k, outer, inner = 1, _rank_coverage(n, 1), _rank_coverage(n, 2)
    if outer <= confidence:
        return ordered[0], ordered[-1]
    while inner > confidence:
        k, outer, inner = k + 1, inner, _rank_coverage(n, k + 2)
    share = (outer - confidence) / (outer - inner)
    weight = (n - k) * share / (k + (n - 2 * k) * share)
    return (
        (1 - weight) * ordered[k - 1] + weight * ordered[k],
        (1 - weight) * ordered[n - k] + weight * ordered[n - k - 1],
    )


def _rank_coverage(n: int, k: int) -> float:
    """The probability that the median lies between the k-th smallest and the k-th largest of n values."""
    return 1 - sum(math.comb(n, i) for i in range(k)) / math.pow(2, n - 1)


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = SEQUENTIAL_CONFIDENCE
) -> tuple[float, float] | None:
    """The interval of ``sum(numerators) / sum(denominators)`` over paired blocks.

    Delta method on the logarithm of the ratio with Student's t (Cochran, Sampling Techniques, section 6.4, for the
    variance): exact enough for the small spreads of a speed, never below zero for the large ones, and it does not
    collapse at few blocks as a percentile bootstrap does. ``None`` below ``MIN_TRIALS_FOR_INTERVAL`` blocks or without
    a positive ratio.
    """
    n = len(numerators)
    total = sum(denominators)
    if n < MIN_TRIALS_FOR_INTERVAL or total <= 0 or sum(numerators) <= 0:
        return None
    ratio = sum(numerators) / total
    residuals = [a - ratio * b for a, b in zip(numerators, denominators, strict=True)]
    variance = sum(residual * residual for residual in residuals) / (n - 1)
    half_ln = student_t(confidence, n - 1) * math.sqrt(variance / n) / (total / n) / ratio
    return ratio * math.exp(-half_ln), ratio * math.exp(min(half_ln, LARGEST_LN))


@lru_cache(maxsize=1024)
def student_t(confidence: float, degrees: int) -> float:
    """The two-sided quantile of Student's t, by bisection on its exact distribution function."""
    if degrees < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    wanted = 1 - (1 - confidence) / 2
    low, high = 0.0, 1e4
    while high - low > 1e-9 * max(1.0, low):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_cdf(middle, degrees) < wanted else (low, middle)
    return (low + high) / 2


def _student_cdf(t: float, degrees: int) -> float:
    """P(T <= t) for t >= 0, from the finite trigonometric series (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    if degrees % 2:
        term, total = cosine, 0.0
        for k in range(1, (degrees - 1) // 2 + 1):
            total += term
            term *= cosine * cosine * (2 * k) / (2 * k + 1)
        area = 2 / math.pi * (angle + sine * total)
    else:
        term, total = 1.0, 0.0
        for k in range(1, degrees // 2 + 1):
            total += term
            term *= cosine * cosine * (2 * k - 1) / (2 * k)
        area = sine * total
    return 0.5 + area / 2


def student_p(t: float, degrees: int) -> float:
    """The two-sided p of ``t``: the probability that Student's t is at least as far from zero by chance."""
    if degrees < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    return 2 * (1 - _student_cdf(abs(t), degrees))


def outliers(values: Sequence[float]) -> tuple[int, ...]:
    """Positions of the values that do not belong to the rest, in order; they are named, never left out.

    By the modified z-score (Iglewicz and Hoaglin 1993): distance from the median over 1.4826 times the median distance,
    with the limits of ``OUTLIER_LIMITS``. None below four values.
    """
    n = len(values)
    if n < OUTLIER_LIMITS[0][0]:
        return ()
    middle = median(values)
    distances = [abs(value - middle) for value in values]
    spread = max(1.4826 * median(distances), SMALLEST_SPREAD_RATIO * abs(middle))
    limit = next((limit for count, limit in OUTLIER_LIMITS if n <= count), 4.5)
    return tuple(index for index, distance in enumerate(distances) if distance > limit * spread)


def first_differs(values: Sequence[float], confidence: float = 0.998) -> float | None:
    """By which share the first value is above the mean of the others, if that is beyond their noise; else ``None``.

    A t-test of one value against the others (prediction interval). Positive values; fewer than four show nothing.
    """
    rest = values[1:]
    n = len(rest)
    if n < 3:
        return None
    mean = sum(rest) / n
    spread = math.sqrt(sum((value - mean) ** 2 for value in rest) / (n - 1))
    spread = max(spread, SMALLEST_SPREAD_RATIO * abs(mean))
    distance = values[0] - mean
    beyond = abs(distance) > student_t(confidence, n - 1) * spread * math.sqrt(1 + 1 / n)
    return distance / mean if beyond and mean else None


def coefficient_of_variation(values: Sequence[float]) -> float | None:
    """Sample standard deviation (n - 1) over the mean; ``None`` below two values or for a mean of zero."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values) / n
    if mean == 0:
        return None
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1)) / abs(mean)
