"""How long the rest of a run will take, from what its trials took so far. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llmtester.analysis import costs, racing
from llmtester.analysis.forecast import Forecast, by_target, hardware_of, learned
from llmtester.analysis.progress import Progress
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.stats import median

GOES_ON_SHARE = 0.35
"""Of the configurations of a race, those that are not decided after one visit (benchmarks/matrix_race.py)."""

COUNT_SD, PACE_SD = 0.25, 0.10
"""How far the number of trials that are still needed is off, in parts of it, and how far the pace may change."""

Z90 = 1.64


class TimeLeft:
    """Seconds that the cells which are not over will take. Made anew for each state."""

    def __init__(self, state: RunState, progress: Progress) -> None:
        self._state = state
        self._progress = progress
        self._forecast = learned(state)
        self._open = {
            key: left
            for key, cells in by_target(state).items()
            if (left := [cell for cell in cells if not progress.status(cell).over])
        }
        self._bias = self._biases()
        self._counts: dict[str, list[int]] = {}
        for cell in state.cells.values():
            if cell.trials and progress.status(cell).word == "done":
                self._counts.setdefault(cell.cell.load.name, []).append(len(cell.trials))

    def estimate_s(self) -> tuple[float, float, float]:
        """Shortest, expected and longest, as a 90 % interval; three zeros if nothing is left."""
        expected_s = variance = 0.0
        for cells in self._open.values():
            model_s, sd = self._target_s(cells)
            expected_s += model_s
            variance += (model_s * sd) ** 2
        if expected_s <= 0:
            return 0.0, 0.0, 0.0
        sd = math.hypot(math.sqrt(variance) / expected_s, PACE_SD)
        return expected_s * math.exp(-Z90 * sd), expected_s, expected_s * math.exp(Z90 * sd)

    def _target_s(self, cells: Sequence[CellState]) -> tuple[float, float]:
        """Seconds that one target still needs, and their relative standard deviation."""
        model = cells[0].cell.target.model
        known = self._state.targets[cells[0].cell.target.key]
        start_s = (
            sum(known.load_ns) / len(known.load_ns) / 1e9 if known.load_ns else self._forecast.start_s(model).value
        )
        visits = max(self._visits(cell) for cell in cells)
        running = self._state.running is not None and self._state.running.cell in {cell.cell.key for cell in cells}
        total_s = max(0.0, visits - running) * start_s
        owing = {cell.key for cell in costs.owing_warmups([cell.cell for cell in cells])}
        for cell in cells:
            one_s = self._trial_s(cell)
            warmup_s = self._warmup_s(cell, one_s) if cell.cell.key in owing else 0.0
            total_s += self._trials(cell) * one_s + self._visits(cell) * warmup_s
        measured = any(cell.trials for cell in cells)
        unknown = 0.05 if measured else self._spread(cells[0])
        return total_s, math.hypot(COUNT_SD, unknown)

    def _spread(self, cell: CellState) -> float:
        speed = self._forecast.decode_tok_per_s(cell.cell.target.model)
        return math.log(speed.high / speed.low) / 4 if speed.high and speed.low else 1.0

    def _trials(self, cell: CellState) -> float:
        """Measured trials that the cell will probably still get."""
        done, load = len(cell.trials), cell.cell.load
        visit = self._state.plan.visit_trials
        if visit is None or not self._progress.races(cell):
            return max(1.0, self._usual_trials(cell) - done)
        place = self._progress.round_of(cell)
        ends = racing.quotas(visit, load.max_trials)
        likely = max(ends[place], load.min_trials)
        if place == 0:
            return ends[0] - done + GOES_ON_SHARE * (likely - ends[0])
        return max(1.0, likely - done)

    def _usual_trials(self, cell: CellState) -> float:
        """Trials of a cell by what is usual for its load and what those of this run needed."""
        counts = self._counts.get(cell.cell.load.name, [])
        usual = max(cell.cell.load.min_trials, costs.expected_trials(cell.cell, self._state.plan.visit_trials))
        return (usual + sum(counts)) / (1 + len(counts))

    def _visits(self, cell: CellState) -> float:
        visit = self._state.plan.visit_trials
        first = self._progress.round_of(cell) == 0
        return 1.0 + (GOES_ON_SHARE if visit is not None and first and self._progress.races(cell) else 0.0)

    def _trial_s(self, cell: CellState) -> float:
        """What one trial takes: as those before it, else by the forecast as far off as it was for this load."""
        took = _durations_s(cell)
        return median(took) if took else self._predicted_s(cell) * self._bias.get(cell.cell.load.name, self._overall)

    def _warmup_s(self, cell: CellState, one_s: float) -> float:
        hardware = hardware_of(self._state.begun_on)
        whole = costs.trial_s(cell.cell, hardware)
        return one_s * costs.warmup_s(cell.cell, hardware) / whole if whole > 0 else 0.0

    def _predicted_s(self, cell: CellState) -> float:
        return predicted_trial_s(cell, self._forecast)

    def _biases(self) -> Mapping[str, float]:
        """By load, how many times as long as predicted its trials took."""
        found: dict[str, list[float]] = {}
        for cell in self._state.cells.values():
            took, predicted = _durations_s(cell), self._predicted_s(cell)
            if took and predicted > 0:
                found.setdefault(cell.cell.load.name, []).append(median(took) / predicted)
        every = [ratio for ratios in found.values() for ratio in ratios]
        self._overall = median(every) if every else 1.0
        return {name: median(ratios) for name, ratios in found.items()}


def predicted_trial_s(cell: CellState, forecast: Forecast) -> float:
    """Seconds of one trial by predicted speeds."""
    load, model = cell.cell.load, cell.cell.target.model
    if load.duration_s is not None:
        return load.trial_s or load.duration_s
    one_s = load.prompt_tok / forecast.prefill_tok_per_s(model).value
    one_s += load.output_tok / forecast.decode_tok_per_s(model).value
    return load.requests_per_trial * one_s / costs.together(load)


def _durations_s(cell: CellState) -> list[float]:
    """What each finished trial took, from the first request to the last answer."""
    return [
        (max(sample.ended_ns for sample in trial.samples) - min(sample.sent_ns for sample in trial.samples)) / 1e9
        for trial in cell.trials
        if trial.samples
    ]
