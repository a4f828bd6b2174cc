"""The edge between the program and the person: talk, errors and exit codes.

Standard output carries data and nothing else; talk, warnings and errors go to standard error. Needs no Rich, so that an
error is shown even where the terminal, its encoding or an import is what is broken.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmtester.domain.errors import (
    ConfigurationError,
    EngineError,
    ExitCode,
    LlmtesterError,
    Locked,
    ModelError,
    NetworkError,
    NothingToDo,
    StoreError,
)
from llmtester.domain.text import printable

LINE_LIMIT_CHARACTERS = 2000
LOG_TAIL_LINES = 5
ISSUES_HINT = "run it again; if it happens again, report it with that file"

PAGES: dict[type[LlmtesterError], str] = {
    LlmtesterError: "docs/troubleshooting.md#this-machine-is-not-ready",
    ConfigurationError: "docs/troubleshooting.md#a-setting-or-a-flag-is-refused",
    NothingToDo: "docs/troubleshooting.md#nothing-matched",
    EngineError: "docs/troubleshooting.md#a-server-does-not-start",
    ModelError: "docs/troubleshooting.md#a-model-file-cannot-be-used",
    StoreError: "docs/troubleshooting.md#a-run-cannot-be-read-or-resumed",
    NetworkError: "docs/troubleshooting.md#a-download-fails",
    Locked: "docs/troubleshooting.md#another-llmtester-is-measuring",
}
"""Kind of error to the page that explains it; the most exact kind counts, and a test holds every anchor."""
USAGE_PAGE = "docs/cli.md"
BUG_PAGE = "docs/troubleshooting.md#llmtester-failed-unexpectedly"

_RED_BOLD, _RESET = "\x1b[1;31m", "\x1b[0m"


def say(text: str) -> None:
    """Write ``text`` to standard error, each line made printable. A listener that is gone does not stop the work."""
    _talk("".join(f"{printable(line, LINE_LIMIT_CHARACTERS)}\n" for line in text.split("\n")))


def guarded(app: Callable[..., object], arguments: Sequence[str] | None = None) -> int:
    """Run a Typer application and turn everything that leaves it into a message and an exit code.

    ``arguments`` stands for ``sys.argv[1:]``. ``LlmtesterError`` is shown as what, why and fix; with ``--json`` among
    the arguments also as one JSON object on standard error. Any other exception is a bug: exit 1, a short message, and
    the path of a file with the traceback. This is one of the two places that may catch every exception.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    _never_fail_to_encode()
    try:
        result = app(args=words, prog_name="llmtester", standalone_mode=False)
        sys.stdout.flush()
    except LlmtesterError as error:
        return show_error(error, as_json=as_json)
    except KeyboardInterrupt:
        say("Interrupted.")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as leaving:
        return _reader_left() if isinstance(leaving.__context__, BrokenPipeError) else _exit_code(leaving.code)
    except Exception as error:  # noqa: BLE001 (boundary: nothing may reach the screen as a traceback)
        return _foreign(error, words, as_json=as_json)
    return _exit_code(result)


@contextmanager
def interruptible(go_on: Callable[[], str]) -> Iterator[None]:
    """A Ctrl-C inside the block ends the program with 130 and the command that goes on; Typer alone would say nothing.

    ``go_on`` is asked only then.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(f"Interrupted. Go on with:\n  {go_on()}")
        sys.exit(ExitCode.INTERRUPTED)


def show_error(error: LlmtesterError, *, as_json: bool = False) -> ExitCode:
    """Write the error to standard error: what, why, the last lines of a server's log, fix. Returns its exit code."""
    _say_error(error.what)
    if error.why:
        say(f"  why: {error.why}")
    for line in getattr(error, "log_tail", ())[-LOG_TAIL_LINES:]:
        say(f"  log: {line}")
    if error.fix:
        say(f"  fix: {error.fix}")
    page = page_of(error)
    _say_page(page)
    if as_json:
        message = "; ".join(filter(None, (error.what, error.why)))
        _say_json(_code(error), message, error.fix, error.exit_code, page)
    return error.exit_code


def page_of(error: LlmtesterError) -> str:
    """The page of the documentation that explains this kind of error, with its anchor."""
    return next(PAGES[kind] for kind in type(error).__mro__ if kind in PAGES)


def _say_page(page: str) -> None:
    """The command that shows the page; whoever installed the program has no checkout to look into."""
    name, _, section = page.removeprefix("docs/").partition("#")
    say(f"  see: llmtester docs {section or name.removesuffix('.md')}")


def _foreign(error: Exception, words: Sequence[str], *, as_json: bool) -> int:
    """The exit code of an exception that is not ours: a usage error of the command line, an abort, or a bug."""
    usage_code = getattr(error, "exit_code", None)
    show = getattr(error, "show", None)
    if isinstance(usage_code, int) and callable(show):
        if type(error).__name__ == "NoArgsIsHelpError":
            show()
            return usage_code
        return _usage(error, usage_code, as_json=as_json)
    if type(error).__name__ == "Abort":
        say("Interrupted.")
        return ExitCode.INTERRUPTED
    return _bug(error, words, as_json=as_json)


def _usage(error: Any, exit_code: int, *, as_json: bool) -> int:
    """Show what the command line could not understand, with the nearest thing it knows. ``error`` is Typer's, whose
    sentences begin with a capital; ours, which follow ``error:``, do not."""
    has_own_words = getattr(error, "param", None) is None
    what = str(error.message if has_own_words else error.format_message())
    what, _, guess = what.rstrip(".").partition(". Did you mean ")
    what = what[:1].lower() + what[1:]
    near = guess.rstrip("?") or next(iter(getattr(error, "possibilities", None) or ()), "")
    command = error.ctx.command_path if getattr(error, "ctx", None) else "llmtester"
    fix = f"did you mean {near}? {command} --help shows what there is" if near else f"{command} --help"
    _say_error(what)
    say(f"  fix: {fix}")
    _say_page(USAGE_PAGE)
    if as_json:
        _say_json("usage", what, fix, exit_code, USAGE_PAGE)
    return exit_code


def _bug(error: Exception, words: Sequence[str], *, as_json: bool) -> ExitCode:
    what = f"llmtester failed unexpectedly: {type(error).__name__}: {printable(str(error))}"
    log = _write_debug_log(error, words)
    fix = f"{ISSUES_HINT}: {log}" if log else ISSUES_HINT.partition(";")[0]
    _say_error(what)
    say("  why: this is a mistake in llmtester, not in what you did")
    say(f"  fix: {fix}")
    _say_page(BUG_PAGE)
    if as_json:
        _say_json("bug", what, fix, ExitCode.BUG, BUG_PAGE)
    return ExitCode.BUG


def _write_debug_log(error: Exception, words: Sequence[str]) -> Path | None:
    """The path of a new file with the traceback, or ``None`` where none can be written."""
    import platform
    import traceback

    from platformdirs import user_log_path

    from llmtester import __version__

    system = f"Python {platform.python_version()}, {platform.platform()}"
    head = f"llmtester {__version__}, {system}\narguments: {words!r}\n\n"
    try:
        folder = user_log_path("llmtester", ensure_exists=True)
        log = folder / f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        log.write_text(head + "".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    return log


def _talk(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        return  # a closed pipe or terminal; a measurement of hours is worth more than its talk


def _say_error(what: str) -> None:
    _talk(f"{_RED_BOLD}error:{_RESET} " if _coloured() else "error: ")
    say(what)


def _say_json(code: str, message: str, hint: str, exit_code: int, page: str) -> None:
    import json

    record = {"code": code, "message": message, "hint": hint, "exit_code": int(exit_code), "page": page}
    _talk(json.dumps(record) + "\n")


def _code(error: LlmtesterError) -> str:
    """``ConfigurationError`` as ``configuration``, ``NothingToDo`` as ``nothing_to_do``; a server's failure by name."""
    failure = getattr(error, "failure", None)
    if failure is not None:
        return str(failure)
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()


def _coloured() -> bool:
    """Whether standard error is a terminal that shows colours and the user has not asked for none."""
    return (
        os.name == "posix"
        and sys.stderr.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def _exit_code(result: object) -> int:
    return int(result) if isinstance(result, int) else ExitCode.OK


def _reader_left() -> ExitCode:
    """Whoever read our output has enough (``| head``); Python must not complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.OK


def _never_fail_to_encode() -> None:
    """A name that the console's encoding lacks is shown escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
