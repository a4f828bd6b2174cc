"""``llmtester quality``: take the answers of a reference from one machine to another, and look at the questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from llmtester.cli.completion import completing
from llmtester.cli.console import say
from llmtester.cli.in_force import settings_for_runs
from llmtester.cli.json_output import print_object
from llmtester.cli.on_demand import Group
from llmtester.cli.options import Config, Json, Runs
from llmtester.domain.text import printable

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
reference = typer.Typer(
    cls=Group, no_args_is_help=True, rich_markup_mode=None, help="References measured on another machine."
)
app.add_typer(reference, name="reference")


@reference.command("export")
def export(
    run: Annotated[
        str, typer.Argument(help="latest, a run id or a run folder.", metavar="RUN", autocompletion=completing("RUN"))
    ],
    file: Annotated[Path, typer.Argument(help="Where to write the pack.", metavar="FILE")],
    model: Annotated[
        str | None,
        typer.Option(help="Which model, if the run has several.", metavar="NAME", autocompletion=completing("--model")),
    ] = None,
    config: Config = None,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Write the answers of the reference of a run into a file.

    \b
    llmtester quality reference export latest big-model.reference.jsonl
    """
    from llmtester.api.references import export_reference

    settings = settings_for_runs(config, runs)
    count = export_reference(settings, run, file, model)
    if as_json:
        print_object("reference", {"file": str(file), "answers_count": count})
        return
    say(f"Wrote {count} answers.")
    typer.echo(printable(str(file), 1000))


@reference.command("import")
def take(
    file: Annotated[Path, typer.Argument(help="A pack that export wrote.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Keep a pack, so that later runs compare with it where no better file of the model is here.

    \b
    llmtester quality reference import big-model.reference.jsonl
    """
    from llmtester.api.references import import_reference

    pack = import_reference(file)
    if as_json:
        data = {"model": pack.target.model.label, "answers_count": len(pack.samples), "build": pack.facts.build}
        print_object("reference", data)
        return
    say(f"Runs with the profile quality compare {printable(pack.target.model.name)} with it from now on.")
    typer.echo(
        f"{printable(pack.target.model.label)}: {len(pack.samples)} answers, made by {printable(pack.facts.build)}"
    )


@app.command("questions")
def questions(as_json: Json = False) -> None:
    """Print the standard questions as JSON, with their hash and right answers.

    \b
    llmtester quality questions          the file as it is
    llmtester quality questions --json   in the object that every command prints
    """
    from llmtester.api.references import standard_questions

    text = standard_questions()
    if as_json:
        print_object("questions", json.loads(text))
        return
    typer.echo(text, nl=False)
