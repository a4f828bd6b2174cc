"""What the commands of ``llmtester models`` share: the models of this machine, a question, the list of choices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from llmtester.cli.in_force import loaded_settings, refuse_missing
from llmtester.domain.errors import EnvironmentNotReady, ExitCode
from llmtester.domain.text import printable

if TYPE_CHECKING:
    from llmtester.settings import Settings


def opened_models(config: Path | None, folder: Path | None, *, to_pull: bool = False) -> tuple[Settings, Any]:
    """The settings and the models of this machine, in ``folder`` alone if it is given.

    Raises ``ConfigurationError`` if that is no folder; one ``to_pull`` into is made where it is missing.
    """
    from llmtester import api

    if not to_pull:
        refuse_missing("--folder", folder)
    overrides = {"models.folders": [str(folder)] if folder else None}
    settings = loaded_settings(config, overrides).settings
    return settings, api.model_manager(settings)


def confirm(question: str, otherwise: str) -> None:
    if not sys.stdin.isatty():
        raise EnvironmentNotReady(otherwise, why="there is no terminal to ask on", fix="add --yes to go ahead")
    if not typer.confirm(printable(question, 1000), default=False, err=True):
        raise typer.Exit(ExitCode.OK)


def show_choices(choices: Any) -> None:
    from llmtester.cli.models_tables import Column, parameters, show_table, size, word

    columns = [Column("", right=True), Column("pull this"), Column("size", right=True), Column("weights", right=True)]
    columns += [Column("needs", right=True), Column("verdict"), Column("licence")]
    rows = [
        (
            str(number),
            choice.spec,
            size(choice.size_bytes),
            parameters(choice.entry.parameters_count),
            size(choice.need_bytes),
            word(choice.verdict),
            "; ".join(filter(None, (choice.entry.licence or "not stated", _note(choice)))),
        )
        for number, choice in enumerate(choices, 1)
    ]
    show_table("Can be pulled by name, the most capable that fits first; sizes are close estimates", columns, rows)


def _note(choice: Any) -> str:
    return "already here" if choice.here else str(choice.entry.note)


def choice_record(choice: Any) -> dict[str, Any]:
    from llmtester.cli.models_tables import word

    return {
        "name": choice.entry.name,
        "spec": choice.spec,
        "source": choice.entry.source,
        "quantization": choice.quantization,
        "quantizations": choice.entry.quants,
        "size_bytes": choice.size_bytes,
        "need_bytes": choice.need_bytes,
        "context_tok": choice.entry.context_tok,
        "licence": choice.entry.licence,
        "verdict": word(choice.verdict),
        "here": choice.here,
    }
