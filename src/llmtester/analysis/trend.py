"""Whether a series goes up or down, and how fast: robust against outliers, without assumptions about the noise.

Both functions cost n log n: a few thousand readings take well under a second. Readings that follow each other closely
resemble each other, which makes any test too sure of itself; ``block_medians`` first, where that is so.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from statistics import NormalDist

from llmtester.analysis.stats import median, student_t

EXACT_COUNT = 40
"""Up to this many values without ties the distribution of Kendall's S is counted out; above it is a normal one."""

LISTED_COUNT = 20_000
"""Up to so many pairs, that is 200 points, all slopes are listed and sorted."""

_SMALLEST = 1e-290
"""A height that survives a multiplication by any x that people use; for series that are 0 throughout."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through points: ``value`` in units of y per unit of x, its interval (``None`` for too few points), and
    ``intercept``, the height at x = 0."""

    value: float
    low: float | None
    high: float | None
    intercept: float
    points_count: int


@dataclass(frozen=True, slots=True)
class Monotony:
    """The Mann-Kendall test: ``s`` is rising pairs minus falling pairs, ``tau`` the same in -1..1, ``p_value`` the
    two-sided probability of so large an S in a series without a trend."""

    s: int
    tau: float
    p_value: float

    def shows(self, direction: int, significance: float = 0.05) -> bool:
        """Whether the series rises (``direction`` 1) or falls (-1) beyond doubt."""
        return self.s * direction > 0 and self.p_value < significance


def theil_sen(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Slope | None:
    """The median of the slopes of all pairs of points, exact, with Sen's interval (Sen 1968; Hollander and Wolfe,
    Nonparametric Statistical Methods, section 9.3). ``None`` if all x are equal or there are fewer than two points.

    Raises ``ValueError`` for different lengths or a value that is not finite.
    """
    points = sorted(zip(x, y, strict=True))
    if not all(math.isfinite(a) and math.isfinite(b) for a, b in points):
        raise ValueError("a trend needs finite values")
    n = len(points)
    pairs = n * (n - 1) // 2 - _tied_pairs(Counter(a for a, _ in points))
    if pairs == 0:
        return None
    ranked = _listed(points) if pairs <= LISTED_COUNT else _Slopes(points, pairs).ranked
    value = (ranked((pairs - 1) // 2) + ranked(pairs // 2)) / 2
    spread = _critical_s([a for a, _ in points], [b for _, b in points], confidence)
    low = high = None
    if spread is not None and spread < pairs:
        below = max(0, (pairs - spread) // 2 - 1)
        low, high = ranked(below), ranked(pairs - 1 - below)
    return Slope(value, low, high, median([b - value * a for a, b in points]), n)


def straight_line(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Slope | None:
    """The least-squares line with Student's interval of its slope: more power than ``theil_sen`` for a handful of
    values of which none is wild. ``None`` for fewer than three points or equal x."""
    n = len(x)
    mean_x, mean_y = (sum(values) / n if n else 0.0 for values in (x, y))
    spread = sum((a - mean_x) ** 2 for a in x)
    if n < 3 or spread == 0:
        return None
    value = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    intercept = mean_y - value * mean_x
    rest = sum((b - intercept - value * a) ** 2 for a, b in zip(x, y, strict=True))
    half = student_t(confidence, n - 2) * math.sqrt(rest / (n - 2) / spread)
    return Slope(value, value - half, value + half, intercept, n)


def mann_kendall(values: Sequence[float]) -> Monotony:
    """Whether later values tend to be higher or lower (Mann 1945, Kendall 1975), two-sided.

    Exact up to ``EXACT_COUNT`` values without ties; else the normal approximation with the correction for ties and for
    continuity. p is 1 for fewer than three values.
    """
    n = len(values)
    s, seen = 0, list[float]()
    for index, value in enumerate(values):
        s += bisect_left(seen, value) - (index - bisect_right(seen, value))
        insort(seen, value)
    tau = s / (n * (n - 1) / 2) if n > 1 else 0.0
    if n < 3:
        return Monotony(s, tau, 1.0)
    ties = Counter(values)
    if len(ties) == n and n <= EXACT_COUNT:
        ways = _inversions(n)
        extreme = (n * (n - 1) // 2 - abs(s)) // 2
        return Monotony(s, tau, min(1.0, 2 * sum(ways[: extreme + 1]) / math.factorial(n)))
    variance = _variance_of_s(n, ties)
    if variance <= 0:
        return Monotony(s, tau, 1.0)
    z = max(0, abs(s) - 1) / math.sqrt(variance)
    return Monotony(s, tau, math.erfc(z / math.sqrt(2)))


def block_medians(values: Sequence[float], blocks_count: int) -> list[float]:
    """The medians of so many neighbouring blocks of nearly equal length; the values themselves if there are no more.

    Medians of long blocks are nearly independent where neighbouring readings are not. Raises ``ValueError`` for less
    than one block.
    """
    if blocks_count < 1:
        raise ValueError("a series has at least one block")
    n = len(values)
    if n <= blocks_count:
        return list(values)
    edges = [n * block // blocks_count for block in range(blocks_count + 1)]
    return [median(values[start:end]) for start, end in pairwise(edges)]


def _listed(points: Sequence[tuple[float, float]]) -> Callable[[int], float]:
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(points, 2) if x0 != x1]
    return sorted(slopes).__getitem__


@dataclass(slots=True)
class _Slopes:
    """The slopes of all pairs of points with different x, sorted by x, in order of size without writing them down.

    Seen along a slope b, the points (x, y) lie at y - b x. A pair with a smaller slope than b has changed places
    against the order of x, so counting inversions counts slopes (Cole, Salowe, Steiger and Szemeredi 1989). A bracket
    is halved until few pairs are inside, which are listed, or only equal ones.
    """

    points: Sequence[tuple[float, float]]
    pairs: int

    def ranked(self, rank: int) -> float:
        """The slope of that rank, 0 for the smallest."""
        few = 4 * len(self.points)
        low, high = self._bounds()
        below, inside_count = 0, self.pairs
        while (blur := self._blur(max(abs(low), abs(high)))) * 4 < high - low and inside_count > few:
            middle = low + (high - low) / 2
            count = self._count_below(middle)
            if count <= rank:
                inside_count -= count - below
                low, below = middle, count
            else:
                high, inside_count = middle, count - below
        low, high = low - blur, high + blur
        inside = self._between(low, high)
        return next(inside) if inside_count > few else sorted(inside)[rank - self._count_below(low)]

    def _bounds(self) -> tuple[float, float]:
        """The smallest and the largest slope: neighbours in x have them, any other being a mean of theirs."""
        groups: list[tuple[float, float, float]] = []
        for x, y in self.points:
            if groups and groups[-1][0] == x:
                groups[-1] = (x, groups[-1][1], y)
            else:
                groups.append((x, y, y))
        near = [
            (above - below) / (after[0] - before[0])
            for before, after in pairwise(groups)
            for below, above in ((before[2], after[1]), (before[1], after[2]))
        ]
        return min(near), max(near)

    def _blur(self, slope: float) -> float:
        """How far apart two slopes must be for heights along them to be told apart in floating point."""
        largest = max(abs(y) + abs(slope * x) for x, y in self.points)
        steps = (after - before for (before, _), (after, _) in pairwise(self.points))
        return max(8 * math.ulp(largest), _SMALLEST) / min(step for step in steps if step > 0)

    def _count_below(self, slope: float) -> int:
        count, seen = 0, list[float]()
        waiting: list[float] = []
        last_x = math.nan
        for x, y in self.points:
            height = y - slope * x
            if x != last_x:
                for one in waiting:
                    insort(seen, one)
                waiting, last_x = [], x
            count += len(seen) - bisect_right(seen, height)
            waiting.append(height)
        return count

    def _between(self, low: float, high: float) -> Iterator[float]:
        """The slopes from ``low`` to just below ``high``: pairs in the order of x along one but not along the other.

        Two points with the same x are in the order of y along every slope, so no such pair is among them.
        """
        order = sorted(range(len(self.points)), key=lambda index: (self._height(index, low), self.points[index][0]))
        seen: list[tuple[float, int]] = []
        for index in order:
            key = (self._height(index, high), index)
            at = bisect_left(seen, key)
            for _, other in seen[at:]:
                (x0, y0), (x1, y1) = self.points[other], self.points[index]
                yield (y1 - y0) / (x1 - x0)
            seen.insert(at, key)

    def _height(self, index: int, slope: float) -> float:
        x, y = self.points[index]
        return y - slope * x


def _critical_s(x: Sequence[float], y: Sequence[float], confidence: float) -> int | None:
    """The smallest S that a series without a trend exceeds with at most ``1 - confidence``; ``None`` if none does."""
    n = len(x)
    ties_x, ties_y = Counter(x), Counter(y)
    if n <= EXACT_COUNT and len(ties_x) == n and len(ties_y) == n:
        ways, allowed = _inversions(n), (1 - confidence) / 2 * math.factorial(n)
        total, inversions = 0, 0
        while total + ways[inversions] <= allowed:
            total += ways[inversions]
            inversions += 1
        # S = pairs - 2 inversions; values from the last counted one on are extreme enough
        return None if inversions == 0 else n * (n - 1) // 2 - 2 * (inversions - 1) - 2
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    return math.ceil(z * math.sqrt(_variance_of_s(n, ties_x)))


def _variance_of_s(n: int, ties: Counter[float]) -> float:
    tied = sum(t * (t - 1) * (2 * t + 5) for t in ties.values())
    return (n * (n - 1) * (2 * n + 5) - tied) / 18


def _tied_pairs(ties: Counter[float]) -> int:
    return sum(t * (t - 1) // 2 for t in ties.values())


@lru_cache(maxsize=64)
def _inversions(n: int) -> tuple[int, ...]:
    """How many orders of n different values have 0, 1, 2, ... inversions (Mahonian numbers)."""
    ways = [1]
    for size in range(2, n + 1):
        longer = [0] * (len(ways) + size - 1)
        running = 0
        for index in range(len(longer)):
            running += ways[index] if index < len(ways) else 0
            running -= ways[index - size] if index >= size else 0
            longer[index] = running
        ways = longer
    return tuple(ways)
