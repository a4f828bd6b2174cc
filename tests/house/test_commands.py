"""The table of commands against the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer

from llmtester.cli.app import Commands, app
from llmtester.cli.console import BUG_PAGE, PAGES, USAGE_PAGE, guarded, page_of
from llmtester.domain.errors import (
    EngineError,
    EngineFailure,
    EnvironmentNotReady,
    LlmtesterError,
    NoModels,
    NothingToDo,
)

ROOT = Path(__file__).parents[2]


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


def every_command(group: typer.core.TyperGroup | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group, in the order of the help."""
    group = group or typer.main.get_group(app)
    for name in group.list_commands(typer.Context(group)):
        yield (*path, name)
        inner = group.get_command(typer.Context(group), name)
        if isinstance(inner, typer.core.TyperGroup):
            yield from every_command(inner, (*path, name))


@pytest.mark.parametrize("words", [(), *every_command()], ids=" ".join)
def test_help_fits_eighty_columns_and_shows_how(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """No line of any help is longer than a terminal of 80 columns, and each command has an example of itself."""
    assert guarded(app, [*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert not [line for line in shown.splitlines() if len(line) > 80]
    if "Commands:" not in shown:
        assert re.search(rf"^  llmtester {' '.join(words)}\b", shown, re.MULTILINE)
        assert any(flag in shown for flag in ("--json", "as JSON"))


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("rum",), "'run'"),
        (("models", "lst"), "'list'"),
        (("quality", "reference", "exprt"), "'export'"),
        (("run", "--quik"), "--quick"),
        (("doctor", "--ofline"), "--offline"),
    ],
)
def test_a_slip_is_answered_with_the_nearest(
    words: tuple[str, ...], near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and flags are suggested, although nothing was imported before."""
    assert guarded(app, words) == 2
    assert f"fix: did you mean {near}?" in capsys.readouterr().err


def test_every_page_that_an_error_names_exists() -> None:
    """Each ``see:`` is a file of the documentation and, after the #, a heading in it."""
    for place in (*PAGES.values(), USAGE_PAGE, BUG_PAGE):
        path, _, anchor = place.partition("#")
        text = (ROOT / path).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, place


def test_every_error_has_its_own_page() -> None:
    """The most exact kind counts."""
    assert page_of(NoModels("x")) == PAGES[NothingToDo]
    assert page_of(EngineError(EngineFailure.EXITED, "x")) == PAGES[EngineError]
    assert page_of(EnvironmentNotReady("x")) == PAGES[LlmtesterError]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("llmtester r", {"run", "report"}), ("llmtester models p", {"pull"}), ("llmtester run --qui", {"--quick"})],
)
def test_the_shell_completes(
    typed: str, wanted: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What bash is told to offer: commands, commands of groups, flags."""
    monkeypatch.setenv("_LLMTESTER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    assert guarded(app, []) == 0
    assert set(capsys.readouterr().out.split()) == wanted
