"""``llmtester compare``: what changed from one run to another, and whether the change is real."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from llmtester.cli.completion import completing
from llmtester.cli.in_force import settings_for_runs
from llmtester.cli.json_output import print_object
from llmtester.cli.options import Config, Json, Runs


def compare(
    before: Annotated[
        str,
        typer.Argument(help="latest, a run id or a run folder.", metavar="BEFORE", autocompletion=completing("RUN")),
    ],
    after: Annotated[
        str, typer.Argument(help="The run to compare with it.", metavar="AFTER", autocompletion=completing("RUN"))
    ],
    config: Config = None,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Say what changed from one run to another, and whether it is real.

    \b
    llmtester report list         the runs to choose from
    llmtester compare 20261124-120000-1a2b latest
    """
    from llmtester import api

    settings = settings_for_runs(config, runs)
    found = api.compare(settings, before, after)
    if as_json:
        print_object("compare", asdict(found))
        return
    for line in api.comparison_lines(found):
        typer.echo(line)
