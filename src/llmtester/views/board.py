"""What a display of a running run remembers: the state, and beside it what must not be computed for every frame."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from llmtester.analysis import findings, ratings
from llmtester.analysis.lens import Lens
from llmtester.analysis.metrics import METRICS, of_cell
from llmtester.analysis.progress import CellStatus, Progress
from llmtester.analysis.ratings import BANDS, usual_headline
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate, Finding, Rating
from llmtester.analysis.time_left import TimeLeft
from llmtester.domain.events import (
    CellSkipped,
    Event,
    Pulse,
    RunResumed,
    RunStarted,
    TargetFailed,
    TrialEnded,
    TrialStarted,
)
from llmtester.domain.records import Absent
from llmtester.domain.work import Cell, Plan

LensOf: TypeAlias = Callable[[Plan], Lens]

CURVE_LENGTH = 40
"""Values kept for a small curve: more than the widest terminal shows."""

FINDINGS_KEPT = 3

RETHINK_S = 5.0
"""Between two looks at the time that is left: nobody reads faster, and it takes milliseconds for thousands of cells."""


def usual_lens(plan: Plan) -> Lens:
    """The lens of somebody who has the journal alone: every profile is judged by what usually decides it."""
    profiles = {cell.profile for cell in plan.cells} | {skip.cell.profile for skip in plan.skips}
    return Lens({profile: usual_headline(profile) for profile in profiles}, BANDS)


@dataclass(frozen=True, slots=True)
class Square:
    """One cell as a square of the grid. ``speed_tok_per_s`` is ``None`` until there is one."""

    status: CellStatus
    rating: Rating
    speed_tok_per_s: float | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each target stands: computed once, because keys are digests and a frame has no time for those.

    ``rows`` maps (model name, number of the row of that model) to quantization to target key; a model that is run with
    several settings has several rows. ``quantizations`` go from few to many bits. ``cells`` maps a target key to its
    cells, ``target`` a cell key to its target.
    """

    rows: dict[tuple[str, int], dict[str, str]]
    quantizations: tuple[str, ...]
    cells: dict[str, list[str]]
    target: dict[str, str]


def _layout(cells: Iterable[Cell]) -> Layout:
    layout = Layout({}, (), {}, {})
    weight: dict[str, float] = {}
    for cell in cells:
        key, model = cell.target.key, cell.target.model
        layout.target[cell.key] = key
        if key not in layout.cells:
            turn = 0
            while model.quantization in layout.rows.setdefault((model.name, turn), {}):
                turn += 1
            layout.rows[model.name, turn][model.quantization] = key
            weight.setdefault(model.quantization, model.bits_per_weight or 0.0)
        layout.cells.setdefault(key, []).append(cell.key)
    return replace(layout, quantizations=tuple(sorted(weight, key=lambda name: (weight[name], name))))


class Board:
    """Events in, what to draw out. ``apply`` costs the same however long the run is; cells are judged when somebody
    looks."""

    def __init__(self, lens_of: LensOf = usual_lens) -> None:
        self.state = RunState()
        self._squares: dict[str, Square] = {}
        self._changed: dict[str, CellState] = {}
        self.rates_tok_per_s: deque[float] = deque(maxlen=CURVE_LENGTH)
        self._waits_ms: dict[str, deque[float]] = {}
        self.temperatures_c: deque[float] = deque(maxlen=CURVE_LENGTH)
        self._findings: deque[Finding] = deque(maxlen=FINDINGS_KEPT)
        self.layout = _layout(())
        self._lens_of = lens_of
        self._lens = lens_of(Plan(()))
        self._progress = Progress(self.state, self._lens)
        self._last_pulse: Pulse | None = None
        self._target = ""
        self._planned: list[tuple[str, int]] = []
        self._left_s: tuple[float, float] | None = None
        self._left_at_s, self._left_revision = 0.0, -1

    def apply(self, event: Event) -> None:
        """Fold one event in, in the order of the journal."""
        self.state.apply(event)
        if isinstance(event, RunStarted) or (isinstance(event, RunResumed) and event.added):
            self._lens = self._lens_of(self.state.plan)
            self._progress = Progress(self.state, self._lens)
            self.layout = _layout(cell.cell for cell in self.state.cells.values())
            self._planned = [(cell.key, cell.load.min_trials) for cell in self.state.plan.cells]
        if isinstance(event, (RunStarted, RunResumed)):
            self._change(self.state.cells.values())
        elif isinstance(event, TrialStarted):
            self._trial_started(event)
        elif isinstance(event, Pulse):
            self._pulse(event)
        elif isinstance(event, TrialEnded):
            self._trial_ended(event)
        elif isinstance(event, CellSkipped):
            self._change([self.state.cells[event.cell]])
        elif isinstance(event, TargetFailed):
            self._change(self.state.cells[key] for key in self.layout.cells.get(event.target, ()))

    @property
    def squares(self) -> Mapping[str, Square]:
        """Every cell by key, as it stands now."""
        self._judge()
        return self._squares

    @property
    def findings(self) -> Sequence[Finding]:
        """The latest doubts about cells that are over."""
        self._judge()
        return self._findings

    @property
    def running(self) -> Cell | None:
        """The cell that is measured at this moment."""
        running = self.state.running
        return self.state.cells[running.cell].cell if running else None

    @property
    def waits_ms(self) -> Sequence[float]:
        """Times to the first token in the finished trials of the cell that is measured at this moment."""
        return self._waits_ms.get(self.state.running.cell, ()) if self.state.running else ()

    @property
    def active_target(self) -> str | None:
        """The key of the target whose cell is measured at this moment."""
        return self.layout.target[self.state.running.cell] if self.state.running else None

    def counts(self) -> Counter[str]:
        """How many cells have which status."""
        return Counter(square.status.word for square in self.squares.values())

    def share(self) -> float:
        """The part of the planned cells that is over, in 0..1; a begun cell counts by its trials."""
        if not self._planned:
            return 1.0 if self.state.ended else 0.0
        done, squares = 0.0, self.squares
        for key, least in self._planned:
            trials = len(self.state.cells[key].trials)
            done += 1.0 if squares[key].status.over else trials / max(least, trials + 1)
        return done / len(self._planned)

    def time_left_s(self) -> tuple[float, float] | None:
        """From the shorter to the longer end of what the forecast says; ``None`` before anything was planned.

        Thought over again only when a trial has ended and some seconds of the run have passed.
        """
        if not self._planned:
            return None
        passed_s = self.state.elapsed_s - self._left_at_s
        if self.state.revision != self._left_revision and (self._left_s is None or passed_s >= RETHINK_S):
            shortest_s, _, longest_s = TimeLeft(self.state, self._progress).estimate_s()
            self._left_s, self._left_at_s, self._left_revision = (
                (shortest_s, longest_s),
                self.state.elapsed_s,
                self.state.revision,
            )
            passed_s = 0.0
        if self._left_s is None:
            return None
        shortest_s, longest_s = self._left_s
        return max(0.0, shortest_s - passed_s), max(0.0, longest_s - passed_s)

    def _trial_started(self, event: TrialStarted) -> None:
        """The curve of speeds belongs to one target: another one has another scale."""
        self._last_pulse = None
        target = self.layout.target[event.cell]
        if target != self._target:
            self._target = target
            self.rates_tok_per_s.clear()

    def _pulse(self, event: Pulse) -> None:
        last, self._last_pulse = self._last_pulse, event
        if last and event.at_ns > last.at_ns and event.arrived_count >= last.arrived_count > 0:
            self.rates_tok_per_s.append((event.arrived_count - last.arrived_count) / (event.at_ns - last.at_ns) * 1e9)
        if event.reading.temperature_c is not None:
            self.temperatures_c.append(event.reading.temperature_c)

    def _trial_ended(self, event: TrialEnded) -> None:
        cell = self.state.cells[event.cell]
        if event.warmup or not cell.trials:
            return
        samples = cell.trials[-1].samples
        waited = METRICS["ttft_ms"].of_trial(samples)
        if not isinstance(waited, Absent):
            self._waits_ms.setdefault(event.cell, deque(maxlen=CURVE_LENGTH)).append(waited)
        self._change([cell])

    def _change(self, cells: Iterable[CellState]) -> None:
        self._changed.update((cell.cell.key, cell) for cell in cells)

    def _judge(self) -> None:
        """Judge again what changed, and whatever a race decided meanwhile."""
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        if self.state.plan.visit_trials is not None:
            for key, cell in self.state.cells.items():
                known = self._squares.get(key)
                if known is None or self._progress.status(cell) != known.status:
                    changed[key] = cell
        for key, cell in changed.items():
            before, self._squares[key] = self._squares.get(key), self._square(cell)
            if cell.trials and self._squares[key].status.over and not (before and before.status.over):
                self._doubt(cell)

    def _square(self, cell: CellState) -> Square:
        names = tuple(self._lens.headlines.get(cell.cell.profile, ()))
        status = self._progress.status(cell)
        if status.word == "failed":
            return Square(status, Rating.FAILED, None)
        if not cell.trials or status.word == "skipped":
            return Square(status, Rating.NOT_RATED, None)
        metrics = {name: of_cell(name, cell) for name in {*names, "decode_tok_per_s"}}
        rating, _ = ratings.rate_cell(metrics, [METRICS[name].info for name in names], self._lens.bands)
        speed = metrics["decode_tok_per_s"]
        return Square(status, rating, speed.value if isinstance(speed, Estimate) else None)

    def _doubt(self, cell: CellState) -> None:
        names = self._lens.headlines.get(cell.cell.profile, ())
        seen = findings.find(
            findings.Evidence(
                cell,
                self.state.target_of(cell.cell.key),
                tuple(of_cell(name, cell) for name in names),
                tuple(names),
                self.state.begun_on,
            )
        )
        self._findings.extend(finding for finding in seen if finding.severity != "note")
