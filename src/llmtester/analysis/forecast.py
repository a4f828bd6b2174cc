"""What is to come, learned while a run goes on: memory, speed and time, each with an interval that narrows.

Writing unpacks and reads every weight once per token, so its time is a cost per weight, by its type
(``analysis.kernels``), and one per byte (``analysis.token_time``); reading a prompt works on every weight, so it
follows the parameters; memory follows what the headers said, and starting the bytes. The last three are lines on
logarithms (``analysis.line``). Each begins as the plan's own guess and is bent by every target that was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmtester.analysis import costs
from llmtester.analysis.costs import Hardware
from llmtester.analysis.kernels import work_of
from llmtester.analysis.line import Line
from llmtester.analysis.metrics import of_cell
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate, ForecastRow
from llmtester.analysis.token_time import TokenTime
from llmtester.domain.records import Absent, Machine
from llmtester.domain.work import ModelRef, Target

CONFIDENCE = 0.95
Z = 1.96
"""Two-sided 95 % of the normal distribution."""

UNMEASURED_SD_RATIO, MEASURED_SD_RATIO = 1.0, 0.3
"""How far the cost of a byte is off, without and with a measured bandwidth of the memory."""

WORK_SD_RATIO = 8.0
"""How far the cost of a weight is off: a core unpacks for one token more slowly than it multiplies for a whole prompt,
by a factor that nobody knows before the first file was measured."""

KERNEL_SD = 0.2
"""How far the speeds of two quantizations are off the sum of both costs, because kernels differ between processors: on
the second one that was tried Q8_0 was 0.30 off, in logarithms (docs/decisions/0061)."""

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
        weights = [math.log(max(1.0, costs.weights_count(target.model))) for target in targets] or [0.0]
        weight = sum(weights) / len(weights)
        byte_s = 1 / (hardware.bandwidth_bytes_per_s or costs.BANDWIDTH_BYTES_PER_S)
        operations = costs.OPERATIONS_PER_S_PER_CORE * max(1.0, hardware.cores_count)
        byte_sd_ratio = MEASURED_SD_RATIO if hardware.bandwidth_bytes_per_s else UNMEASURED_SD_RATIO
        work_s = 2 / operations
        self._decode = TokenTime(work_s, WORK_SD_RATIO * work_s, byte_s, byte_sd_ratio * byte_s, KERNEL_SD)
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
            self._decode.add(_work(model), model.size_bytes, 1 / seen.decode_tok_per_s)
        if seen.prefill_tok_per_s and model.size_bytes > 0:
            self._prefill.add(costs.weights_count(model), 1 / seen.prefill_tok_per_s)
        need = self._need_bytes.get(seen.target.key)
        needed_bytes = (seen.memory_bytes or 0.0) - rearranged_bytes(seen.target)
        if need and needed_bytes > 0:
            self._memory.add(need, needed_bytes)
        if seen.start_s:
            self._start.add(costs.start_s(model), seen.start_s)

    def decode_tok_per_s(self, model: ModelRef) -> Estimate:
        """Writing speed, one request at a time."""
        seconds, sd = self._decode.at(_work(model), max(1, model.size_bytes))
        return _rate(math.log(seconds), sd, self._decode.count)

    def prefill_tok_per_s(self, model: ModelRef) -> Estimate:
        """Reading speed."""
        return _rate(*self._prefill.at(max(1.0, costs.weights_count(model))), self._prefill.count)

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


def _work(model: ModelRef) -> float:
    """Weights, each as often as its type costs more than the usual one."""
    return costs.weights_count(model) * work_of(model.quantization)


def _rate(middle: float, sd: float, count: int) -> Estimate:
    """The rate that belongs to the logarithm of seconds per token."""
    return Estimate(math.exp(-middle), math.exp(-middle - Z * sd), math.exp(-middle + Z * sd), count)


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
