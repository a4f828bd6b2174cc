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
    count: int = 0
    _w: float = field(default=0.0, init=False)
    _s: float = field(default=0.0, init=False)
    _ww: float = field(default=0.0, init=False)
    _ws: float = field(default=0.0, init=False)
    _ss: float = field(default=0.0, init=False)

    def add(self, weights_count: float, size_bytes: float, seconds: float) -> None:
        """Learn what one file took; all positive.

        Divided by what was measured, the sum of both costs should be one; sums of those shares are all that is kept.
        """
        w, s = weights_count / seconds, size_bytes / seconds
        self.count += 1
        self._w += w
        self._s += s
        self._ww += w * w
        self._ws += w * s
        self._ss += s * s

    def at(self, weights_count: float, size_bytes: float) -> tuple[float, float]:
        """Seconds expected for a file, and the standard deviation of their logarithm for one new measurement."""
        noise = self.scatter**2
        for _ in range(3):  # the scatter depends on the costs and the costs, a little, on the scatter
            work, byte, covariance = self._posterior(noise)
            squares = work * work * self._ww + 2 * work * byte * self._ws + byte * byte * self._ss
            squares += self.count - 2 * work * self._w - 2 * byte * self._s
            noise = (PRIOR_POINTS * self.scatter**2 + max(0.0, squares)) / (PRIOR_POINTS + self.count)
        seconds = work * weights_count + byte * size_bytes
        spread = covariance[0] * weights_count**2 + covariance[2] * size_bytes**2
        spread += 2 * covariance[1] * weights_count * size_bytes
        return seconds, min(WIDEST_SD_LN, math.sqrt(max(0.0, spread) / seconds**2 + noise))

    def _posterior(self, noise: float) -> tuple[float, float, tuple[float, float, float]]:
        """Both costs, and their variances with the covariance between: the normal equations."""
        a11 = 1 / self.work_sd_s**2 + self._ww / noise
        a22 = 1 / self.byte_sd_s**2 + self._ss / noise
        a12 = self._ws / noise
        b1 = self.work_s / self.work_sd_s**2 + self._w / noise
        b2 = self.byte_s / self.byte_sd_s**2 + self._s / noise
        determinant = a11 * a22 - a12 * a12
        work, byte = (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12 * b1) / determinant
        if work < 0:
            work, byte = 0.0, b2 / a22
        elif byte < 0:
            work, byte = b1 / a11, 0.0
        return work, byte, (a22 / determinant, -a12 / determinant, a11 / determinant)
