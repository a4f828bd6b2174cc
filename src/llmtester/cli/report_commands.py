"""``llmtester report`` and ``llmtester watch``: look at a run that exists."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from llmtester.cli.console import say
from llmtester.domain.errors import NothingToDo


def report(
    run: Annotated[str, typer.Argument(help="latest, a run id or a run folder.", metavar="[RUN]")] = "latest",
    formats: Annotated[
        str, typer.Option("--format", help="Any of html, json, csv, md.", metavar="A,B")
    ] = "json,csv,html",
    open_it: Annotated[bool, typer.Option("--open", help="Open the HTML report in the browser.")] = False,
    output_dir: Annotated[Path | None, typer.Option(help="Write the files here.", metavar="DIR")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.", metavar="FILE")] = None,
    runs: Annotated[Path | None, typer.Option("--runs", help="Folder of runs.", metavar="DIR")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The file names as JSON.")] = False,
) -> None:
    """Write the reports of a run again, finished or not.

    \b
    llmtester report latest --open
    llmtester report 20261124-120000-1a2b --format md
    """
    from llmtester import api

    settings = api.load_settings(config, {"run.output_dir": str(runs) if runs else None}).settings
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    if open_it and "html" not in wanted:
        wanted.append("html")
    folder = api.find_run(settings, run)
    files = {
        name: str(path) for name, path in api.report(folder, settings, formats=wanted, output_dir=output_dir).items()
    }
    if as_json:
        sys.stdout.write(json.dumps({"schema": "llmtester/report/1", "ok": True, "data": files}) + "\n")
    else:
        from rich.console import Console

        api.show(api.summary(folder, settings), Console(highlight=False), files)
    if open_it:
        _open(files["html"])


def watch(
    run: Annotated[str, typer.Argument(help="latest, a run id or a run folder.", metavar="[RUN]")] = "latest",
    config: Annotated[Path | None, typer.Option(help="Settings file.", metavar="FILE")] = None,
    beside_run: Annotated[bool, typer.Option("--beside-run", hidden=True)] = False,
) -> None:
    """Follow a run on the terminal, also one that another process is writing."""
    from rich.console import Console

    from llmtester import api

    settings = api.load_settings(config).settings
    if beside_run:
        # Ctrl-C goes to every process of the terminal; the run decides what it means, and ends us when it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    api.watch(api.find_run(settings, run), Console(stderr=True, highlight=False), settings)


def _open(path: str) -> None:
    """Show the page in the user's browser. Raises ``NothingToDo`` where there is none, naming the file."""
    import webbrowser

    if webbrowser.open(Path(path).absolute().as_uri()):
        say("Opened in the browser.")
        return
    raise NothingToDo("No browser could be opened here", fix=f"open this file yourself: {path}")
