"""What unpacking one weight costs a processor in each tensor type, relative to Q8_0.

*Measured* with ``python -m benchmarks.kernels`` (llama.cpp b11434, AVX2, one thread, what the bytes cost taken off). On
another processor the order is much the same and the figures are not (there Q4_0 costs half of Q8_0), so they only shape
a guess that is bent by what is measured (``analysis.forecast``).
"""

from __future__ import annotations

from collections.abc import Mapping

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
"""By the beginning of a quantization's name: its main type stands for the mix that a file is."""


def work_of(quantization: str) -> float:
    """The work of a weight of such a file; 1 for a name that is not in the table."""
    name = quantization.upper()
    return next((work for beginning, work in WORK.items() if name.startswith(beginning)), 1.0)
