"""The commands of llmtester as Typer sees them; each is imported when it is used, so that ``--help`` stays fast."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

import typer

from llmtester.cli.completion import VARIABLE, answer
from llmtester.cli.console import guarded
from llmtester.cli.on_demand import CommandsOnDemand


class Commands(CommandsOnDemand):
    """Every command: where it is and what it does."""

    rows: ClassVar[Mapping[str, tuple[str, str]]] = {
        "run": ("llmtester.cli.run_command:run", "Measure models on this machine and say which one to use."),
        "report": ("llmtester.cli.report_commands:report", "Write the reports of a run again, finished or not."),
        "compare": (
            "llmtester.cli.compare_command:compare",
            "Say what changed from one run to another, and whether it is real.",
        ),
        "watch": (
            "llmtester.cli.report_commands:watch",
            "Follow a run on the terminal, also one that another process is writing.",
        ),
        "doctor": ("llmtester.cli.doctor_command:doctor", "Check whether this machine is ready to measure."),
        "serve": (
            "llmtester.cli.serve_command:serve",
            "Serve one model on 127.0.0.1 with an OpenAI-compatible interface.",
        ),
        "models": ("llmtester.cli.models_commands:app", "List, inspect, fetch, verify and remove models."),
        "quality": ("llmtester.cli.quality_commands:app", "Move the answers of a reference to another machine."),
        "docs": ("llmtester.cli.docs_command:docs", "Read the documents: a page, or the section that an error names."),
        "config": ("llmtester.cli.config_commands:app", "Show where each setting comes from, or write a first file."),
    }


WORKFLOWS = """\b
Common workflows:
  llmtester doctor                       is this machine ready?
  llmtester run --quick                  a first answer in minutes
  llmtester models pull                  choose a model that fits this machine
  llmtester run --resume                 go on after an interruption
  llmtester report latest --open         the page with the verdict
  llmtester serve --from latest          use what was recommended
"""

app = typer.Typer(
    cls=Commands,
    name="llmtester",
    help="Find out which local language model to use on this machine, and how sure that is.",
    epilog=WORKFLOWS,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from llmtester import __version__

        typer.echo(f"llmtester {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Show the version.", callback=_version, is_eager=True),
) -> None:
    """Only carries --version."""


def main() -> int:
    """Run the command line, or answer a shell that asks what could be typed; the exit code."""
    if os.environ.get(VARIABLE, "").startswith("complete_"):
        return answer(lambda: guarded(app))
    return guarded(app)
