"""The options and arguments that several commands share, so that one thing has one name everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtester.cli.completion import completing

Config = Annotated[Path | None, typer.Option(help="Settings file.", metavar="FILE")]
Assign = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any setting.", metavar="NAME=VALUE", autocompletion=completing("--set")),
]
Runs = Annotated[Path | None, typer.Option("--runs", help="Folder of runs.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
JsonLines = Annotated[bool, typer.Option("--json", help="JSON Lines on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
ModelFolder = Annotated[
    Path | None, typer.Option("--folder", help="The only model folder, instead of the set ones.", metavar="DIR")
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="auto, embedded, llama-server, ollama ...",
        metavar="NAME",
        autocompletion=completing("--engine"),
    ),
]


def listed(text: str | None) -> list[str] | None:
    """The parts of ``a,b``; ``None`` if the option was not given."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None
