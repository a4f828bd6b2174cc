"""The table of commands against the commands themselves."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest
import typer

from llmtester.cli.app import Commands, app
from llmtester.cli.console import guarded


@pytest.mark.parametrize("name", Commands.rows)
def test_the_line_of_help_is_the_commands_own(name: str) -> None:
    """The table says of a function what its docstring says first, so the two helps cannot drift apart."""
    where, line = Commands.rows[name]
    module, _, attribute = where.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        assert line == (inspect.getdoc(found) or "").partition("\n")[0]


@pytest.mark.parametrize("name", Commands.rows)
def test_every_command_has_a_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command is imported by its row, shows its help under its own name, and offers no completion of its own."""
    assert guarded(app, [name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: llmtester {name}" in shown
    assert "--install-completion" not in shown


def test_the_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """The first help shows every row, and both spellings of the flag work."""
    assert guarded(app, ["-h"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in Commands.rows)


def test_a_misspelt_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """Suggestions work although nothing was imported."""
    assert guarded(app, ["rum"]) == 2
    assert "'run'" in capsys.readouterr().err
