"""``llmtester config``: what is in force and where each value came from; a first settings file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from llmtester.cli.console import say
from llmtester.cli.in_force import loaded_settings
from llmtester.cli.json_output import print_object
from llmtester.cli.on_demand import Group
from llmtester.cli.options import Assign, Config, Json
from llmtester.domain.errors import EnvironmentNotReady
from llmtester.domain.text import printable

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(
    config: Config = None,
    origin: Annotated[bool, typer.Option("--origin", help="Add where each value came from.")] = False,
    as_json: Json = False,
    assign: Assign = None,
) -> None:
    """Print every setting with its value, as the other commands would see it.

    \b
    llmtester config show --origin
    LLMTESTER_SERVER__SLOTS=4 llmtester config show --origin --set run.seed=7
    """
    from llmtester.settings import assignments
    from llmtester.settings.reference import value_text

    loaded = loaded_settings(config, assignments(assign or []))
    records = loaded.as_records()
    if as_json:
        print_object("config", records)
        return
    lines = [(f"{name} = {value_text(record['value'])}", record["origin"]) for name, record in records.items()]
    width = min(max(len(line) for line, _ in lines), 60)
    for line, source in lines:
        typer.echo(printable(f"{line:<{width}}  # {source}" if origin else line, 1000))


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.", metavar="PATH")] = Path("llmtester.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a settings file in which everything is explained and nothing is set yet.

    \b
    llmtester config init
    llmtester config init ~/gpu.yaml
    """
    from llmtester.settings.reference import example

    shown = printable(str(path))
    if path.exists() and not force:
        raise EnvironmentNotReady(
            f"{shown} exists", why="it is not overwritten unasked", fix=f"llmtester config init {shown} --force"
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(example(), encoding="utf-8", newline="\n")
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):  # the folder that cannot be written to has nothing to remove
            unfinished.unlink()
        raise EnvironmentNotReady(
            f"{shown} cannot be written",
            why=error.strerror or str(error),
            fix="choose another path, or create its folder",
        ) from error
    if as_json:
        print_object("config-file", str(path))
        return
    say(f"Wrote {shown}. Remove the # in front of what you want to change.")
    typer.echo(shown)
