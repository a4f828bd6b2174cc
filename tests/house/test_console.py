"""The edge to the person: every way in which a command can end."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from llmtester.cli.console import guarded, say, show_error
from llmtester.domain.errors import (
    ConfigurationError,
    EngineError,
    EngineFailure,
    ExitCode,
    LlmtesterError,
    Locked,
    NetworkError,
    NothingToDo,
    StoreError,
)

PACKAGE = Path(__file__).parents[2] / "src" / "llmtester"

ENDINGS: dict[str, BaseException] = {
    "configuration": ConfigurationError("the setting is wrong", why="it is too large", fix="make it smaller"),
    "engine": EngineError(
        EngineFailure.CORRUPT_FILE,
        "the server \x1b[31mdied",
        fix="fetch it again",
        log_tail=("one", "two\x07", "three", "four", "five", "six"),
    ),
    "interrupt": KeyboardInterrupt(),
    "bug": ZeroDivisionError("division by \x1b]52;c;AAAA\x07 zero"),
    "exit": typer.Exit(3),
    "abort": typer.Abort(),
    "usage": typer.BadParameter("no such thing"),
}

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def end(how: str, as_json: bool = typer.Option(False, "--json")) -> None:
    """A command that ends as it is told to."""
    del as_json
    if how in ENDINGS:
        raise ENDINGS[how]
    typer.echo(how)


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = guarded(app, words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_finished_command_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """Data goes to standard output and nothing is said."""
    assert ended(capsys, "fine") == (ExitCode.OK, "fine\n", "")


def test_an_error_is_what_why_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    """Four lines on standard error, no escape sequence when it is no terminal, and the error's own exit code."""
    code, out, err = ended(capsys, "configuration")
    assert (code, out) == (ExitCode.USAGE, "")
    assert err == "error: the setting is wrong\n  why: it is too large\n  fix: make it smaller\n  see: " + (
        "llmtester docs a-setting-or-a-flag-is-refused\n"
    )


def test_json_adds_one_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--json`` the last line of standard error is an object for programs."""
    _, out, err = ended(capsys, "configuration", "--json")
    assert out == ""
    assert json.loads(err.splitlines()[-1]) == {
        "code": "configuration",
        "message": "the setting is wrong; it is too large",
        "hint": "make it smaller",
        "exit_code": 2,
        "page": "docs/troubleshooting.md#a-setting-or-a-flag-is-refused",
    }


def test_a_dead_server_shows_the_end_of_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    """The last five lines of the log are shown, and neither they nor the message can steer the terminal."""
    code, _, err = ended(capsys, "engine", "--json")
    assert code == ExitCode.ENVIRONMENT
    assert next(line for line in err.splitlines() if line.startswith("  log: ")) == "  log: two\\x07"
    assert err.count("  log: ") == 5
    assert "\x1b" not in err
    assert json.loads(err.splitlines()[-1])["code"] == "corrupt_file"


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupt and an aborted question both end with 130 and no traceback."""
    for how in ("interrupt", "abort"):
        code, _, err = ended(capsys, how)
        assert code == ExitCode.INTERRUPTED
        assert "Traceback" not in err


def test_a_bug_is_a_short_message_and_a_file(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """The traceback is in the file that the message names, under the user's log folder, and not on the screen."""
    code, out, err = ended(capsys, "bug", "--json")
    assert (code, out) == (ExitCode.BUG, "")
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert "ZeroDivisionError" in err
    (log,) = home.rglob("error-*.log")
    assert str(log) in err
    content = log.read_text(encoding="utf-8")
    assert "Traceback" in content
    assert "arguments: ['bug', '--json']" in content
    assert json.loads(err.splitlines()[-1])["exit_code"] == 1


def test_a_bug_without_a_place_for_the_file_is_still_told(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Where no log can be written, the message comes without a path."""
    (home / ".local").write_text("a file where the folder should be", encoding="utf-8")
    code, _, err = ended(capsys, "bug")
    assert code == ExitCode.BUG
    assert "ZeroDivisionError" in err


def test_exit_codes_of_commands_pass_through(capsys: pytest.CaptureFixture[str]) -> None:
    """``typer.Exit(3)`` is exit code 3."""
    assert ended(capsys, "exit") == (3, "", "")


@pytest.mark.parametrize("words", [["usage"], ["fine", "--no-such-flag"], []])
def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """An unknown flag, a missing argument and a bad value are usage errors, as JSON too."""
    code, out, err = ended(capsys, *words, "--json")
    assert (code, out) == (ExitCode.USAGE, "")
    assert json.loads(err.splitlines()[-1])["code"] == "usage"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NothingToDo("x"), "nothing_to_do"),
        (StoreError("x"), "store"),
        (NetworkError("x"), "network"),
        (Locked("x"), "locked"),
        (LlmtesterError("x"), "llmtester"),
    ],
)
def test_errors_have_stable_names(capsys: pytest.CaptureFixture[str], error: LlmtesterError, code: str) -> None:
    """Programs tell errors apart by a name made from the class."""
    assert show_error(error, as_json=True) == error.exit_code
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["code"] == code


def test_talk_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is made printable, and lines stay lines."""
    say("one\x1b[2J\ntwo \u202ethree")
    assert capsys.readouterr().err == "one\\x1b[2J\ntwo \\u202ethree\n"


def program(code: str, **environment: str) -> subprocess.Popen[bytes]:
    lines = ["import sys, typer", "from llmtester.cli.console import guarded, say", "app = typer.Typer()", code]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join([*lines, "sys.exit(guarded(app, []))"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )


def test_a_console_without_the_letters_shows_them_escaped() -> None:
    """On a cp1252 pipe a name in other letters is escaped on both streams instead of ending the program."""
    code = "@app.command()\ndef names() -> None:\n    typer.echo('模型'); say('模型')"
    process = program(code, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip(), err.strip()) == (0, b"\\u6a21\\u578b", b"\\u6a21\\u578b")


def test_a_reader_that_has_enough_is_no_error() -> None:
    """``llmtester ... | head -1`` ends quietly."""
    code = "@app.command()\ndef many() -> None:\n    for n in range(200_000): typer.echo(n)"
    process = program(code)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == ExitCode.OK
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.skipif(os.name != "posix", reason="colours are only shown on POSIX terminals")
@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour_only_where_it_is_wanted(environment: dict[str, str], coloured: bool) -> None:
    """A terminal gets a red word, unless it is dumb or NO_COLOR is set."""
    import pty

    ours, theirs = pty.openpty()
    code = "from llmtester.domain.errors import StoreError\nfrom llmtester.cli.console import show_error\n"
    variables = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}show_error(StoreError('broken'))"],
        stderr=theirs,
        env=variables | environment,
        check=False,
    )
    shown = os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert b"broken" in shown
    assert (b"\x1b[" in shown) is coloured


def test_what_an_error_says_first_begins_small() -> None:
    """What happened is shown after ``error:``, so it begins with a small letter unless it begins with a name."""
    kinds = {one.__name__ for one in every_kind(LlmtesterError)}
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and node.args:
                said = node.args[-1]
                while isinstance(said, ast.BinOp | ast.JoinedStr):
                    said = said.left if isinstance(said, ast.BinOp) else said.values[0]
                text = said.value if isinstance(said, ast.Constant) else ""
                wrong += [text] if isinstance(text, str) and re.match(r"(?!Ollama )[A-Z][a-z]* ", text) else []
    assert wrong == []


def every_kind(kind: type[LlmtesterError]) -> Iterator[type[LlmtesterError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_kind(below)
