"""What is not imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.untraced  # the tracer imports sqlite3 and more into every process

HEAVY = {
    "asyncio",
    "httpx",
    "huggingface_hub",
    "jinja2",
    "numpy",
    "orjson",
    "plotly",
    "psutil",
    "pydantic",
    "rich",
    "sqlite3",
    "xllamacpp",
    "yaml",
}
TYPERS_OWN = {"pydantic"}
"""Typer 0.29 converts the parameters of the root command with pydantic as soon as a subcommand is named."""
COMMANDS = (["run"], ["report"], ["watch"], ["serve"], ["models"], ["models", "list"], ["config"], ["config", "show"])


def imported(*words: str) -> set[str]:
    """Top-level and dotted names of the modules that ``llmtester WORDS`` imports. Fails if the command fails."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmtester", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def heavy(*words: str) -> set[str]:
    return {name.partition(".")[0] for name in imported(*words)} & HEAVY


def test_help_imports_nothing_heavy() -> None:
    """``llmtester --help`` needs no network, terminal, chart or validation library."""
    assert heavy("--help") == set()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_of_commands_imports_nothing_heavy(words: list[str]) -> None:
    """Nor does the help of each command, except for what Typer itself needs."""
    assert heavy(*words, "--help") <= TYPERS_OWN


def test_the_version_is_answered_before_typer() -> None:
    """``--version`` needs one small module of ours."""
    ours = {name for name in imported("--version") if name.startswith("llmtester")}
    assert ours == {"llmtester"}
    assert "typer" not in imported("--version")


def test_the_package_itself_imports_nothing() -> None:
    """``import llmtester`` is free; its functions come when they are used."""
    code = "import sys, llmtester; print(*sorted(name for name in sys.modules if name.startswith('llmtester')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["llmtester"]
