"""The commands of llmtester as Typer sees them. Bodies import what they need, so that ``--help`` stays fast."""

from __future__ import annotations

import typer

from llmtester.cli import config_commands, models_commands, report_commands, run_command, serve_command
from llmtester.cli.console import guarded

app = typer.Typer(
    name="llmtester",
    help="Find out which local language model to use on this machine, and how sure that is.",
    epilog="Start with:  llmtester run --quick",
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


app.command("run")(run_command.run)
app.command("report")(report_commands.report)
app.command("watch")(report_commands.watch)
app.command("serve")(serve_command.serve)
app.add_typer(models_commands.app, name="models", help="List, inspect, fetch, verify and remove models.")
app.add_typer(config_commands.app, name="config", help="Show where each setting comes from, or write a first file.")


def main() -> int:
    """Run the command line; the exit code."""
    return guarded(app)
