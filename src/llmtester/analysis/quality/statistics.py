"""Paired comparisons of right and wrong, and resampling by text. Every formula names its source."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Z_TWO_SIDED = 1.959964
"""95 %, both sides."""
Z_ONE_SIDED = 1.644854
Z_POWER = 0.841621
"""80 % power."""

ALPHA = 0.05
RESAMPLES_COUNT = 2000


def wilson(successes: int, trials: int, z: float = Z_TWO_SIDED) -> tuple[float, float]:
    """The interval of a share (Wilson, 1927). Raises ``ValueError`` for no trials."""
    if trials < 1:
        raise ValueError("a share of nothing")
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == trials else centre + half)


@dataclass(frozen=True, slots=True)
class Paired:
    """The same questions put to two models: both right, only the first (``worse``), only the second, neither."""

    both: int
    worse: int
    better: int
    neither: int

    @property
    def count(self) -> int:
        return self.both + self.worse + self.better + self.neither

    @property
    def loss(self) -> float:
        """Share that the second model loses. Raises ``ZeroDivisionError`` for no questions."""
        return (self.worse - self.better) / self.count


def newcombe(pairs: Paired, z: float = Z_TWO_SIDED) -> tuple[float, float]:
    """The interval of the loss in paired shares (Newcombe, 1998, method 10). Raises ``ValueError`` for no pairs."""
    n = pairs.count
    first, second = pairs.both + pairs.worse, pairs.both + pairs.better
    low1, high1 = wilson(first, n, z)
    low2, high2 = wilson(second, n, z)
    p1, p2 = first / n, second / n
    margins = first * (n - first) * second * (n - second)
    cross = pairs.both * pairs.neither - pairs.worse * pairs.better
    phi = 0.0 if margins == 0 else (max(cross - n / 2, 0.0) if cross > 0 else float(cross)) / math.sqrt(margins)
    below = (p1 - low1) ** 2 - 2 * phi * (p1 - low1) * (high2 - p2) + (high2 - p2) ** 2
    above = (high1 - p1) ** 2 - 2 * phi * (high1 - p1) * (p2 - low2) + (p2 - low2) ** 2
    return pairs.loss - math.sqrt(max(0.0, below)), pairs.loss + math.sqrt(max(0.0, above))


def mcnemar(worse: int, better: int) -> float:
    """One-sided exact p-value that there is no loss: P(Bin(worse + better, 1/2) >= worse) (McNemar, 1947)."""
    flips = worse + better
    return sum(math.comb(flips, k) for k in range(worse, flips + 1)) / 2.0**flips


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values in the given order (Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = highest
    return tuple(adjusted)


def detectable_loss(questions: int, flipped_ratio: float) -> float | None:
    """The smallest loss that ``questions`` find with 80 % power at 5 %, one-sided; ``None`` if not even the largest.

    Solves n = ((z_alpha sqrt(psi) + z_beta sqrt(psi - d^2)) / d)^2 for d (Miettinen, 1968; Connor, 1987), where psi is
    the share of answers that differ.
    """

    def needed(loss: float) -> float:
        spread = math.sqrt(max(0.0, flipped_ratio - loss * loss))
        return ((Z_ONE_SIDED * math.sqrt(flipped_ratio) + Z_POWER * spread) / loss) ** 2

    if questions < 1 or flipped_ratio <= 0 or needed(flipped_ratio) > questions:
        return None
    low, high = 1e-6, flipped_ratio
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= questions else (middle, high)
    return high


Decision: TypeAlias = Literal["worse", "no worse", "open"]

SPRT_WORSE, SPRT_NO_WORSE = math.log(16), math.log(0.2 / 0.95)
SPRT_STEP_WORSE, SPRT_STEP_BETTER = math.log(1.5), math.log(0.5)


def sequential(flips: Sequence[bool], comparisons_count: int = 1) -> Decision:
    """Wald's sequential test on the answers that differ, in order; ``True`` is a loss (Wald, 1945).

    Null: half of them are losses. Alternative: three quarters. Errors 5 % (shared by ``comparisons_count``) and 20 %.
    """
    level = 0.0
    worse_at = SPRT_WORSE + math.log(max(1, comparisons_count))
    for lost in flips:
        level += SPRT_STEP_WORSE if lost else SPRT_STEP_BETTER
        if level >= worse_at:
            return "worse"
        if level <= SPRT_NO_WORSE:
            return "no worse"
    return "open"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One text: a sum and how many positions it is over."""

    total: float
    count: int


def draws(clusters_count: int) -> list[list[int]]:
    """``RESAMPLES_COUNT`` drawings of clusters with replacement; equal for equal counts, so that pairs share them."""
    chance = random.Random(clusters_count)  # noqa: S311 - resampling, not secrets
    return [[int(chance.random() * clusters_count) for _ in range(clusters_count)] for _ in range(RESAMPLES_COUNT)]


def bootstrap(clusters: Sequence[Cluster]) -> tuple[float, float] | None:
    """The 95 % percentile interval of sum over count, texts resampled whole (Efron, 1979); ``None`` below 5 texts.

    With 32 texts it runs about 5 % narrow.
    """
    if len(clusters) < 5:
        return None
    ratios = sorted(
        sum(clusters[index].total for index in drawn) / sum(clusters[index].count for index in drawn)
        for drawn in draws(len(clusters))
    )
    return ratios[round(0.025 * (len(ratios) - 1))], ratios[round(0.975 * (len(ratios) - 1))]


def separation(smaller: Sequence[Cluster], larger: Sequence[Cluster]) -> float:
    """One-sided p-value that ``larger`` is not larger, over the same texts in the same order.

    (1 + drawings in which the sum of the differences is not positive) / (drawings + 1).
    """
    differences = [more.total - less.total for less, more in zip(smaller, larger, strict=True)]
    failed = sum(sum(differences[index] for index in drawn) <= 0 for drawn in draws(len(differences)))
    return (1 + failed) / (RESAMPLES_COUNT + 1)
