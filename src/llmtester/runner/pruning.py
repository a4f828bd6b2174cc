"""What need not be measured, because a smaller sibling was already too slow. Pure: reads the state, names the evidence.

Writing reads every weight once per token, so of two files on one machine the larger one is not the faster one: a model
with more parameters at the same quantization, or the same model in a larger file, can only be slower still.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmtester.analysis import progress
from llmtester.analysis.forecast import CONFIDENCE, hardware_of, learned
from llmtester.analysis.quality.assess import PROFILE as QUALITY
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate
from llmtester.domain.text import counted, human_bytes, printable
from llmtester.domain.work import Cell, ModelRef

LEARNED_TARGETS = 2
"""Measured targets before a prediction is believed."""


def skippable(state: RunState) -> Iterator[tuple[str, str]]:
    """Key and reason of each cell that was not begun and cannot do better than one that was unbearably slow, or that is
    predicted to fail."""
    said = set()
    for key, reason in _certain(state):
        said.add(key)
        yield key, reason
    for key, reason in _predicted(state):
        if key not in said:
            yield key, reason


def _certain(state: RunState) -> Iterator[tuple[str, str]]:
    slow = [(cell, reason) for cell in state.cells.values() if (reason := progress.unbearable(cell))]
    if not slow:
        return
    for candidate in state.cells.values():
        if _begun(candidate):
            continue
        for cell, reason in slow:
            if _same_question(candidate.cell, cell.cell) and _only_larger(candidate.cell, cell.cell):
                yield candidate.cell.key, _because(cell, reason)
                break


def _predicted(state: RunState) -> Iterator[tuple[str, str]]:
    """What the forecast of this run says will be too slow or too large, with its interval and what it rests on."""
    waiting = [cell for cell in state.cells.values() if not _begun(cell)]
    if not waiting or state.machine is None:
        return
    forecast = learned(state)
    limit_bytes = hardware_of(state.machine).memory_bytes
    for cell in waiting:
        model = cell.cell.target.model
        speed, reading = forecast.decode_tok_per_s(model), forecast.prefill_tok_per_s(model)
        memory = forecast.memory_bytes(cell.cell.target)
        if isinstance(memory, Estimate) and _believed(memory) and memory.low is not None and memory.low > limit_bytes:
            low, high = human_bytes(int(memory.low)), human_bytes(int(memory.high or memory.low))
            said = f"{human_bytes(int(memory.value))} of memory ({low} to {high})"
            yield cell.cell.key, _prediction(said, memory, f"this machine has {human_bytes(limit_bytes)}")
        elif cell.cell.profile == QUALITY or cell.cell.load.concurrency > 1:
            continue
        elif _believed(speed) and speed.high is not None and speed.high < progress.UNBEARABLE_DECODE_TOK_PER_S:
            said = f"{speed.value:.1f} tok/s ({speed.low:.1f} to {speed.high:.1f})"
            yield cell.cell.key, _prediction(said, speed, f"{progress.UNBEARABLE_DECODE_TOK_PER_S} would be bearable")
        elif _believed(reading) and reading.high is not None:
            least_s = cell.cell.load.prompt_tok / reading.high
            limit_s = progress.unbearable_ttft_ms(cell.cell.profile) / 1e3
            if least_s > limit_s:
                said = (
                    f"{cell.cell.load.prompt_tok / reading.value:.0f} s to the first token (at least {least_s:.0f} s)"
                )
                yield (
                    cell.cell.key,
                    _prediction(said, reading, f"{limit_s:.0f} s would be bearable"),
                )


def _begun(cell: CellState) -> bool:
    return bool(cell.trials or cell.warmups) or cell.skipped is not None


def _believed(predicted: Estimate) -> bool:
    return predicted.trials_count >= LEARNED_TARGETS


def _prediction(said: str, predicted: Estimate, limit: str) -> str:
    evidence = counted(predicted.trials_count, "measured model")
    return f"predicted, with {CONFIDENCE:.0%} confidence from {evidence}: {said}; {limit}".replace("95%", "95 %")


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
