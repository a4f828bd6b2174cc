"""How long one token takes to write: each weight costs work, each of its bytes a share of the memory's speed.

``seconds = work_s * weights + byte_s * bytes``. On a machine with cores to spare the bytes are all that counts; where
few cores unpack the weights, two quantizations of one model are nearly as fast as each other, whatever their size.
Which of both it is, the first measured files tell: Bayesian linear regression with relative noise and a normal prior on
both costs (Gelman et al., Bayesian Data Analysis, chapter 14). No cost is negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

PRIOR_POINTS = 2.0
"""What the expected scatter is worth when it is pooled with the residuals."""

WIDEST_SD_LN = 1.5
"""A spread beyond this says only that nothing is known."""


@dataclass(slots=True)
class TokenTime:
    """The two costs with the standard deviation of what was expected of them, and how far kernels scatter about the
    sum (``scatter``, of natural logarithms). With no point it says what was expected."""

    work_s: float
    work_sd_s: float
    byte_s: float
    byte_sd_s: float
    scatter: float
    _points: list[tuple[float, float]] = field(default_factory=list, init=False)

    @property
    def count(self) -> int:
        """Measured points."""
        return len(self._points)

    def add(self, weights_count: float, size_bytes: float, seconds: float) -> None:
        """Learn what one file took; all positive."""
        self._points.append((weights_count / seconds, size_bytes / seconds))

    def at(self, weights_count: float, size_bytes: float) -> tuple[float, float]:
        """Seconds expected for a file, and the standard deviation of their logarithm for one new measurement."""
        noise = self.scatter**2
        for _ in range(3):  # the scatter depends on the costs and the costs, a little, on the scatter
            work, byte, covariance = self._posterior(noise)
            misses = [work * weights + byte * size - 1 for weights, size in self._points]
            squares = sum(miss * miss for miss in misses)
            noise = (PRIOR_POINTS * self.scatter**2 + squares) / (PRIOR_POINTS + self.count)
        seconds = work * weights_count + byte * size_bytes
        spread = covariance[0] * weights_count**2 + covariance[2] * size_bytes**2
        spread += 2 * covariance[1] * weights_count * size_bytes
        return seconds, min(WIDEST_SD_LN, math.sqrt(max(0.0, spread) / seconds**2 + noise))

    def _posterior(self, noise: float) -> tuple[float, float, tuple[float, float, float]]:
        """Both costs and their variances with the covariance between: normal equations of points that, divided by what
        was measured, should all be one."""
        a11 = 1 / self.work_sd_s**2 + sum(weights * weights for weights, _ in self._points) / noise
        a22 = 1 / self.byte_sd_s**2 + sum(size * size for _, size in self._points) / noise
        a12 = sum(weights * size for weights, size in self._points) / noise
        b1 = self.work_s / self.work_sd_s**2 + sum(weights for weights, _ in self._points) / noise
        b2 = self.byte_s / self.byte_sd_s**2 + sum(size for _, size in self._points) / noise
        determinant = a11 * a22 - a12 * a12
        work, byte = (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12 * b1) / determinant
        if work < 0:
            work, byte = 0.0, b2 / a22
        elif byte < 0:
            work, byte = b1 / a11, 0.0
        return work, byte, (a22 / determinant, -a12 / determinant, a11 / determinant)
