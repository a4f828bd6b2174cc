"""What a run says, as files and on the terminal. Everything is made from the journal."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmtester import plugins
from llmtester.analysis import compare as side_by_side
from llmtester.analysis.compare import Comparison
from llmtester.analysis.lens import Lens
from llmtester.analysis.ratings import BANDS, Bands
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Summary
from llmtester.domain.errors import EnvironmentNotReady, LlmtesterError, NothingToDo
from llmtester.domain.events import Event
from llmtester.domain.work import Plan
from llmtester.settings import Settings, load_settings
from llmtester.store import journal, runs
from llmtester.store.runs import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

REPORT_FORMATS = ("json", "csv", "html")


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
    logs: bool = False,
) -> dict[str, Path]:
    """Write the reports of a run; format to path. Works for unfinished runs as well, and again after a change of bands.

    ``folder`` may be ``latest``, a run id or a path. ``logs`` adds the last lines of every server, keys removed. Files
    are replaced whole or not at all.
    """
    from llmtester.api.server_logs import with_logs
    from llmtester.views.exporters import exporter

    settings = settings or load_settings().settings
    if not isinstance(folder, RunFolder):
        folder = runs.find(settings.run.output_dir, str(folder))
    said = summary(folder, settings)
    if logs:
        said = with_logs(said, folder)
    exporters = {name: exporter(name) for name in formats}
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(said.started_unix_ns / 1e9))
    target = output_dir or folder.path
    written = {}
    for name, chosen in exporters.items():
        path = target / f"{stamp}_{chosen.suffix}"
        _replace(path, chosen.render(said))
        written[name] = path
    return written


def find_run(settings: Settings, name: str) -> RunFolder:
    """The run called ``name`` (``latest``, an id, a path). Raises ``NothingToDo``."""
    return runs.find(settings.run.output_dir, name)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of ``list_runs``. ``models`` are labels, ``problem`` says why a run cannot be read (the rest is empty
    then). All text but ``run_id`` is untrusted."""

    run_id: str
    started_unix_ns: int | None
    cpu_model: str
    models: tuple[str, ...]
    outcome: str
    verdict: str
    problem: str = ""


def list_runs(settings: Settings) -> tuple[RunRow, ...]:
    """Every run in the output folder, newest first; one that cannot be read is a row that says so."""
    return tuple(_row(folder, settings) for folder in reversed(runs.all_runs(settings.run.output_dir)))


def _row(folder: RunFolder, settings: Settings) -> RunRow:
    try:
        said = summary(folder, settings)
    except LlmtesterError as error:
        return RunRow(folder.run_id, None, "", (), "unreadable", "", error.why or error.what)
    models = tuple(dict.fromkeys(target.model.label for target in said.targets))
    outcome = "running" if said.outcome == "unfinished" and folder.is_active() else said.outcome
    verdict = said.advice[0].verdict if said.advice else ""
    return RunRow(folder.run_id, said.started_unix_ns, said.machine.cpu_model, models, outcome, verdict)


def compare(settings: Settings, before: str, after: str) -> Comparison:
    """What changed from one run to the other (each ``latest``, an id or a path). Raises ``NothingToDo`` if they are one
    run or have no cell in common."""
    folders = [find_run(settings, name) for name in (before, after)]
    states = [RunState(journal.read(folder.journal).events) for folder in folders]
    if folders[0].run_id == folders[1].run_id:
        raise NothingToDo(
            f"both names mean the run {folders[0].run_id}",
            why="a run does not differ from itself",
            fix="name another one: llmtester report list",
        )
    lenses = [lens(state.plan, settings) for state in states]
    first, second = (summarise(state, seen) for state, seen in zip(states, lenses, strict=True))
    found = side_by_side.compare(first, second, lenses[0].headlines)
    if not found.cells:
        raise NothingToDo(
            f"the runs {first.run_id} and {second.run_id} have no cell in common",
            why="a cell is a model, a quantization, a profile and a load",
            fix="see what each run holds: llmtester report list",
        )
    return found


def comparison_lines(found: Comparison) -> Iterator[str]:
    """A comparison as lines of text for a terminal of 80 columns."""
    from llmtester.views import comparison as view

    return view.comparison_lines(found)


def events(folder: RunFolder) -> Iterator[Event]:
    """Every event of a run, and those to come while it is being written. Ends with the run or its writer."""
    return (event for event in journal.follow(folder.journal, folder.is_active) if event is not None)


def watch(folder: RunFolder, console: Console, settings: Settings) -> None:
    """Show a run on a terminal, live if it is being written. Returns when the run has ended or its writer is gone."""
    from llmtester.views.dashboard import follow

    follow(journal.follow(folder.journal, folder.is_active), console, lambda work: lens(work, settings))


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


def lens(work: Plan, settings: Settings) -> Lens:
    """How to read the cells of ``work``: the deciding metrics of its profiles and the bands in force."""
    profiles = dict.fromkeys(cell.profile for cell in (*work.cells, *(skip.cell for skip in work.skips)))
    bands: Bands = {**BANDS, **settings.ratings}
    headlines = {name: plugins.load("profile", name).headline for name in profiles}
    return Lens(headlines, bands, settings.profiles.quality.as_bands())


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
            f"cannot write the report {path}",
            why=error.strerror or str(error),
            fix="choose another folder: llmtester report latest --output-dir DIR",
        ) from error
