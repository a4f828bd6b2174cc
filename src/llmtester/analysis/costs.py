"""What things cost in seconds before anything was measured: a guess, and called one.

Writing a token reads every weight once, so its time is bytes over memory bandwidth. Reading a prompt does two
operations per weight and token, so its time is operations over compute. Both constants are what one core of an
ordinary machine reaches; a run is usually within half and double of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from llmtester.domain.work import Cell, Load, ModelRef

BANDWIDTH_BYTES_PER_S = 15e9
"""Effective read bandwidth of ordinary dual-channel memory; 14 GB/s measured on 2 cores of a server."""

OPERATIONS_PER_S_PER_CORE = 40e9
"""Effective multiply-adds of one core in a quantized matrix product."""

START_S = 1.0
LOAD_BYTES_PER_S = 1e9
"""Starting a server: a fixed part, and reading the file at the speed of an ordinary solid-state disk."""

EXPECTED_TRIALS_SHARE = 0.8
"""Trials that are usually needed between the least and the most that a load allows."""

WARMUP_OUTPUT_TOK = 8
"""What a warm-up writes: it is about memory, caches and clocks, for which the prompt and a few words are enough."""

MEASURED_SHARE = 0.85
"""Of the time of a visit that should be spent in requests that count, the rest in starting and warming up."""

FEWEST_VISIT_TRIALS, MOST_VISIT_TRIALS = 2, 3
"""Two make a spread; with more than three for everybody, a race takes more than half the time of measuring everything
ten times."""

RACING_VISITS = 1.5
"""Visits that a configuration needs on average in a race: most are decided after one (benchmarks/matrix_race.py)."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine offers: cores that may be used, memory that programs may use, and how fast it is read, if that
    was measured."""

    cores_count: float
    memory_bytes: int
    bandwidth_bytes_per_s: float | None = None


def expected_s(cells: Sequence[Cell], hardware: Hardware, visit_trials: int | None = None) -> float:
    """Expected duration of all cells in order, server starts and warm-ups included, in seconds.

    Of the cells that work without a pause one will be chosen (``runner.stress_choice``).
    """
    works = next((cell for cell in cells if cell.load.duration_s is not None), None)
    cells = [cell for cell in cells if cell.load.duration_s is None or cell is works]
    visits = 1.0 if visit_trials is None else RACING_VISITS
    total_s = 0.0
    for target, group in groupby(cells, key=lambda cell: cell.target):
        own = list(group)
        total_s += visits * (start_s(target.model) + sum(warmup_s(cell, hardware) for cell in owing_warmups(own)))
        total_s += sum(expected_trials(cell, visit_trials) * trial_s(cell, hardware) for cell in own)
    return total_s


def expected_trials(cell: Cell, visit_trials: int | None) -> float:
    """How many measured trials the cell will probably get."""
    load = cell.load
    if visit_trials is None or load.min_trials == load.max_trials or load.sequential or load.duration_s is not None:
        return load.min_trials + EXPECTED_TRIALS_SHARE * (load.max_trials - load.min_trials)
    return min(RACING_VISITS * visit_trials, load.max_trials)


def start_s(model: ModelRef) -> float:
    """Seconds from starting a server until it is ready."""
    return START_S + model.size_bytes / LOAD_BYTES_PER_S


def trial_s(cell: Cell, hardware: Hardware) -> float:
    """Expected duration of one measured trial in seconds."""
    load = cell.load
    if load.duration_s is not None:
        return load.trial_s or load.duration_s
    return load.requests_per_trial * _request_s(cell, hardware, load.output_tok) / together(load)


def warmup_s(cell: Cell, hardware: Hardware) -> float:
    """Expected duration of the warm-ups of one server start in seconds."""
    load = cell.load
    requests = load.requests_per_trial if load.duration_s is None else load.concurrency
    one_s = requests * _request_s(cell, hardware, min(load.output_tok, WARMUP_OUTPUT_TOK))
    return load.warmup_trials * one_s / together(load)


def owing_warmups(cells: Sequence[Cell]) -> list[Cell]:
    """Of the cells of one target in order, those that no earlier one has warmed the server for."""
    return [cell for place, cell in enumerate(cells) if not any(one.load.warms(cell.load) for one in cells[:place])]


def together(load: Load) -> float:
    """How many times as fast as one stream all of them are: they share what is read, so two are about 1.6 times."""
    return float(load.concurrency**0.7)


def weights_read(model: ModelRef) -> float:
    """Weights that a token works on; all parameters, or what the size of the file says of them, if nobody knows."""
    if model.read_per_token:
        return float(sum(read.count for read in model.read_per_token))
    return float(model.parameters_count or model.size_bytes * 8 / (model.bits_per_weight or 5))


def bytes_read(model: ModelRef) -> int:
    """Bytes that are read to write a token; the whole file if nobody knows."""
    return sum(read.size_bytes for read in model.read_per_token) or model.size_bytes


def operations_per_s(hardware: Hardware) -> float:
    """Multiply-adds a second of all cores in a quantized matrix product."""
    return OPERATIONS_PER_S_PER_CORE * max(1.0, hardware.cores_count)


def _request_s(cell: Cell, hardware: Hardware, output_tok: int) -> float:
    model = cell.target.model
    prefill_s = cell.load.prompt_tok * 2 * weights_read(model) / operations_per_s(hardware)
    return prefill_s + output_tok * bytes_read(model) / (hardware.bandwidth_bytes_per_s or BANDWIDTH_BYTES_PER_S)


def visit_trials(cells: Sequence[Cell], hardware: Hardware) -> int:
    """How many trials a cell should get in one server start of a race: enough that at least ``MEASURED_SHARE`` of a
    visit is measuring, because what starts slowly must be visited rarely."""
    groups = [list(group) for _, group in groupby(cells, key=lambda cell: cell.target)]
    lost_s = sum(
        start_s(group[0].target.model) + sum(warmup_s(one, hardware) for one in owing_warmups(group))
        for group in groups
    )
    trial_all_s = sum(trial_s(cell, hardware) for cell in cells)
    wanted = math.ceil(lost_s / max(trial_all_s, 1e-9) * MEASURED_SHARE / (1 - MEASURED_SHARE))
    return min(max(wanted, FEWEST_VISIT_TRIALS), MOST_VISIT_TRIALS)


SAMPLE_BYTES, TOKEN_BYTES, PULSE_BYTES = 900, 16, 700
"""What a request, a token of its answer and a second of telemetry take in a journal; from the journals of real runs."""


def journal_bytes(cells: Sequence[Cell], visit_trials: int | None) -> int:
    """About how large the journal will be; telemetry is counted as one second a request."""
    requests = ((cell.load, expected_trials(cell, visit_trials) * cell.load.requests_per_trial) for cell in cells)
    return int(sum(count * (SAMPLE_BYTES + PULSE_BYTES + TOKEN_BYTES * load.output_tok) for load, count in requests))
