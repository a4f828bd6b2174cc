"""What need not be measured, because a smaller sibling was already too slow. Pure: reads the state, names the evidence.

Writing reads every weight once per token, so of two files on one machine the larger one is not the faster one: a model
with more parameters at the same quantization, or the same model in a larger file, can only be slower still.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmtester.analysis import progress
from llmtester.analysis.state import CellState, RunState
from llmtester.domain.text import printable
from llmtester.domain.work import Cell, ModelRef


def skippable(state: RunState) -> Iterator[tuple[str, str]]:
    """Key and reason of each cell that was not begun and cannot do better than one that was unbearably slow."""
    slow = [(cell, reason) for cell in state.cells.values() if (reason := progress.unbearable(cell))]
    if not slow:
        return
    for candidate in state.cells.values():
        if candidate.trials or candidate.warmups or candidate.skipped is not None:
            continue
        for cell, reason in slow:
            if _same_question(candidate.cell, cell.cell) and _only_larger(candidate.cell, cell.cell):
                yield candidate.cell.key, _because(cell, reason)
                break


def _same_question(one: Cell, other: Cell) -> bool:
    same_server = one.target.engine == other.target.engine and one.target.settings == other.target.settings
    return same_server and (one.profile, one.load) == (other.profile, other.load)


def _only_larger(candidate: Cell, slow: Cell) -> bool:
    one, other = candidate.target.model, slow.target.model
    if one.size_bytes <= other.size_bytes:
        return False
    return one.name == other.name or (one.quantization == other.quantization and _parameters(one) > _parameters(other))


def _parameters(model: ModelRef) -> int:
    return model.parameters_count or model.size_bytes


def _because(cell: CellState, reason: str) -> str:
    return f"{printable(cell.cell.target.model.label)}, which is smaller, was too slow already: {reason}"
