"""The settings that a command works with, and what must be said about them once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtester.cli.console import say
from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable

if TYPE_CHECKING:
    from llmtester.settings import Loaded, Settings


def loaded_settings(config: Path | None, overrides: Mapping[str, Any]) -> Loaded:
    """All settings; variables of the environment that change nothing are named on standard error."""
    from llmtester import api

    loaded = api.load_settings(config, overrides)
    for note in loaded.notes:
        say(f"warning: {note}")
    return loaded


def settings_for_runs(config: Path | None, runs: Path | None) -> Settings:
    """The settings of a command that looks for runs, in the folder ``--runs`` if it was given.

    Raises ``ConfigurationError`` if that is no folder.
    """
    refuse_missing("--runs", runs)
    return loaded_settings(config, {"run.output_dir": str(runs) if runs else None}).settings


def refuse_missing(flag: str, folder: Path | None) -> None:
    """Raises ``ConfigurationError`` for a folder to look into that was named and is not there."""
    if folder is None or folder.is_dir():
        return
    shown = printable(str(folder), 1000)
    raise ConfigurationError(
        f"{flag} {shown} cannot be looked into",
        why="it is a file" if folder.exists() else "there is no such folder",
        fix=f"check the path, or leave {flag} out to look where the settings say",
    )
