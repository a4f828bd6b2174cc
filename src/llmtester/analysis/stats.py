"""Statistics without a library: order statistics, percentiles with floors, intervals of medians and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence

MIN_TRIALS_FOR_INTERVAL = 5
"""Below five blocks no interval of a median reaches even 90 %."""


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


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """The distribution-free interval of the median, from interpolated order statistics.

    The ranks (k, n + 1 - k) cover the median with probability ``1 - 2 P(Bin(n, 1/2) < k)``; between the two
    neighbouring ks that bracket ``confidence`` the ends are interpolated after Hettmansperger and Sheather (1986).
    At five values the extremes reach 93.75 % and are given; below that ``None``.
    """
    n = len(values)
    if n < MIN_TRIALS_FOR_INTERVAL:
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
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """The interval of ``sum(numerators) / sum(denominators)`` over paired blocks.

    Delta method on the logarithm of the ratio with Student's t (Cochran, Sampling Techniques, section 6.4, for the
    variance): exact enough for the small spreads of a speed, never below zero for the large ones, and it does not
    collapse at few blocks as a percentile bootstrap does. ``None`` below two blocks or without a positive ratio.
    """
    n = len(numerators)
    total = sum(denominators)
    if n < 2 or total <= 0 or sum(numerators) <= 0:
        return None
    ratio = sum(numerators) / total
    residuals = [a - ratio * b for a, b in zip(numerators, denominators, strict=True)]
    variance = sum(residual * residual for residual in residuals) / (n - 1)
    half_ln = student_t(confidence, n - 1) * math.sqrt(variance / n) / (total / n) / ratio
    return ratio * math.exp(-half_ln), ratio * math.exp(half_ln)


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


def coefficient_of_variation(values: Sequence[float]) -> float | None:
    """Sample standard deviation (n - 1) over the mean; ``None`` below two values or for a mean of zero."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values) / n
    if mean == 0:
        return None
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1)) / abs(mean)
