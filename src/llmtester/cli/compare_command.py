"""``llmtester compare``: what changed from one run to another, and whether the change is real."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def compare(
    before: Annotated[str, typer.Argument(help="latest, a run id or a run folder.", metavar="BEFORE")],
    after: Annotated[str, typer.Argument(help="The run to compare with it.", metavar="AFTER")],
    config: Annotated[Path | None, typer.Option(help="Settings file.", metavar="FILE")] = None,
    runs: Annotated[Path | None, typer.Option("--runs", help="Folder of runs.", metavar="DIR")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Say what changed from one run to another, and whether it is real.

    \b
    llmtester compare 20261124-120000-1a2b latest
    """
    from llmtester import api

    settings = api.load_settings(config, {"run.output_dir": str(runs) if runs else None}).settings
    found = api.compare(settings, before, after)
    if as_json:
        sys.stdout.write(json.dumps({"schema": "llmtester/compare/1", "ok": True, "data": asdict(found)}) + "\n")
        return
    for line in api.comparison_lines(found):
        typer.echo(line)
