"""Measuring a plan, from its first record to its reports, and going on with one that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from platformdirs import user_state_path

from llmtester import __version__, plugins
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.state import RunState
from llmtester.analysis.summary import Summary
from llmtester.api import logbook
from llmtester.api.logbook import EventLog
from llmtester.api.planning import choose_engine, measured_machine, model_manager, plan, profiles_of, this_machine
from llmtester.api.references import open_pack
from llmtester.api.reporting import report, summary
from llmtester.domain.errors import EnvironmentNotReady, NothingToDo, StoreError
from llmtester.domain.events import Event, RunEnded, RunResumed, RunStarted
from llmtester.domain.ports import Engine
from llmtester.domain.records import Missing
from llmtester.domain.work import Cell, Plan
from llmtester.settings import Loaded, Settings
from llmtester.store import journal, runs
from llmtester.store.journal import Journal
from llmtester.store.references import ENGINE as PACK_ENGINE
from llmtester.store.runs import RunFolder


class Observer(Protocol):
    """Sees a run while it happens. What it raises ends the run."""

    def preparing(self, what: str) -> None:
        """Something takes a while before there is a run: a sentence about it."""

    def started(self, folder: RunFolder) -> None:
        """The run has a folder, and a journal with its plan in it."""

    def event(self, event: Event) -> None:
        """Called for each event after it was stored; at a resume also for those of before."""


class _Nobody:
    def preparing(self, what: str) -> None: ...

    def started(self, folder: RunFolder) -> None: ...

    def event(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, where it lies, what it says and the files that were written (format to path)."""

    folder: RunFolder
    ended: RunEnded
    summary: Summary
    files: dict[str, Path]


def run(loaded: Loaded, *, work: Plan | None = None, observer: Observer | None = None) -> RunResult:
    """Measure everything in ``work`` (default: ``plan(loaded)``) and write the reports.

    The first Ctrl-C (or SIGTERM, SIGHUP) finishes the requests in flight and ends the run as interrupted; the second
    stops at once. Either way the servers are closed and the run can be resumed. Raises ``Locked`` if another run
    measures on this machine.
    """
    from llmtester.host.clock import SystemClock

    settings = loaded.settings
    work = work or plan(loaded)
    _, engine = choose_engine(settings)
    observer = observer or _Nobody()
    with runs.exclusive(_machine_lock(), "this machine"):
        folder = runs.create(settings.run.output_dir)
        try:
            machine = measured_machine(engine, work, observer.preparing)
            clock = SystemClock()
            records = loaded.as_records()
            first = RunStarted(clock.now_ns(), clock.instant(), folder.run_id, work, machine, records, __version__)
            with runs.exclusive(folder.lock, f"the run {folder.run_id}"), Journal.create(folder.journal, first) as book:
                observer.started(folder)
                observer.event(first)
                bench = _Bench(engine, settings, observer, EventLog([first]))
                ended = _measure(RunState([first]), book, folder, bench)
        finally:
            folder.discard()
    return _result(folder, ended, settings)


def resume(
    loaded: Loaded, name: str = "latest", *, observer: Observer | None = None, add_models: bool = False
) -> RunResult:
    """Go on with an interrupted or killed run: same plan, finished trials are kept, the rest is measured.

    ``name`` is ``latest``, a run id or a folder. Of a finished run only the reports are written again. With
    ``add_models`` the models that ``loaded`` chooses are appended to the plan, to be asked what the others were; a
    finished run goes on then as well. Raises ``StoreError``, naming the difference, on another machine or when a model
    file is not what it was, and ``NothingToDo`` if there is nothing to add.
    """
    from llmtester.host.clock import SystemClock

    settings = loaded.settings
    observer = observer or _Nobody()
    folder = runs.find(settings.run.output_dir, name)
    with (
        runs.exclusive(_machine_lock(), "this machine"),
        runs.exclusive(folder.lock, f"the run {folder.run_id}"),
    ):
        state = RunState(journal.read(folder.journal).events)
        if state.ended and state.ended.outcome == "finished" and not add_models:
            return _result(folder, state.ended, settings)
        settings = _with_recorded_profiles(settings, state)
        engine, build = _engine_of(state, settings)
        _refuse_if_changed(state, settings, engine, build)
        added, need_bytes = _added(state, replace(loaded, settings=settings)) if add_models else ((), {})
        book, recorded = Journal.reopen(folder.journal)
        with book:
            observer.started(folder)
            for event in recorded.events:
                observer.event(event)
            clock = SystemClock()
            again = RunResumed(clock.now_ns(), clock.instant(), this_machine(), __version__, added, need_bytes)
            book.emit(again)
            state.apply(again)
            observer.event(again)
            bench = _Bench(engine, settings, observer, EventLog([*recorded.events, again]))
            ended = _measure(state, book, folder, bench)
    return _result(folder, ended, settings)


def _with_recorded_profiles(settings: Settings, state: RunState) -> Settings:
    """What is asked stays what it was when the run was planned, flags of that time included."""
    profiles = settings.profiles.model_dump(mode="json")
    for name, record in state.settings.items():
        if not name.startswith("profiles."):
            continue
        _, *path, last = name.split(".")
        section = profiles
        for part in path:
            section = section.get(part, {})
        if last in section:
            section[last] = record["value"]
    return settings.model_copy(update={"profiles": type(settings.profiles).model_validate(profiles)})


def _added(state: RunState, loaded: Loaded) -> tuple[tuple[Cell, ...], dict[str, int]]:
    """What today's choice of models adds to the plan: cells that ask what others were asked, and their memory."""
    work = plan(loaded)
    asked = {(cell.profile, cell.load) for cell in state.plan.cells}
    cells = tuple(cell for cell in work.cells if cell.key not in state.cells and (cell.profile, cell.load) in asked)
    if not cells:
        raise NothingToDo(
            f"there is no model to add to the run {state.run_id}",
            why="all that were named are in it, or they would be asked something else than the others were",
            fix="see what there is: llmtester models list",
        )
    keys = {cell.target.key for cell in cells}
    return cells, {key: need for key, need in work.memory_need_bytes.items() if key in keys}


@dataclass(frozen=True, slots=True)
class _Bench:
    """With what a run is measured, and who is told."""

    engine: Engine
    settings: Settings
    observer: Observer
    log: EventLog


def _measure(state: RunState, book: Journal, folder: RunFolder, bench: _Bench) -> RunEnded:
    """Run the matrix in an event loop of its own, with signals turned into stops."""
    from llmtester.host.canary import LoopCanary
    from llmtester.host.clock import SystemClock
    from llmtester.host.collector import quiet_garbage_collector, settled_heap
    from llmtester.host.conditions import read_conditions
    from llmtester.host.interrupts import run_until_stopped
    from llmtester.host.telemetry import SystemSensors
    from llmtester.runner.matrix import MatrixRunner, Workbench

    def emit(event: Event) -> None:
        book.emit(event)
        bench.log.event(event)
        bench.observer.event(event)

    canary = LoopCanary()

    @contextmanager
    def measured_window() -> Iterator[None]:
        """Quiet, and without the lateness of what was done before it: collecting, writing prompts."""
        with quiet_garbage_collector():
            canary.take_worst_ns()
            yield

    workbench = Workbench(
        open_target=lambda target: (
            open_pack(target)
            if target.engine == PACK_ENGINE
            else bench.engine.open(target, folder.server_folder(target))
        ),
        profiles=profiles_of(bench.settings, dict.fromkeys(cell.profile for cell in state.plan.cells)),
        clock=SystemClock(),
        sensors=SystemSensors(canary),
        quiet=measured_window,
        bands={**BANDS, **bench.settings.ratings},
        conditions=read_conditions,
    )
    runner = MatrixRunner(state, emit, workbench)

    async def measure() -> RunEnded:
        async with canary:
            return await runner.run()

    with logbook.writing(folder, bench.settings.log_level), settled_heap():
        ended = run_until_stopped(measure, runner.stop)
    _learn(state, bench)
    return ended


def _learn(state: RunState, bench: _Bench) -> None:
    """Correct the memory estimates of this machine with what the servers of this run reported."""
    if bench.engine.catalogue(()) is not None:
        return
    manager = model_manager(bench.settings)
    facts = {model.ref.fingerprint: model.facts for model in manager.scan().models}
    for target in state.plan.targets:
        started = state.targets[target.key].facts
        if started and target.model.fingerprint in facts:
            manager.learn(facts[target.model.fingerprint], target.settings, started.buffers)


def _result(folder: RunFolder, ended: RunEnded, settings: Settings) -> RunResult:
    files = report(folder, settings)
    return RunResult(folder, ended, summary(folder, settings), files)


def _engine_of(state: RunState, settings: Settings) -> tuple[Engine, str]:
    """The engine that the run was started with, and its build of today."""
    served = (target.engine for target in state.plan.targets if target.engine != PACK_ENGINE)
    name = next(served, state.plan.cells[0].target.engine)
    engine: Engine = plugins.load("engine", name)(settings.engine_options(folder=user_state_path("llmtester")))
    found = engine.available()
    if isinstance(found, Missing):
        raise EnvironmentNotReady(f"the engine {name} of this run cannot be used now", why=found.reason, fix=found.fix)
    return engine, found.build


def _refuse_if_changed(state: RunState, settings: Settings, engine: Engine, build: str) -> None:
    """A resumed run must mean the same as an undisturbed one. Raises ``StoreError`` naming every difference."""
    differences = list(state.machine.differences(this_machine())) if state.machine else []
    if engine.catalogue(()) is None:
        own = [target for target in state.plan.targets if target.engine != PACK_ENGINE]
        builds = {facts.build for target in own if (facts := state.targets[target.key].facts)}
        differences += [f"engine build: {then} then, {build} now" for then in sorted(builds - {build})]
        known = {model.ref.path: model.ref.fingerprint for model in model_manager(settings).scan().models}
        for target in own:
            now = known.get(target.model.path)
            if now is None:
                differences.append(f"{target.model.label} is not at {target.model.path} any more")
            elif now != target.model.fingerprint:
                differences.append(f"{target.model.path} is another file than the one that was measured")
    if differences:
        raise StoreError(
            f"the run {state.run_id} cannot be resumed here",
            why="; ".join(differences),
            fix="report what it has: llmtester report latest; or start anew: llmtester run",
        )


def _machine_lock() -> Path:
    return user_state_path("llmtester") / "machine.lock"
