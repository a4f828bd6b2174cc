"""How long a model takes for one token, in writing or in reading a prompt: three ways to expect it, by what is known of
the machine, each bent by every model that was measured.

``Timed`` for models whose main kernels were timed, in both. For the others ``Unpacking`` in writing and ``Operations``
in reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from llmtester.analysis import costs, kernels
from llmtester.analysis.costs import Hardware
from llmtester.analysis.line import Line
from llmtester.analysis.token_time import Expected, TokenTime
from llmtester.domain.work import ModelRef

TIMES_AS_TIMED = Expected(1.0, 0.25)
"""How many times as long as the timed kernels say a real model takes for its weights: their best moment was timed."""

UNTYPED_RATIO, UNTYPED_SD_RATIO = 0.15, 0.3
"""What a token costs whatever the type of its weights (attention, sampling), in parts of what the weights cost."""

TIMED_SD = 0.08
"""How far two models are off the sum where the kernels were timed."""

UNMEASURED_SD_RATIO, MEASURED_SD_RATIO = 1.0, 0.3
"""How far the cost of a byte is off, without and with a measured bandwidth of the memory."""

WORK_SD_RATIO = 8.0
"""How far the cost of a weight is off: a core unpacks for one token more slowly than it multiplies for a whole prompt,
by a factor that nobody knows before the first file was measured."""

TABLE_SD = 0.2
"""How far the speeds of two quantizations are off the sum of both costs, because kernels differ between processors: on
the second one that was tried Q8_0 was 0.30 off, in logarithms (docs/decisions/0061)."""


class Pace(Protocol):
    """Seconds for a token of each model."""

    @property
    def count(self) -> int:
        """Models that were learned."""
        ...

    def learn(self, model: ModelRef, seconds: float) -> None:
        """Take in what one model was measured to need."""
        ...

    def at(self, model: ModelRef) -> tuple[float, float]:
        """Logarithm of the seconds expected, and the standard deviation of it for one new measurement."""
        ...


class Timed:
    """What the kernels of this machine were timed to need for the weights, and a share that no type changes."""

    def __init__(self, weight_s: Mapping[str, float]) -> None:
        """``weight_s`` has seconds a weight by tensor type, one at least."""
        self._weight_s = weight_s
        mean_s = sum(weight_s.values()) / len(weight_s)
        untyped = Expected(UNTYPED_RATIO * mean_s, UNTYPED_SD_RATIO * mean_s)
        self._time = TokenTime(TIMES_AS_TIMED, untyped, TIMED_SD)

    @property
    def count(self) -> int:
        return self._time.count

    def learn(self, model: ModelRef, seconds: float) -> None:
        self._time.add(kernels.timed_s(model, self._weight_s), costs.weights_read(model), seconds)

    def at(self, model: ModelRef) -> tuple[float, float]:
        seconds, sd = self._time.at(kernels.timed_s(model, self._weight_s), costs.weights_read(model))
        return math.log(seconds), sd


class Paces:
    """The pace that fits each model."""

    def __init__(self, weight_s: Mapping[str, float], otherwise: Pace) -> None:
        """``weight_s`` as for ``Timed``, or empty; ``otherwise`` for models of which it says nothing."""
        self._weight_s = weight_s
        self._timed = Timed(weight_s) if weight_s else otherwise
        self._otherwise = otherwise

    def of(self, model: ModelRef) -> Pace:
        """The pace to ask about a model."""
        return self._timed if kernels.is_timed(model, self._weight_s) else self._otherwise

    def learn(self, model: ModelRef, seconds: float) -> None:
        """Take in what one model was measured to need. Nobody knows beforehand for whom the others will be asked, so
        they learn from all."""
        if self._timed is not self._otherwise and kernels.is_timed(model, self._weight_s):
            self._timed.learn(model, seconds)
        self._otherwise.learn(model, seconds)


class Unpacking:
    """For writing: a cost per weight, by its type, and one per byte."""

    def __init__(self, hardware: Hardware) -> None:
        byte_s = 1 / (hardware.bandwidth_bytes_per_s or costs.BANDWIDTH_BYTES_PER_S)
        byte_sd_ratio = MEASURED_SD_RATIO if hardware.bandwidth_bytes_per_s else UNMEASURED_SD_RATIO
        work_s = 2 / costs.operations_per_s(hardware)
        work, byte = Expected(work_s, WORK_SD_RATIO * work_s), Expected(byte_s, byte_sd_ratio * byte_s)
        self._time = TokenTime(work, byte, TABLE_SD)

    @property
    def count(self) -> int:
        return self._time.count

    def learn(self, model: ModelRef, seconds: float) -> None:
        self._time.add(kernels.work(model), float(costs.bytes_read(model)), seconds)

    def at(self, model: ModelRef) -> tuple[float, float]:
        seconds, sd = self._time.at(kernels.work(model), max(1.0, float(costs.bytes_read(model))))
        return math.log(seconds), sd


class Operations:
    """For reading: a line through the logarithms of the weights that a token works on."""

    def __init__(self, models: Sequence[ModelRef], hardware: Hardware) -> None:
        weights = [math.log(max(1.0, costs.weights_read(model))) for model in models] or [0.0]
        centre = sum(weights) / len(weights)
        height = centre + math.log(2 / costs.operations_per_s(hardware))
        self._line = Line(centre, height, math.log(2.5), 1.0, 0.2, 0.15)

    @property
    def count(self) -> int:
        return self._line.count

    def learn(self, model: ModelRef, seconds: float) -> None:
        self._line.add(max(1.0, costs.weights_read(model)), seconds)

    def at(self, model: ModelRef) -> tuple[float, float]:
        return self._line.at(max(1.0, costs.weights_read(model)))
