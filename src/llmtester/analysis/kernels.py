"""What reading one weight costs a processor while it writes, by tensor type.

Where the run timed its engine on synthetic files (``Machine.kernels``), those seconds count, bytes included. Else
``WORK`` says what unpacking a weight costs relative to Q8_0: *measured* with ``python -m benchmarks.kernels``
(llama.cpp b11434, a processor with AVX-512, one thread, what the bytes cost taken off). On another processor the order
is much the same and the figures are not (there Q4_0 costs half of Q8_0), so it only shapes a guess that is bent by what
is measured (``analysis.forecast``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from llmtester.analysis import costs
from llmtester.analysis.stats import median
from llmtester.domain.work import ModelRef

WORK: Mapping[str, float] = {
    "Q2_K": 1.0,
    "Q3_K": 1.35,
    "Q4_0": 0.95,
    "Q4_1": 1.2,
    "Q4_K": 0.7,
    "Q5_0": 1.65,
    "Q5_1": 1.6,
    "Q5_K": 1.4,
    "Q6_K": 1.1,
    "Q8_0": 1.0,
    "F16": 1.0,
    "IQ2": 2.4,
    "IQ3": 3.05,
    "IQ4_NL": 1.1,
    "IQ4_XS": 1.25,
}
"""By the beginning of the name of a tensor type, or of a quantization, which begins with its main type."""


def work_of(tensor_type: str) -> float:
    """The work of a weight relative to Q8_0; 1 for a name that is not in the table."""
    name = tensor_type.upper()
    return next((work for beginning, work in WORK.items() if name.startswith(beginning)), 1.0)


def work(model: ModelRef) -> float:
    """Weights that are read for a token, each as often as its type costs more than Q8_0."""
    return sum(count * work_of(tensor_type) for tensor_type, count in _read(model))


def is_timed(model: ModelRef, timed: Collection[str]) -> bool:
    """Whether the tensor type that makes up most of what is read of a model is among those that were timed."""
    return bool(model.read_per_token) and model.read_per_token[0].tensor_type in timed


def timed_s(model: ModelRef, weight_s: Mapping[str, float]) -> float:
    """Seconds for all weights that are read for a token, by the types that were timed; the others are scaled from these
    by the table. Raises ``StatisticsError`` if none was timed."""
    unit_s = median([seconds / work_of(name) for name, seconds in weight_s.items()])
    return sum(count * weight_s.get(name, unit_s * work_of(name)) for name, count in _read(model))


def _read(model: ModelRef) -> Iterator[tuple[str, float]]:
    """Tensor type and number of weights; the quantization's name stands for the type if no header was read."""
    if not model.read_per_token:
        yield model.quantization, costs.weights_read(model)
    for read in model.read_per_token:
        yield read.tensor_type, float(read.count)
