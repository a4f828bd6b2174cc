"""What the journal says: events folded into the facts that every decision and every view reads.

``RunState`` is the only thing that knows how far a run is. The runner asks it what is left, the summary reads its
samples, the dashboard shows it. Applying the events of a journal in order always gives the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmtester.analysis.readings import Thinned
from llmtester.analysis.wall_time import WallTime
from llmtester.domain.events import (
    CellSkipped,
    Event,
    Pulse,
    RunEnded,
    RunResumed,
    RunStarted,
    SampleTaken,
    TargetFailed,
    TargetReady,
    TrialDiscarded,
    TrialEnded,
    TrialStarted,
)
from llmtester.domain.records import Instant, Machine, Reading, Sample, SessionFacts
from llmtester.domain.work import Cell, Plan


@dataclass(frozen=True, slots=True)
class Growth:
    """What a trial added to the memory of the server and to the used swap: highest reading less the first one."""

    memory_bytes: int | None
    swap_bytes: int

    @classmethod
    def over(cls, readings: Sequence[Reading]) -> Growth | None:
        """``None`` if fewer than two readings fell into the trial."""
        if len(readings) < 2:
            return None
        memory = [reading.server_anonymous_bytes for reading in readings if reading.server_anonymous_bytes is not None]
        swap = [reading.swap_used_bytes for reading in readings]
        return cls(max(memory) - memory[0] if memory else None, max(swap) - swap[0])


@dataclass(slots=True)
class Trial:
    """One finished repetition and the launch (server start) that it belongs to.

    ``began_s`` is when it began, in seconds that the run had been active: the one clock that goes on over a resume.
    """

    number: int
    launch: int
    samples: tuple[Sample, ...]
    growth: Growth | None = None
    began_s: float = 0.0

    @property
    def wall_s(self) -> float:
        """Seconds from the first request to the end of the last one; 0 without requests."""
        if not self.samples:
            return 0.0
        return (max(s.ended_ns for s in self.samples) - min(s.sent_ns for s in self.samples)) / 1e9


@dataclass(slots=True)
class Remembered:
    """What ``metrics.of_cell`` computed from the first ``trials_count`` trials of a cell, warm-ups included; a copy of
    the cell begins anew."""

    trials_count: int = 0
    by_metric: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class CellState:
    """``watched`` are the readings while its trials ran; ``skipped`` is why nothing (more) is measured;
    ``begun_at``: how many trials of the run were finished before its first one."""

    cell: Cell
    trials: list[Trial] = field(default_factory=list)
    warmups: list[Trial] = field(default_factory=list)
    crashes: list[TargetFailed] = field(default_factory=list)
    begun_at: int = 0
    skipped: str | None = None
    watched: Thinned = field(default_factory=Thinned)
    remembered: Remembered = field(default_factory=Remembered, init=False, compare=False, repr=False)

    @property
    def next_trial(self) -> int:
        """The number that the next measured trial must have; finished numbers are never used again."""
        return self.trials[-1].number + 1 if self.trials else 0

    def answered_in(self, launch: int) -> bool:
        """Whether a trial or a warm-up was finished in this server start."""
        return any(trials and trials[-1].launch == launch for trials in (self.trials, self.warmups))

    def warmups_in(self, launch: int) -> int:
        return sum(1 for trial in self.warmups if trial.launch == launch)


@dataclass(slots=True)
class TargetState:
    """``launch`` counts the starts of this target. A server that did not load is final; a crash belongs to its cell."""

    launch: int = 0
    facts: SessionFacts | None = None
    load_ns: list[int] = field(default_factory=list)
    load_failure: TargetFailed | None = None
    watched: Thinned = field(default_factory=Thinned)
    memory_peak_bytes: int | None = None

    @property
    def readings(self) -> list[Reading]:
        """Readings while trials ran on it, thinned by ``readings.Thinned``."""
        return self.watched.readings


@dataclass(slots=True)
class Running:
    """The trial under way: not counted yet, forgotten if it does not end."""

    cell: str
    trial: int
    warmup: bool
    started_ns: int
    began_s: float = 0.0
    arrived_count: int = 0
    samples: list[Sample] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)


class RunState:
    """The state of one run. ``apply`` is the only way to change it.

    ``revision`` grows with every event that may change what is left to do.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.run_id = ""
        self.started_unix_ns = 0
        self.version = ""
        self.plan = Plan(cells=())
        self.machine: Machine | None = None
        self.settings: dict[str, Any] = {}
        self.cells: dict[str, CellState] = {}
        self.targets: dict[str, TargetState] = {}
        self.running: Running | None = None
        self.reading: Reading | None = None
        self.ended: RunEnded | None = None
        self.resumed_count = 0
        self.clock: Instant | None = None
        self.last_ns = 0
        self.revision = 0
        self.trials_count = 0
        self.discarded: list[TrialDiscarded] = []
        self.wall_time = WallTime()
        self._active_ns = 0
        for event in events:
            self.apply(event)

    @property
    def elapsed_s(self) -> float:
        """Seconds that the run has been active, pauses between interruption and resume left out."""
        current = self.last_ns - self.clock.monotonic_ns if self.clock else 0
        return (self._active_ns + current) / 1e9

    def apply(self, event: Event) -> None:
        """Fold one event in. Events must come in the order in which they were emitted."""
        if isinstance(event, (RunStarted, RunResumed)):
            if self.clock:
                self._active_ns += self.last_ns - self.clock.monotonic_ns
            self.clock = event.clock
        self.last_ns = event.at_ns
        self.revision += type(event) in _DECIDING
        self.wall_time.apply(event)
        _FOLD[type(event)](self, event)

    @property
    def begun_on(self) -> Machine:
        """The machine that the run was begun on. Raises ``ValueError`` for a state that no run was started in."""
        if self.machine is None:
            raise ValueError("the state holds no run")
        return self.machine

    def target_of(self, cell_key: str) -> TargetState:
        return self.targets[self.cells[cell_key].cell.target.key]

    def sample(self, target_key: str, profile: str, request_id: str) -> Sample | None:
        """The answer to a request in the finished trials of a target and profile; ``None`` if there is no good one."""
        for cell in self.cells.values():
            if cell.cell.profile != profile or cell.cell.target.key != target_key:
                continue
            for trial in cell.trials:
                for sample in trial.samples:
                    if sample.request_id == request_id and sample.ok:
                        return sample
        return None

    def _start(self, event: RunStarted) -> None:
        self.run_id = event.run_id
        self.version = event.version
        self.plan = event.plan
        self.machine = event.machine
        self.settings = event.settings
        self.started_unix_ns = event.clock.unix_ns
        for cell in event.plan.cells:
            self._add(cell)
        for skip in event.plan.skips:
            self._add(skip.cell).skipped = skip.reason

    def _add(self, cell: Cell) -> CellState:
        self.targets.setdefault(cell.target.key, TargetState())
        return self.cells.setdefault(cell.key, CellState(cell))

    def _resume(self, event: RunResumed) -> None:
        self.resumed_count += 1
        if event.added:
            need = {**self.plan.memory_need_bytes, **event.added_need_bytes}
            self.plan = replace(self.plan, cells=(*self.plan.cells, *event.added), memory_need_bytes=need)
            for cell in event.added:
                self._add(cell)
        self.ended = None
        self.running = None

    def _target_ready(self, event: TargetReady) -> None:
        target = self.targets[event.target]
        target.launch += 1
        target.facts = event.facts
        target.load_ns.append(event.facts.load_ns)

    def _target_failed(self, event: TargetFailed) -> None:
        if self.running:
            self.cells[self.running.cell].crashes.append(event)
        else:
            self.targets[event.target].load_failure = event
        self.running = None

    def _trial_started(self, event: TrialStarted) -> None:
        self.running = Running(event.cell, event.trial, event.warmup, event.at_ns, self.elapsed_s)

    def _sample(self, event: SampleTaken) -> None:
        if self.running:
            self.running.samples.append(event.sample)

    def _pulse(self, event: Pulse) -> None:
        self.reading = event.reading
        if self.running:
            self.running.arrived_count = event.arrived_count
            self.running.readings.append(event.reading)
        if event.cell is None:
            return
        target = self.target_of(event.cell)
        anonymous, file_backed = event.reading.server_anonymous_bytes, event.reading.server_file_bytes
        if anonymous is not None and file_backed is not None:
            target.memory_peak_bytes = max(target.memory_peak_bytes or 0, anonymous + file_backed)
        target.watched.add(self.elapsed_s, event.reading)
        self.cells[event.cell].watched.add(self.elapsed_s, event.reading)

    def _end_trial(self, event: TrialEnded) -> None:
        running = self.running
        self.running = None
        if running is None or (running.cell, running.trial) != (event.cell, event.trial):
            return
        cell = self.cells[event.cell]
        launch = self.target_of(event.cell).launch
        growth = Growth.over(running.readings)
        trial = Trial(event.trial, launch, tuple(running.samples), growth, running.began_s)
        if not event.warmup:
            if not cell.trials:
                cell.begun_at = self.trials_count
            self.trials_count += 1
        (cell.warmups if event.warmup else cell.trials).append(trial)

    def _discard(self, event: TrialDiscarded) -> None:
        self.running = None
        self.discarded.append(event)

    def _skip(self, event: CellSkipped) -> None:
        self.cells[event.cell].skipped = event.reason

    def _end(self, event: RunEnded) -> None:
        self.running = None
        self.ended = event


_DECIDING = frozenset({RunStarted, RunResumed, TargetFailed, TrialEnded, CellSkipped, RunEnded})

_FOLD: dict[type, Callable[[RunState, Any], None]] = {
    RunStarted: RunState._start,
    RunResumed: RunState._resume,
    TargetReady: RunState._target_ready,
    TargetFailed: RunState._target_failed,
    TrialStarted: RunState._trial_started,
    SampleTaken: RunState._sample,
    Pulse: RunState._pulse,
    TrialEnded: RunState._end_trial,
    TrialDiscarded: RunState._discard,
    CellSkipped: RunState._skip,
    RunEnded: RunState._end,
}
