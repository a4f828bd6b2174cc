"""``llmtester docs``: the documents on the terminal, at the section that an error names."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llmtester.cli.completion import completing
from llmtester.cli.json_output import print_object
from llmtester.cli.options import Json

READABLE_COLUMNS = 100
"""Longer lines of prose are hard to follow with the eye."""


def docs(
    topic: Annotated[
        str | None,
        typer.Argument(
            help="A page, or a section such as nothing-matched.",
            metavar="TOPIC",
            autocompletion=completing("docs TOPIC"),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the documents: a page, or the section that an error names.

    \b
    llmtester docs                        every page with its title
    llmtester docs a-download-fails       the section that an error names
    llmtester docs settings               a whole page
    """
    from llmtester.api import documents

    if topic is None:
        titles = {name: documents.title(text) for name, text in documents.pages().items()}
        if as_json:
            print_object("docs", titles)
            return
        width = max(map(len, titles))
        for name, title in titles.items():
            typer.echo(f"{name:{width}}  {title}")
        return
    text = documents.document(topic)
    if as_json:
        print_object("docs", {"topic": topic, "markdown": text})
    elif sys.stdout.isatty():
        _show(text)
    else:
        typer.echo(text, nl=False)


def _show(text: str) -> None:
    """Markdown laid out for this terminal."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(highlight=False)
    console.width = min(console.width, READABLE_COLUMNS)
    console.print(Markdown(text, hyperlinks=False))
