"""How long one token takes to write: a sum of two costs, each for so much of what a model is.

``seconds = first * x + second * y``. Where the kernels of the machine were timed, ``x`` is what they say of the file
and ``y`` its weights, for all that does not depend on their type. Else ``x`` is the work of unpacking the weights and
``y`` their bytes: on a machine with cores to spare the bytes are all that counts; where few cores unpack the weights,
two quantizations of one model are nearly as fast as each other, whatever their size. Which of both it is, the first
measured files tell: Bayesian linear regression with relative noise and a normal prior on both costs (Gelman et al.,
Bayesian Data Analysis, chapter 14). No cost is negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

PRIOR_POINTS = 2.0
"""What the expected scatter is worth when it is pooled with the residuals."""

WIDEST_SD_LN = 1.5
"""A spread beyond this says only that nothing is known."""


class Expected(NamedTuple):
    """A cost before anything was measured, and the standard deviation of what is expected of it."""

    value: float
    sd: float


@dataclass(slots=True)
class TokenTime:
    """Both costs, and how far files scatter about the sum (``scatter``, of natural logarithms). With no point it says
    what was expected."""

    first: Expected
    second: Expected
    scatter: float
    count: int = 0
    _x: float = field(default=0.0, init=False)
    _y: float = field(default=0.0, init=False)
    _xx: float = field(default=0.0, init=False)
    _xy: float = field(default=0.0, init=False)
    _yy: float = field(default=0.0, init=False)

    def add(self, x: float, y: float, seconds: float) -> None:
        """Learn what one file took; all positive.

        Divided by what was measured, the sum of both costs should be one; sums of those shares are all that is kept.
        """
        x, y = x / seconds, y / seconds
        self.count += 1
        self._x += x
        self._y += y
        self._xx += x * x
        self._xy += x * y
        self._yy += y * y

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Seconds expected for a file, and the standard deviation of their logarithm for one new measurement."""
        noise = self.scatter**2
        for _ in range(3):  # the scatter depends on the costs and the costs, a little, on the scatter
            first, second, covariance = self._posterior(noise)
            squares = first * first * self._xx + 2 * first * second * self._xy + second * second * self._yy
            squares += self.count - 2 * first * self._x - 2 * second * self._y
            noise = (PRIOR_POINTS * self.scatter**2 + max(0.0, squares)) / (PRIOR_POINTS + self.count)
        seconds = first * x + second * y
        spread = covariance[0] * x * x + 2 * covariance[1] * x * y + covariance[2] * y * y
        return seconds, min(WIDEST_SD_LN, math.sqrt(max(0.0, spread) / seconds**2 + noise))

    def _posterior(self, noise: float) -> tuple[float, float, tuple[float, float, float]]:
        """Both costs, and their variances with the covariance between: the normal equations."""
        a11 = 1 / self.first.sd**2 + self._xx / noise
        a22 = 1 / self.second.sd**2 + self._yy / noise
        a12 = self._xy / noise
        b1 = self.first.value / self.first.sd**2 + self._x / noise
        b2 = self.second.value / self.second.sd**2 + self._y / noise
        determinant = a11 * a22 - a12 * a12
        first, second = (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12 * b1) / determinant
        if first < 0:
            first, second = 0.0, b2 / a22
        elif second < 0:
            first, second = b1 / a11, 0.0
        return first, second, (a22 / determinant, -a12 / determinant, a11 / determinant)
