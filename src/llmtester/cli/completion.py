"""Completion of values in a shell: which argument offers what, and an answer that can neither fail nor speak.

A shell runs the program for each press of the key with ``_LLMTESTER_COMPLETE`` set and evaluates or shows what it
prints, in the middle of a line that somebody is typing. So an error is nothing to offer, a slow disk is cut off, and a
name that the shell would read as more than a name is left out: zsh evaluates the answer, and names of models are
untrusted.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

import typer

from llmtester.domain.errors import ExitCode, LlmtesterError

VARIABLE = "_LLMTESTER_COMPLETE"
LIMIT_S = 5.0
"""After so long a key has no answer, even where a folder lies on a network that does not answer either; beside a run on
two cores the imports alone take two seconds."""


@dataclass(frozen=True, slots=True)
class Completer:
    """``source`` is a function of ``api.completions``; ``listed`` values are separated by commas."""

    offers: str
    source: str
    listed: bool = False


COMPLETERS: Mapping[str, Completer] = {
    "--profiles": Completer("profiles, in a list too", "profiles", listed=True),
    "--profile": Completer("profiles", "profiles"),
    "--engine": Completer("engines", "engines"),
    "--models": Completer("models of this machine, in a list too", "models", listed=True),
    "--model": Completer("models of this machine", "models"),
    "--quants": Completer("quantizations of these models, in a list too", "local_quantizations", listed=True),
    "models pull --quants": Completer("quantizations, in a list too", "known_quantizations", listed=True),
    "models pull MODEL": Completer("names of the catalog, `starter` among them", "pullable"),
    "serve MODEL": Completer("models of this machine", "models"),
    "models NAME": Completer("models of this machine", "models"),
    "--format": Completer("formats, in a list too", "formats", listed=True),
    "--from": Completer("`latest` and run ids", "runs"),
    "RUN": Completer("`latest` and run ids", "runs"),
    "report RUN": Completer("`latest`, run ids and `list`", "runs_to_report"),
    "run --resume RUN": Completer("`latest` and run ids", "runs_to_resume"),
    "--set": Completer("names of settings, then values", "assignments"),
    "--log-level": Completer("levels", "log_levels"),
    "--display": Completer("ways to show", "displays"),
    "docs TOPIC": Completer("pages, then sections", "topics"),
}
"""Parameter, after its command where it differs there, to what is offered; ``docs/cli.md`` shows this table."""

_AS_IT_IS = re.compile(r"(?:[A-Za-z0-9_.,:@+/%=-]|(?<=\S) (?=\S))+")
"""What every shell takes for one word, single spaces aside; those are escaped for bash and quoted by the others."""


def completing(parameter: str) -> Callable[[typer.Context, str], list[str]]:
    """The ``autocompletion`` of a parameter by its row in ``COMPLETERS``."""
    completer = COMPLETERS[parameter]

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        before, comma, word = incomplete.rpartition(",") if completer.listed else ("", "", incomplete)
        chosen = set(before.split(","))
        names = _in_time(completer.source, word, ctx.params)
        fitting = dict.fromkeys(name for name in names if _AS_IT_IS.fullmatch(name) and name not in chosen)
        return [f"{before}{comma}{name}" for name in fitting if not name.startswith("-")]

    return complete


def _in_time(source: str, typed: str, given: Mapping[str, Any]) -> list[str]:
    """The names that the source gave within ``LIMIT_S``; it is left behind where it is slower."""
    from threading import Thread

    found: list[str] = []

    def ask() -> None:
        from llmtester.api import completions

        with suppress(LlmtesterError, OSError):
            for name in getattr(completions, source)(typed, given):
                found.append(name)  # noqa: PERF402 (what came before the limit counts)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LIMIT_S)
    return found.copy()


def answer(run: Callable[[], int]) -> int:
    """Print what ``run``, the command line, answers to the shell, and nothing else; its exit code means something to
    fish alone."""
    shell = os.environ[VARIABLE].rpartition("_")[2]
    cut = _whole_words(os.environ) if shell == "bash" else ""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(io.StringIO()):
        code = run()
    lines = said.getvalue().splitlines()
    if shell == "bash":
        lines = [line.removeprefix(cut).replace(" ", "\\ ") for line in lines]
    elif shell in {"powershell", "pwsh"}:
        lines = [line for line in lines if " " not in line.partition(":::")[0]]
    sys.stdout.write("".join(f"{line}\n" for line in lines if line))
    return code if shell == "fish" else ExitCode.OK


BREAKS = ":="
"""Where bash ends a word although the program sees none end (``COMP_WORDBREAKS``)."""


def _whole_words(environ: MutableMapping[str, str]) -> str:
    """Joins ``NAME : Q4`` and ``server.slots = 4`` in what bash tells; returns what it will not replace of the word.

    Typer takes the words from ``COMP_WORDS`` and would look for the value of another argument.
    """
    told = environ.get("COMP_WORDS", "")
    words = told.split("\n" if "\n" in told else " ")
    cursor = int(environ.get("COMP_CWORD", "0"))
    whole: list[str] = []
    kept = ""
    for number, word in enumerate(words[: cursor + 1]):
        if number > 1 and (_breaks(word) or _breaks(words[number - 1])):
            kept = whole[-1] + (word if _breaks(word) else "")
            whole[-1] += word
        else:
            kept = ""
            whole.append(word)
    environ["COMP_WORDS"], environ["COMP_CWORD"] = "\n".join(whole), str(len(whole) - 1)
    if kept.startswith("--"):  # what follows the first = is the whole value for Typer
        kept = kept.partition("=")[2]
    return kept.replace("\\ ", " ")


def _breaks(word: str) -> bool:
    return bool(word) and not word.strip(BREAKS)


def lines_of_reference() -> Iterator[str]:
    """The rows of ``COMPLETERS`` as a table in Markdown; those that offer the same together."""
    offers: dict[str, list[str]] = {}
    for parameter, completer in COMPLETERS.items():
        offers.setdefault(completer.offers, []).append(f"`{parameter}`")
    yield from ("| argument or flag | completes |", "|---|---|")
    yield from (f"| {_joined(parameters)} | {what} |" for what, parameters in offers.items())


def _joined(parameters: Iterable[str]) -> str:
    return ", ".join(parameters)
