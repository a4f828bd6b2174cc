"""What is to come, learned while a run goes on: memory, speed and time, each with an interval that narrows.

A token works on every weight that is read for it, so writing and reading follow what the kernels of the machine need,
or the work and the bytes where they were not timed (``analysis.paces``). Memory follows what the headers said, and
starting the bytes: lines on logarithms (``analysis.line``). Each begins as the plan's own guess and is bent by every
target that was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmtester.analysis import costs
from llmtester.analysis.costs import Hardware
from llmtester.analysis.line import Line
from llmtester.analysis.metrics import of_cell
from llmtester.analysis.paces import Operations, Pace, Paces, Unpacking
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate, ForecastRow
from llmtester.domain.records import Absent, Machine
from llmtester.domain.work import ModelRef, Target

CONFIDENCE = 0.95
Z = 1.96
"""Two-sided 95 % of the normal distribution."""

MEMORY_SD, MEMORY_SCATTER = 0.15, 0.03


def hardware_of(machine: Machine) -> Hardware:
    """What a machine offers to a run."""
    return Hardware(
        cores_count=min(machine.physical_cores, machine.cpu_limit_cores),
        memory_bytes=min(machine.memory_bytes, machine.memory_limit_bytes),
        bandwidth_bytes_per_s=machine.memory_bandwidth_bytes_per_s,
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of one target: medians over its cells with one request at a time; ``None``: not (yet)."""

    target: Target
    decode_tok_per_s: float | None
    prefill_tok_per_s: float | None
    memory_bytes: float | None
    start_s: float | None


class Forecast:
    """Lines for one run. ``learn`` takes what was seen, in any order; the rest only asks."""

    def __init__(self, targets: Sequence[Target], machine: Machine, need_bytes: dict[str, int]) -> None:
        self._need_bytes = need_bytes
        hardware, models = hardware_of(machine), [target.model for target in targets]
        decode_s = {kernel.tensor_type: kernel.decode_weight_s for kernel in machine.kernels}
        prefill_s = {kernel.tensor_type: kernel.prefill_weight_s for kernel in machine.kernels}
        self._decode = Paces(decode_s, Unpacking(hardware))
        self._prefill = Paces(prefill_s, Operations(models, hardware))
        self._memory = Line(0.0, 0.0, MEMORY_SD, 1.0, 0.05, MEMORY_SCATTER)
        needs = [math.log(need) for need in need_bytes.values() if need > 0]
        if needs:
            self._memory.centre = self._memory.height = sum(needs) / len(needs)
        self._start = Line(0.0, 0.0, math.log(2.0), 1.0, 0.1, 0.2)

    def learn(self, seen: Seen) -> None:
        """Bend the lines by one measured target."""
        model = seen.target.model
        if seen.decode_tok_per_s and model.size_bytes > 0:
            self._decode.learn(model, 1 / seen.decode_tok_per_s)
        if seen.prefill_tok_per_s and model.size_bytes > 0:
            self._prefill.learn(model, 1 / seen.prefill_tok_per_s)
        need = self._need_bytes.get(seen.target.key)
        needed_bytes = (seen.memory_bytes or 0.0) - rearranged_bytes(seen.target)
        if need and needed_bytes > 0:
            self._memory.add(need, needed_bytes)
        if seen.start_s:
            self._start.add(costs.start_s(model), seen.start_s)

    def decode_tok_per_s(self, model: ModelRef) -> Estimate:
        """Writing speed, one request at a time."""
        return _rate(self._decode.of(model), model)

    def prefill_tok_per_s(self, model: ModelRef) -> Estimate:
        """Reading speed."""
        return _rate(self._prefill.of(model), model)

    def memory_bytes(self, target: Target) -> Estimate | Absent:
        """Highest memory that a server needs; what it has mapped besides and can do without is not counted."""
        need = self._need_bytes.get(target.key)
        if not need:
            return Absent("no estimate was made")
        middle, sd = self._memory.at(need)
        return Estimate(math.exp(middle), math.exp(middle - Z * sd), math.exp(middle + Z * sd), self._memory.count)

    def start_s(self, model: ModelRef) -> Estimate:
        """Seconds until a server is ready."""
        middle, sd = self._start.at(costs.start_s(model))
        return Estimate(math.exp(middle), math.exp(middle - Z * sd), math.exp(middle + Z * sd), self._start.count)


def _rate(pace: Pace, model: ModelRef) -> Estimate:
    """Tokens a second at a pace."""
    middle, sd = pace.at(model)
    return Estimate(math.exp(-middle), math.exp(-middle - Z * sd), math.exp(-middle + Z * sd), pace.count)


def rearranged_bytes(target: Target) -> int:
    """Bytes of a file that stay mapped although the server works on a rearranged copy: they count as its memory as long
    as nobody else needs them."""
    return 0 if target.settings.gpu_layers else target.model.rearranged_bytes


def seen_of(state: RunState, cells: Iterable[CellState]) -> Seen:
    """What the finished trials of the cells of one target say."""
    own = [cell for cell in cells if cell.trials and cell.cell.load.concurrency == 1]
    target = next(iter(cells)).cell.target if not own else own[0].cell.target
    known = state.targets[target.key]
    loads_s = [load_ns / 1e9 for load_ns in known.load_ns]
    return Seen(
        target=target,
        decode_tok_per_s=_typical(own, "decode_tok_per_s"),
        prefill_tok_per_s=_typical(own, "prefill_tok_per_s"),
        memory_bytes=float(known.memory_peak_bytes) if known.memory_peak_bytes else None,
        start_s=sum(loads_s) / len(loads_s) if loads_s else None,
    )


def _with_mapped(needed: Estimate | Absent, target: Target) -> Estimate | Absent:
    """What a reading of the memory will show."""
    more = rearranged_bytes(target)
    if isinstance(needed, Absent) or needed.low is None or needed.high is None:
        return needed
    return Estimate(needed.value + more, needed.low + more, needed.high + more, needed.trials_count)


def _typical(cells: Sequence[CellState], metric: str) -> float | None:
    """Geometric mean over the loads of a target."""
    values = [value.value for cell in cells if isinstance(value := of_cell(metric, cell), Estimate)]
    positive = [math.log(value) for value in values if value > 0]
    return math.exp(sum(positive) / len(positive)) if positive else None


def by_target(state: RunState) -> dict[str, list[CellState]]:
    """The cells of every target, in plan order."""
    groups: dict[str, list[CellState]] = {}
    for cell in state.cells.values():
        groups.setdefault(cell.cell.target.key, []).append(cell)
    return groups


def learned(state: RunState) -> Forecast:
    """The forecast after everything that was measured so far. Raises ``ValueError`` for a state without a run."""
    forecast = _blank(state)
    for cells in by_target(state).values():
        if any(cell.trials for cell in cells):
            forecast.learn(seen_of(state, cells))
    return forecast


def _blank(state: RunState) -> Forecast:
    return Forecast(state.plan.targets, state.begun_on, state.plan.memory_need_bytes)


def scores(state: RunState) -> Iterator[ForecastRow]:
    """Every prediction beside what was measured later, in the order in which the targets were first measured.

    The prediction for a target is the one that could be made just before its first trial.
    """
    forecast = _blank(state)
    groups = [cells for cells in by_target(state).values() if any(cell.trials for cell in cells)]
    for cells in sorted(groups, key=lambda cells: min(cell.begun_at for cell in cells if cell.trials)):
        seen = seen_of(state, cells)
        model = seen.target.model
        asked = (
            ("decode_tok_per_s", forecast.decode_tok_per_s(model), seen.decode_tok_per_s),
            ("prefill_tok_per_s", forecast.prefill_tok_per_s(model), seen.prefill_tok_per_s),
            ("memory_peak_bytes", _with_mapped(forecast.memory_bytes(seen.target), seen.target), seen.memory_bytes),
        )
        for quantity, predicted, measured in asked:
            if isinstance(predicted, Estimate) and measured:
                error = predicted.value / measured - 1
                yield ForecastRow(seen.target.key, quantity, predicted, measured, error)
        forecast.learn(seen)
