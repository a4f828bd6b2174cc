"""``llmtester report`` and ``llmtester watch``: look at a run that exists."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtester.cli.completion import completing
from llmtester.cli.console import say
from llmtester.cli.in_force import settings_for_runs
from llmtester.cli.json_output import print_object
from llmtester.cli.options import Config, Json, JsonLines, Runs
from llmtester.cli.run_display import print_event
from llmtester.domain.errors import NothingToDo
from llmtester.domain.text import printable

if TYPE_CHECKING:
    from llmtester.api import RunRow
    from llmtester.settings import Settings


def report(  # noqa: PLR0913, PLR0917 (one parameter per flag is how Typer works)
    run: Annotated[
        str,
        typer.Argument(
            help="latest, a run id, a run folder, or the word list.",
            metavar="RUN",
            autocompletion=completing("report RUN"),
        ),
    ] = "latest",
    formats: Annotated[
        str,
        typer.Option(
            "--format", help="Any of html, json, csv, md.", metavar="A,B", autocompletion=completing("--format")
        ),
    ] = "json,csv,html",
    open_it: Annotated[bool, typer.Option("--open", help="Open the HTML report in the browser.")] = False,
    output_dir: Annotated[Path | None, typer.Option(help="Write the files here.", metavar="DIR")] = None,
    logs: Annotated[bool, typer.Option("--logs", help="Add the last lines of every server, keys removed.")] = False,
    config: Config = None,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Write the reports of a run again, finished or not.

    \b
    llmtester report latest --open
    llmtester report 20261124-120000-1a2b --format md
    llmtester report list
    """
    from llmtester import api

    settings = settings_for_runs(config, runs)
    if run == "list":
        _list(settings, as_json=as_json)
        return
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    if open_it and "html" not in wanted:
        wanted.append("html")
    folder = api.find_run(settings, run)
    files = {
        name: str(path)
        for name, path in api.report(folder, settings, formats=wanted, output_dir=output_dir, logs=logs).items()
    }
    if as_json:
        print_object("report", files)
    else:
        from rich.console import Console

        api.show(api.summary(folder, settings), Console(highlight=False), files)
    if open_it:
        _open(files["html"])


def watch(
    run: Annotated[
        str, typer.Argument(help="latest, a run id or a run folder.", metavar="RUN", autocompletion=completing("RUN"))
    ] = "latest",
    config: Config = None,
    runs: Runs = None,
    as_json: JsonLines = False,
    beside_run: Annotated[bool, typer.Option("--beside-run", hidden=True)] = False,
) -> None:
    """Follow a run on the terminal, also one that another process is writing.

    \b
    llmtester watch               the latest run
    llmtester watch 20261124-120000-1a2b --json
    """
    from rich.console import Console

    from llmtester import api

    settings = settings_for_runs(config, runs)
    if beside_run:
        # Ctrl-C goes to every process of the terminal; the run decides what it means, and ends us when it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = api.find_run(settings, run)
    if as_json:
        for event in api.events(folder):
            print_event("watch", event)
        return
    api.watch(folder, Console(stderr=True, highlight=False), settings)


def _list(settings: Settings, *, as_json: bool) -> None:
    """Print every run of the output folder, newest first; a list of none is no failure."""
    from llmtester import api

    rows = api.list_runs(settings)
    if as_json:
        print_object("report-list", [asdict(row) for row in rows])
        return
    if not rows:
        say(f"There is no run in {settings.run.output_dir} yet. Start one with: llmtester run --quick")
        return
    for line in list_lines(rows):
        typer.echo(line)


def list_lines(rows: Sequence[RunRow]) -> Iterator[str]:
    """Runs as a table of at most 80 columns: a line of facts for each, and under it what the run said."""
    yield f"{'run':20}  {'date':16}  {'outcome':11}  machine"
    for row in rows:
        started_s = None if row.started_unix_ns is None else row.started_unix_ns / 1e9
        date = "unknown" if started_s is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(started_s))
        yield f"{row.run_id:20}  {date:16}  {row.outcome:11}  {_cut(row.cpu_model, 27)}".rstrip()
        said = row.problem or row.verdict or "no advice"
        if row.models:
            yield f"  {_cut(', '.join(row.models), 78)}"
        yield f"  {_cut(said, 78)}"


def _cut(text: str, width: int) -> str:
    """Untrusted ``text`` made safe and at most ``width`` characters long."""
    safe = printable(text, 1000)
    return safe if len(safe) <= width else f"{safe[: width - 3]}..."


def _open(path: str) -> None:
    """Show the page in the user's browser. Raises ``NothingToDo`` where there is none, naming the file."""
    import webbrowser

    if webbrowser.open(Path(path).absolute().as_uri()):
        say("Opened in the browser.")
        return
    raise NothingToDo("no browser could be opened here", fix=f"open this file yourself: {path}")
