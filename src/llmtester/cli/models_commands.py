"""``llmtester models``: list, inspect, fetch, verify and remove models."""

from __future__ import annotations

import typer

from llmtester.cli.models_files import remove, verify
from llmtester.cli.models_look import info, list_models
from llmtester.cli.models_pull import pull
from llmtester.cli.on_demand import Group

app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
app.command("list")(list_models)
app.command("info")(info)
app.command("pull")(pull)
app.command("verify")(verify)
app.command("rm")(remove)
