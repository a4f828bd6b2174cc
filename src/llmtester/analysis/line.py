"""A straight line through logarithms that starts from an expectation and learns from every point.

Bayesian linear regression with a normal prior on height and slope (Gelman et al., Bayesian Data Analysis, chapter 14);
the scatter is the prior scatter, worth ``PRIOR_POINTS`` points, pooled with the residuals. With no point it says what
was expected, with many it is least squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

PRIOR_POINTS = 2.0


@dataclass(slots=True)
class Line:
    """``ln y = height + slope * (ln x - centre)``. Standard deviations are of natural logarithms."""

    centre: float
    height: float
    height_sd: float
    slope: float
    slope_sd: float
    scatter: float
    count: int = 0
    _x: float = field(default=0.0, init=False)
    _y: float = field(default=0.0, init=False)
    _xx: float = field(default=0.0, init=False)
    _xy: float = field(default=0.0, init=False)
    _yy: float = field(default=0.0, init=False)

    def add(self, x: float, y: float) -> None:
        """Learn one point; both positive."""
        u = math.log(x) - self.centre
        v = math.log(y) - self.height - self.slope * u  # what the expectation missed
        self.count += 1
        self._x += u
        self._y += v
        self._xx += u * u
        self._xy += u * v
        self._yy += v * v

    def at(self, x: float) -> tuple[float, float]:
        """``ln y`` expected at ``x``, and the standard deviation of one new point about it."""
        u = math.log(x) - self.centre
        noise = self.scatter**2
        for _ in range(3):  # the scatter depends on the line and the line, a little, on the scatter
            a11 = 1 / self.height_sd**2 + self.count / noise
            a12 = self._x / noise
            a22 = 1 / self.slope_sd**2 + self._xx / noise
            determinant = a11 * a22 - a12 * a12
            up = (a22 * self._y - a12 * self._xy) / noise / determinant
            turn = (a11 * self._xy - a12 * self._y) / noise / determinant
            squares = self._yy - 2 * up * self._y - 2 * turn * self._xy
            squares += up * up * self.count + 2 * up * turn * self._x + turn * turn * self._xx
            noise = (PRIOR_POINTS * self.scatter**2 + max(0.0, squares)) / (PRIOR_POINTS + self.count)
        spread = (a22 - 2 * a12 * u + a11 * u * u) / determinant
        return self.height + up + (self.slope + turn) * u, math.sqrt(spread + noise)
