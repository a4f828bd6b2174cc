"""llmtester as functions: what the command line calls, and what a notebook can call.

>>> import llmtester
>>> folder = llmtester.run(llmtester.load_settings(overrides={"engine.name": "fake"})).folder  # doctest: +SKIP
>>> llmtester.report(folder, formats=["html"])  # doctest: +SKIP

This is the composition root: the only place that knows engines, host, store, profiles, runner and views at once.
Every function raises ``LlmtesterError`` with what happened, why, and the fix.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from platformdirs import user_cache_path, user_state_path

from llmtester import __version__, plugins
from llmtester.analysis.ratings import BANDS, Bands
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import Lens, summarise
from llmtester.analysis.summary import Summary
from llmtester.domain.errors import EnvironmentNotReady, StoreError
from llmtester.domain.events import Event, RunEnded, RunResumed, RunStarted
from llmtester.domain.ports import Engine, Profile
from llmtester.domain.records import Absent, Available, Machine, Missing
from llmtester.domain.work import ModelRef, Plan, ServerSettings
from llmtester.runner import planner, selection
from llmtester.runner.forecast import Hardware
from llmtester.settings import Loaded, Settings, load_settings
from llmtester.store import journal, runs
from llmtester.store.journal import Journal
from llmtester.store.runs import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from llmtester.models.library import ModelManager
    from llmtester.models.progress import OnProgress

__all__ = ["Loaded", "Observer", "RunFolder", "RunResult", "load_settings", "plan", "pull", "report", "resume", "run", "summary", "watch"]

REPORT_FORMATS = ("json", "csv", "html")


class Observer(Protocol):
    """Sees a run while it happens. What it raises ends the run."""

    def started(self, folder: RunFolder) -> None:
        """The run has a folder, and a journal with its plan in it."""

    def event(self, event: Event) -> None:
        """Called for each event after it was stored; at a resume also for those of before."""


class _Nobody:
    def started(self, folder: RunFolder) -> None: ...

    def event(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, where it lies, what it says and the files that were written (format to path)."""

    folder: RunFolder
    ended: RunEnded
    summary: Summary
    files: dict[str, Path]


def model_manager(settings: Settings) -> ModelManager:
    """The models of this machine: scan, pull, inspect, verify and remove them."""
    from llmtester.models.library import ModelManager

    return ModelManager(settings.models.folders, user_cache_path("llmtester"), settings.models.catalog)


def choose_engine(settings: Settings) -> tuple[str, Engine]:
    """The engine that a run will use. ``auto`` prefers a ``llama-server``, which may know the GPU, to the embedded one.

    Raises ``EnvironmentNotReady`` if it is not available here, with the command that changes that.
    """
    names = ("llama-server", "embedded") if settings.engine.name == "auto" else (settings.engine.name,)
    options = settings.engine_options(folder=user_state_path("llmtester"))
    missing: list[Missing] = []
    for name in names:
        engine: Engine = plugins.load("engine", name)(options)
        found = engine.available()
        if isinstance(found, Available):
            return name, engine
        missing.append(found)
    raise EnvironmentNotReady(
        f"The engine {names[-1]} cannot be used here", why=missing[-1].reason, fix=missing[-1].fix
    )


def plan(loaded: Loaded) -> Plan:
    """What ``run`` would do: every cell in order, every one that cannot run with its reason, the expected time.

    Starts nothing. Raises ``selection.NoModels`` when this machine has no model yet, ``NothingToDo`` when none matches.
    """
    settings = loaded.settings
    name, engine = choose_engine(settings)
    own = engine.catalogue(settings.models.include)
    models = [found.ref for found in model_manager(settings).scan().models] if own is None else own
    # An engine with models of its own has matched the names already; some of its names are no patterns.
    names = settings.models.include if own is None or not own else ()
    chosen = selection.select(models, names, settings.models.quants, quick=settings.run.quick)
    machine = _machine()
    wanted = planner.Wanted(
        engine=name,
        models=chosen.models,
        profiles=_profiles(settings, settings.profiles.enabled),
        server=settings.server.as_server_settings(),
        seed=settings.run.seed,
        hardware=Hardware(cores_count=min(machine.physical_cores, machine.cpu_limit_cores)),
        notes=chosen.notes,
    )
    return planner.plan(wanted, _memory_check(settings, engine, machine))


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
    with runs.exclusive(_machine_lock(), "This machine"):
        folder = runs.create(settings.run.output_dir)
        clock = SystemClock()
        records = loaded.as_records()
        first = RunStarted(clock.now_ns(), clock.instant(), folder.run_id, work, _machine(), records, __version__)
        with runs.exclusive(folder.lock, f"The run {folder.run_id}"), Journal.create(folder.journal, first) as book:
            observer.started(folder)
            observer.event(first)
            ended = _measure(RunState([first]), book, folder, _Bench(engine, settings, observer))
    return _result(folder, ended, settings)


def resume(loaded: Loaded, name: str = "latest", *, observer: Observer | None = None) -> RunResult:
    """Go on with an interrupted or killed run: same plan, finished trials are kept, the rest is measured.

    ``name`` is ``latest``, a run id or a folder. Of a finished run only the reports are written again. Raises
    ``StoreError``, naming the difference, on another machine or when a model file is not what it was.
    """
    from llmtester.host.clock import SystemClock

    settings = loaded.settings
    observer = observer or _Nobody()
    folder = runs.find(settings.run.output_dir, name)
    with (
        runs.exclusive(_machine_lock(), "This machine"),
        runs.exclusive(folder.lock, f"The run {folder.run_id}"),
    ):
        state = RunState(journal.read(folder.journal).events)
        if state.ended and state.ended.outcome == "finished":
            return _result(folder, state.ended, settings)
        engine = _engine_of(state, settings)
        _refuse_if_changed(state, _machine(), settings, engine)
        book, recorded = Journal.reopen(folder.journal)
        with book:
            observer.started(folder)
            for event in recorded.events:
                observer.event(event)
            clock = SystemClock()
            again = RunResumed(clock.now_ns(), clock.instant(), _machine(), __version__)
            book.emit(again)
            state.apply(again)
            observer.event(again)
            ended = _measure(state, book, folder, _Bench(engine, settings, observer))
    return _result(folder, ended, settings)


def summary(folder: RunFolder, settings: Settings) -> Summary:
    """What a run says, finished or not, seen with the rating bands of ``settings``."""
    recorded = journal.read(folder.journal)
    state = RunState(recorded.events)
    return summarise(state, lens(state.plan, settings))


def report(
    folder: RunFolder | str | Path,
    settings: Settings | None = None,
    *,
    formats: Sequence[str] = REPORT_FORMATS,
    output_dir: Path | None = None,
) -> dict[str, Path]:
    """Write the reports of a run; format to path. Works for unfinished runs as well, and again after a change of bands.

    ``folder`` may be ``latest``, a run id or a path. Files are replaced whole or not at all.
    """
    from llmtester.views.exporters import exporter

    settings = settings or load_settings().settings
    if not isinstance(folder, RunFolder):
        folder = runs.find(settings.run.output_dir, str(folder))
    said = summary(folder, settings)
    exporters = {name: exporter(name) for name in formats}
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(said.started_unix_ns / 1e9))
    target = output_dir or folder.path
    written = {}
    for name, chosen in exporters.items():
        path = target / f"{stamp}_{chosen.suffix}"
        _replace(path, chosen.render(said))
        written[name] = path
    return written


def watch(folder: RunFolder, console: Console) -> None:
    """Show a run on a terminal, live if it is being written. Returns when the run has ended or its writer is gone."""
    from llmtester.views.dashboard import follow

    follow(journal.follow(folder.journal, folder.is_active), console)


def show(said: Summary, console: Console, files: Mapping[str, str] | None = None) -> None:
    """Write a summary to a Rich console, and where its files are."""
    from llmtester.views.text import print_summary

    print_summary(said, console, files)


def plan_lines(work: Plan) -> Iterator[str]:
    """A plan as lines of text for a terminal."""
    from llmtester.views import plan as view

    return view.plan_lines(work)


def plain_log() -> Callable[[Event], str | None]:
    """A function that turns each event into a line of a log, or nothing. It remembers the events before."""
    from llmtester.views.plain_log import PlainState, plain_line

    state = PlainState()
    return lambda event: plain_line(event, state)


def pull(spec: str, settings: Settings | None = None, on_progress: OnProgress | None = None) -> ModelRef:
    """Fetch a model (``starter``, ``owner/repository:Q4_K_M``, a URL) into the first model folder and verify it.

    ``on_progress`` is told how far it is. Raises ``NetworkError`` or ``NothingToDo``; a broken transfer goes on where
    it stopped.
    """
    from llmtester.models.progress import silent

    manager = model_manager(settings or load_settings().settings)
    return manager.pull(spec, on_progress or silent).ref


def find_run(settings: Settings, name: str) -> RunFolder:
    """The run called ``name`` (``latest``, an id, a path). Raises ``NothingToDo``."""
    return runs.find(settings.run.output_dir, name)


def lens(work: Plan, settings: Settings) -> Lens:
    """How to read the cells of ``work``: the deciding metrics of its profiles and the bands in force."""
    profiles = dict.fromkeys(cell.profile for cell in (*work.cells, *(skip.cell for skip in work.skips)))
    bands: Bands = {**BANDS, **settings.ratings}
    return Lens({name: plugins.load("profile", name).headline for name in profiles}, bands)


@dataclass(frozen=True, slots=True)
class _Bench:
    """With what a run is measured, and who is told."""

    engine: Engine
    settings: Settings
    observer: Observer


def _measure(state: RunState, book: Journal, folder: RunFolder, bench: _Bench) -> RunEnded:
    """Run the matrix in an event loop of its own, with signals turned into stops."""
    from llmtester.host.canary import LoopCanary
    from llmtester.host.clock import SystemClock
    from llmtester.host.collector import quiet_garbage_collector
    from llmtester.host.interrupts import run_until_stopped
    from llmtester.host.telemetry import SystemSensors
    from llmtester.runner.matrix import MatrixRunner, Workbench

    def emit(event: Event) -> None:
        book.emit(event)
        bench.observer.event(event)

    canary = LoopCanary()
    workbench = Workbench(
        open_target=lambda target: bench.engine.open(target, folder.server_folder(target)),
        profiles=_profiles(bench.settings, dict.fromkeys(cell.profile for cell in state.plan.cells)),
        clock=SystemClock(),
        sensors=SystemSensors(canary),
        quiet=quiet_garbage_collector,
    )
    runner = MatrixRunner(state, emit, workbench)

    async def measure() -> RunEnded:
        async with canary:
            return await runner.run()

    return run_until_stopped(measure, runner.stop)


def _result(folder: RunFolder, ended: RunEnded, settings: Settings) -> RunResult:
    files = report(folder, settings)
    return RunResult(folder, ended, summary(folder, settings), files)


def _memory_check(settings: Settings, engine: Engine, machine: Machine) -> planner.DoesNotFit:
    """Why a model does not fit into this machine. An engine with models of its own decides that by itself."""
    if engine.catalogue(()) is not None:
        return lambda model, server: None
    from llmtester.models.memory import estimate

    facts = {model.ref.fingerprint: model.facts for model in model_manager(settings).scan().models}
    limit_bytes = min(machine.memory_bytes, machine.memory_limit_bytes)

    def does_not_fit(model: ModelRef, server: ServerSettings) -> str | None:
        need = estimate(facts[model.fingerprint], server)
        if isinstance(need, Absent) or need.total_bytes <= limit_bytes:
            return None
        return f"it needs {need.total_bytes / 1e9:.1f} GB and this machine has {limit_bytes / 1e9:.1f} GB"

    return does_not_fit


def _profiles(settings: Settings, names: Sequence[str] | Mapping[str, None]) -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    for name in names:
        factory = plugins.load("profile", name)
        found[name] = factory(settings.profiles.options_for(name), quick=settings.run.quick)
    return found


def _engine_of(state: RunState, settings: Settings) -> Engine:
    """The engine that the run was started with."""
    name = state.plan.cells[0].target.engine
    engine: Engine = plugins.load("engine", name)(settings.engine_options(folder=user_state_path("llmtester")))
    found = engine.available()
    if isinstance(found, Missing):
        raise EnvironmentNotReady(f"The engine {name} of this run cannot be used now", why=found.reason, fix=found.fix)
    return engine


def _refuse_if_changed(state: RunState, machine: Machine, settings: Settings, engine: Engine) -> None:
    """A resumed run must mean the same as an undisturbed one. Raises ``StoreError`` naming every difference."""
    differences = list(state.machine.differences(machine)) if state.machine else []
    if engine.catalogue(()) is None:
        known = {model.ref.path: model.ref.fingerprint for model in model_manager(settings).scan().models}
        for target in state.plan.targets:
            now = known.get(target.model.path)
            if now is None:
                differences.append(f"{target.model.label} is not at {target.model.path} any more")
            elif now != target.model.fingerprint:
                differences.append(f"{target.model.path} is another file than the one that was measured")
    if differences:
        raise StoreError(
            f"The run {state.run_id} cannot be resumed here",
            why="; ".join(differences),
            fix="report what it has: llmtester report latest; or start anew: llmtester run",
        )


def _machine() -> Machine:
    from llmtester.host.machine import read_machine

    return read_machine()


def _machine_lock() -> Path:
    return user_state_path("llmtester", ensure_exists=True) / "machine.lock"


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentNotReady(
            f"Cannot write the report {path}",
            why=error.strerror or str(error),
            fix="choose another folder: llmtester report latest --output-dir DIR",
        ) from error
