"""``llmtester doctor``: is this machine ready, and what to do where it is not."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import Annotated

import typer

from llmtester.cli.in_force import loaded_settings
from llmtester.cli.json_output import print_object
from llmtester.cli.options import Assign, Config, EngineName, Json
from llmtester.domain.errors import ExitCode

PIPE_WIDTH = 160


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask whether the model hub answers.")] = False,
    engine: EngineName = None,
    config: Config = None,
    assign: Assign = None,
    as_json: Json = False,
) -> None:
    """Check whether this machine is ready to measure.

    Each check is ok, warn or fail, with what to do beneath it. Exit code 6 if one
    fails, 0 otherwise; a warning alone never fails.

    \b
    llmtester doctor
    llmtester doctor --offline --json
    llmtester doctor --engine ollama
    """
    from llmtester import api
    from llmtester.settings import assignments

    loaded = loaded_settings(config, {"engine.name": engine, **assignments(assign or [])})
    checks = api.examine(loaded, offline=offline)
    if as_json:
        print_object("doctor", [asdict(check) for check in checks])
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
        for line in api.check_lines(checks):
            typer.echo("\n".join(textwrap.wrap(line, width, subsequent_indent=" " * 22)))
    if any(check.verdict == "fail" for check in checks):
        raise typer.Exit(ExitCode.ENVIRONMENT)
