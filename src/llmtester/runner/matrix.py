"""``MatrixRunner``: walks the matrix, one server at a time, until the state says that nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from dataclasses import dataclass, field

from llmtester.analysis.endurance import must_end
from llmtester.analysis.lens import Lens
from llmtester.analysis.ratings import BANDS, Bands
from llmtester.analysis.state import RunState
from llmtester.domain.errors import EngineError, EngineFailure, NotMeasurable, RequestFailed
from llmtester.domain.events import CellSkipped, Emit, Event, Pulse, RunEnded, TargetFailed, TargetReady
from llmtester.domain.ports import Bench, Clock, Conditions, Profile, Sensors, Session
from llmtester.domain.records import Sample
from llmtester.domain.text import human_duration
from llmtester.domain.work import Cell, Target
from llmtester.runner.schedule import Schedule
from llmtester.runner.trial import ServerDied, Trial

PULSE_S = 1.0
"""Telemetry once a second: enough for a curve, under 0.5 % of one core."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What the runner is given. ``open_target`` yields a ready server; ``quiet`` holds the garbage collector back.

    ``bands`` are the limits of the words, from which a race is decided. ``conditions`` is looked at before and after
    each trial.
    """

    open_target: Callable[[Target], AbstractAsyncContextManager[Session]]
    profiles: Mapping[str, Profile]
    clock: Clock
    sensors: Sensors
    quiet: Callable[[], AbstractContextManager[None]]
    bands: Bands = field(default_factory=lambda: BANDS)
    conditions: Callable[[], Conditions] = Conditions


class MatrixRunner:
    """Measures every cell of the plan in ``state`` that is not over, saying so through ``emit``.

    ``state`` may come from a journal: then the runner goes on where that ended.
    """

    def __init__(self, state: RunState, emit: Emit, bench: Workbench) -> None:
        self._state = state
        self._store = emit
        self._bench = bench
        headlines = {name: profile.headline for name, profile in bench.profiles.items()}
        self._schedule = Schedule(state, Lens(headlines, bench.bands))
        self._stop_reason: str | None = None
        self._trial: Trial | None = None
        self._session: Session | None = None

    def stop(self, reason: str) -> None:
        """Finish the requests in flight, then end the run as interrupted."""
        self._stop_reason = self._stop_reason or reason

    async def run(self) -> RunEnded:
        """Runs to the end, or until ``stop``. Cancelling it stops at once; servers are closed either way.

        The last event says which of the two it was. Whatever ``emit`` raises ends the run.
        """
        pulse = asyncio.create_task(self._pulse())
        try:
            while not self._stopping() and (cell := self._next_cell()):
                await self._serve(cell.target)
                if pulse.done():
                    break
        except asyncio.CancelledError:
            self.stop("stopped at once")
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError):
                await pulse
        if self._stop_reason:
            ended = RunEnded(self._now_ns(), "interrupted", self._stop_reason)
        else:
            ended = RunEnded(self._now_ns(), "finished")
        self._emit(ended)
        return ended

    async def _serve(self, target: Target) -> None:
        """Start one server and measure on it until its cells are over, the server is lost, or the run is stopped."""
        try:
            async with self._bench.open_target(target) as session:
                self._session = session
                self._emit(TargetReady(self._now_ns(), target.key, session.facts))
                while not self._stopping() and (cell := self._schedule.next_cell(target)):
                    await self._measure(session, cell)
                    self._prune()
        except EngineError as error:
            self._emit(
                TargetFailed(self._now_ns(), target.key, error.failure, _cause(error), error.fix, error.log_tail)
            )
        except ServerDied as died:
            self._emit(TargetFailed(self._now_ns(), target.key, EngineFailure.EXITED, str(died)))
        except RequestFailed as failed:
            # The tokenizer did not answer while a trial was prepared: without it no prompt has a known length.
            self._emit(TargetFailed(self._now_ns(), target.key, EngineFailure.UNREACHABLE, failed.detail))
        finally:
            self._session = None

    async def _measure(self, session: Session, cell: Cell) -> None:
        """One trial of the cell, after the warm-ups that this server start still owes it."""
        known = self._state.cells[cell.key]
        launch = self._state.targets[cell.target.key].launch
        warmup = known.warmups_in(launch) < cell.load.warmup_trials and not self._is_warm(cell, launch)
        number = len(known.warmups) if warmup else known.next_trial
        profile = self._bench.profiles[cell.profile]
        seed = self._state.plan.seed
        bench = self._bench_for(session, cell)
        before = self._bench.conditions()

        def spoiled() -> str | None:
            return self._bench.conditions().spoiled_since(before)

        self._trial = Trial(session, profile, cell, bench, seed, self._bench.clock, self._emit, self._stopping, spoiled)
        try:
            await self._trial.run(number, warmup=warmup, quiet=self._bench.quiet)
        except NotMeasurable as reason:
            self._emit(CellSkipped(self._now_ns(), cell.key, str(reason)))
        finally:
            self._trial = None

    def _is_warm(self, cell: Cell, launch: int) -> bool:
        """Whether a neighbour of the cell has warmed its server in this start, with a prompt as long."""
        neighbours = (other for other in self._state.cells.values() if other.cell.target == cell.target)
        return any(
            other.answered_in(launch) and other.cell.load.warms(cell.load)
            for other in neighbours
            if other.cell.key != cell.key
        )

    def _next_cell(self) -> Cell | None:
        self._prune()
        return self._schedule.next_cell()

    def _prune(self) -> None:
        """Skip what is not worth its time, and everything that is left once the budget is spent."""
        budget_s = self._state.plan.budget_s
        if budget_s is not None and self._state.elapsed_s >= budget_s:
            for cell in self._schedule.left():
                self._emit(CellSkipped(self._now_ns(), cell.key, f"the budget of {human_duration(budget_s)} is spent"))
            return
        for key, reason in dict(self._schedule.skippable()).items():
            self._emit(CellSkipped(self._now_ns(), key, reason))

    def _bench_for(self, session: Session, cell: Cell) -> Bench:
        compared_with = cell.reference or cell.target.key

        def reference(request_id: str) -> Sample | None:
            return self._state.sample(compared_with, cell.profile, request_id)

        return Bench(
            target=cell.target,
            facts=session.facts,
            count_tokens=session.count_tokens,
            reference=reference,
            is_reference=cell.reference is None,
        )

    async def _pulse(self) -> None:
        while True:
            await self._bench.clock.sleep(PULSE_S)
            session, trial = self._session, self._trial
            reading = self._bench.sensors.read(session.facts.process_id if session else None)
            cell = trial.cell.key if trial else None
            self._emit(Pulse(reading.at_ns, cell, trial.arrived_count if trial else 0, reading))
            danger = must_end(self._state, cell) if cell else None
            if trial and cell and danger:
                self._emit(CellSkipped(self._now_ns(), cell, danger))
                trial.end()

    def _stopping(self) -> bool:
        return self._stop_reason is not None

    def _emit(self, event: Event) -> None:
        self._store(event)
        self._state.apply(event)

    def _now_ns(self) -> int:
        return self._bench.clock.now_ns()


def _cause(error: EngineError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what
