"""Continuous work: when it must end before its time, and how far it is. Pure, from the state alone."""

from __future__ import annotations

from collections.abc import Sequence

from llmtester.analysis.state import CellState, RunState
from llmtester.domain.errors import RequestFailure
from llmtester.domain.records import Reading
from llmtester.domain.text import human_bytes, human_duration, printable

HOTTEST_C = 90.0
"""Processors and GPUs for personal machines slow themselves down between 90 and 105 degrees C."""

MEMORY_LEFT_BYTES = 256 * 2**20
"""Below this the next allocation of any program may be the one for which the system ends another."""

SWAP_FULL_RATIO = 0.95
SWAP_GROWTH_BYTES = 64 * 2**20
"""A swap that was full of idle pages before is no sign; one that filled up meanwhile is."""

SILENT = frozenset(
    {RequestFailure.STALLED, RequestFailure.FIRST_TOKEN_TIMEOUT, RequestFailure.TOTAL_TIMEOUT, RequestFailure.CONNECT}
)
"""How a request fails whose server does not answer any more."""


def is_continuous(cell: CellState) -> bool:
    return cell.cell.load.duration_s is not None


def worked_s(cell: CellState) -> float:
    """Seconds of its measured trials."""
    return sum(trial.wall_s for trial in cell.trials)


def must_end(state: RunState, cell_key: str) -> str | None:
    """Why the continuous work of a cell must end now, after the last reading; ``None`` while it may go on."""
    cell = state.cells[cell_key]
    if not is_continuous(cell) or cell.skipped is not None or not cell.watched.readings:
        return None
    return _danger(cell.watched.readings, state.begun_on.swap_bytes)


def _danger(readings: Sequence[Reading], swap_bytes: int) -> str | None:
    last = readings[-1]
    for part, temperature_c in (("processor", last.temperature_c), ("GPU", last.gpu_temperature_c)):
        if temperature_c is not None and temperature_c >= HOTTEST_C:
            return f"the {part} reached {temperature_c:.0f} °C"
    if last.memory_available_bytes < MEMORY_LEFT_BYTES:
        return f"only {human_bytes(last.memory_available_bytes)} of memory were left"
    growth = last.swap_used_bytes - readings[0].swap_used_bytes
    if swap_bytes and last.swap_used_bytes >= SWAP_FULL_RATIO * swap_bytes and growth > SWAP_GROWTH_BYTES:
        return f"the swap ran full: {human_bytes(last.swap_used_bytes)} of {human_bytes(swap_bytes)}"
    return None


def ended(cell: CellState) -> str | None:
    """Why continuous work that had begun ended before its time, in a sentence; ``None`` if it did not."""
    if not is_continuous(cell) or not cell.trials:
        return None
    silent = next((s for trial in cell.trials for s in trial.samples if s.failure in SILENT), None)
    if cell.skipped is not None:
        reason = cell.skipped
    elif len(cell.crashes) > (1 if cell.trials[0].launch > 1 else 0):  # one that died at once was started again
        reason = f"the server died: {printable(cell.crashes[-1].message)}"
    elif silent is not None:
        reason = f"the server stopped answering: {printable(silent.failure_detail)}"
    else:
        return None
    return f"after {human_duration(worked_s(cell))} of continuous work {reason}"


def complete(cell: CellState) -> bool:
    """Whether continuous work lasted as long as it was meant to."""
    duration_s = cell.cell.load.duration_s
    return duration_s is not None and worked_s(cell) >= duration_s
