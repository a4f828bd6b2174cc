"""What is to come, learned while a run goes on: memory, speed and time, each with an interval that narrows.

Writing reads every weight once per token, so seconds per token follow the bytes of a file; reading a prompt works on
every weight, so they follow the parameters; memory follows what the headers said. Each is a line on logarithms that
begins as the plan's own guess and is bent by every target that was measured (``analysis.line``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmtester.analysis import costs
from llmtester.analysis.costs import Hardware
from llmtester.analysis.line import Line
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate, ForecastRow
from llmtester.domain.records import Absent, Machine
from llmtester.domain.work import ModelRef, Target

CONFIDENCE = 0.95
Z = 1.96
"""Two-sided 95 % of the normal distribution."""

UNMEASURED_SD, MEASURED_SD = math.log(2.0), math.log(1.5)
"""How far a first guess of a speed is off, without and with a measured bandwidth of the memory."""

KERNEL_SD = 0.08
"""How far the speeds of two quantizations are off the line of their bytes, because their kernels differ."""

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
        hardware = hardware_of(machine)
        sizes = [math.log(max(1, target.model.size_bytes)) for target in targets] or [0.0]
        weights = [math.log(max(1.0, costs.weights_count(target.model))) for target in targets] or [0.0]
        size, weight = sum(sizes) / len(sizes), sum(weights) / len(weights)
        bandwidth = hardware.bandwidth_bytes_per_s or costs.BANDWIDTH_BYTES_PER_S
        operations = costs.OPERATIONS_PER_S_PER_CORE * max(1.0, hardware.cores_count)
        guess_sd = MEASURED_SD if hardware.bandwidth_bytes_per_s else UNMEASURED_SD
        self._decode = Line(size, size - math.log(bandwidth), guess_sd, 1.0, 0.35, KERNEL_SD)
        self._prefill = Line(weight, weight + math.log(2 / operations), math.log(2.5), 1.0, 0.2, 0.15)
        self._memory = Line(0.0, 0.0, MEMORY_SD, 1.0, 0.05, MEMORY_SCATTER)
        needs = [math.log(need) for need in need_bytes.values() if need > 0]
        if needs:
            self._memory.centre = self._memory.height = sum(needs) / len(needs)
        self._start = Line(0.0, 0.0, math.log(2.0), 1.0, 0.1, 0.2)

    def learn(self, seen: Seen) -> None:
        """Bend the lines by one measured target."""
        model = seen.target.model
        if seen.decode_tok_per_s and model.size_bytes > 0:
            self._decode.add(model.size_bytes, 1 / seen.decode_tok_per_s)
        if seen.prefill_tok_per_s and model.size_bytes > 0:
            self._prefill.add(costs.weights_count(model), 1 / seen.prefill_tok_per_s)
        need = self._need_bytes.get(seen.target.key)
        if need and seen.memory_bytes:
            self._memory.add(need, seen.memory_bytes)
        if seen.start_s:
            self._start.add(costs.start_s(model), seen.start_s)

    def decode_tok_per_s(self, model: ModelRef) -> Estimate:
        """Writing speed, one request at a time."""
        return _inverse(self._decode, max(1, model.size_bytes))

    def prefill_tok_per_s(self, model: ModelRef) -> Estimate:
        """Reading speed."""
        return _inverse(self._prefill, max(1.0, costs.weights_count(model)))

    def memory_bytes(self, target: Target) -> Estimate | Absent:
        """Highest memory of a server."""
        need = self._need_bytes.get(target.key)
        if not need:
            return Absent("no estimate was made")
        middle, sd = self._memory.at(need)
        return Estimate(math.exp(middle), math.exp(middle - Z * sd), math.exp(middle + Z * sd), self._memory.count)

    def start_s(self, model: ModelRef) -> Estimate:
        """Seconds until a server is ready."""
        middle, sd = self._start.at(costs.start_s(model))
        return Estimate(math.exp(middle), math.exp(middle - Z * sd), math.exp(middle + Z * sd), self._start.count)


def _inverse(line: Line, x: float) -> Estimate:
    """The rate that belongs to seconds per token."""
    middle, sd = line.at(x)
    return Estimate(math.exp(-middle), math.exp(-middle - Z * sd), math.exp(-middle + Z * sd), line.count)


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


def _typical(cells: Sequence[CellState], metric: str) -> float | None:
    """Geometric mean over the loads of a target."""
    values = [value.value for cell in cells if isinstance(value := METRICS[metric].of_cell(cell), Estimate)]
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
    if state.machine is None:
        raise ValueError("the state holds no run")
    return Forecast(state.plan.targets, state.machine, state.plan.memory_need_bytes)


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
            ("memory_peak_bytes", forecast.memory_bytes(seen.target), seen.memory_bytes),
        )
        for quantity, predicted, measured in asked:
            if isinstance(predicted, Estimate) and measured:
                error = predicted.value / measured - 1
                yield ForecastRow(seen.target.key, quantity, predicted, measured, error)
        forecast.learn(seen)
