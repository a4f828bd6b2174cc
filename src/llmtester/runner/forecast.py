"""How long a plan will take, before anything was measured: a guess, and called one.

Writing a token reads every weight once, so its time is bytes over memory bandwidth. Reading a prompt does two
operations per weight and token, so its time is operations over compute. Both constants are what one core of an
ordinary machine reaches; a run is usually within half and double of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from llmtester.domain.work import Cell

BANDWIDTH_BYTES_PER_S = 15e9
"""Effective read bandwidth of ordinary dual-channel memory; 14 GB/s measured on 2 cores of a server."""

OPERATIONS_PER_S_PER_CORE = 40e9
"""Effective multiply-adds of one core in a quantized matrix product."""

START_S = 1.0
LOAD_BYTES_PER_S = 1e9
"""Starting a server: a fixed part, and reading the file at the speed of an ordinary solid-state disk."""

EXPECTED_TRIALS_SHARE = 0.8
"""Trials that are usually needed between the least and the most that a load allows."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine offers: cores that may be used, and memory that programs may use."""

    cores_count: float
    memory_bytes: int


def expected_s(cells: Sequence[Cell], hardware: Hardware) -> float:
    """Expected duration of all cells in order, server starts included, in seconds."""
    total_s = 0.0
    for target, group in groupby(cells, key=lambda cell: cell.target):
        total_s += START_S + target.model.size_bytes / LOAD_BYTES_PER_S
        total_s += sum(cell_s(cell, hardware) for cell in group)
    return total_s


def cell_s(cell: Cell, hardware: Hardware) -> float:
    """Expected duration of one cell in seconds, warm-up included."""
    load, model = cell.load, cell.target.model
    weights = model.parameters_count or model.size_bytes * 8 / (model.bits_per_weight or 5)
    prefill_s = load.prompt_tok * 2 * weights / (OPERATIONS_PER_S_PER_CORE * max(1.0, hardware.cores_count))
    decode_s = load.output_tok * model.size_bytes / BANDWIDTH_BYTES_PER_S
    trials = load.warmup_trials + load.min_trials + EXPECTED_TRIALS_SHARE * (load.max_trials - load.min_trials)
    return trials * load.requests_per_trial * (prefill_s + decode_s)
