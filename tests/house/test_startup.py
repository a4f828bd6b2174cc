"""What is not imported before it is needed."""

from __future__ import annotations

import os
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


def imported(*words: str, **environment: str) -> set[str]:
    """Top-level and dotted names of the modules that ``llmtester WORDS`` imports. Fails if the command fails."""
    command = [sys.executable, "-X", "importtime", "-m", "llmtester", *words]
    env = os.environ | environment
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
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


@pytest.mark.parametrize("words", ("run --profiles b", "run --engine l", "report --format h", "docs no", "run --mod"))
def test_completing_names_imports_nothing_heavy(words: str) -> None:
    """What is offered for a key without a look at files costs what the help of the command costs."""
    told = {"COMP_WORDS": f"llmtester {words}", "COMP_CWORD": str(len(words.split()))}
    names = imported(_LLMTESTER_COMPLETE="complete_bash", **told)
    assert {name.partition(".")[0] for name in names} & HEAVY <= TYPERS_OWN
    assert "llmtester.settings" not in names


def test_completing_models_needs_no_network_and_no_look_at_the_machine() -> None:
    """Names of local models need settings and headers of files, and nothing that talks, draws or measures."""
    told = {"COMP_WORDS": "llmtester run --models x", "COMP_CWORD": "3"}
    names = imported(_LLMTESTER_COMPLETE="complete_bash", **told)
    assert not {name.partition(".")[0] for name in names} & {"httpx", "huggingface_hub", "rich", "plotly", "numpy"}
    assert not {name for name in names if name.startswith(("llmtester.views", "llmtester.runner", "llmtester.host"))}


def test_every_name_of_the_api_is_where_its_table_says() -> None:
    """The names that are imported on demand are the public ones, and each is there."""
    from llmtester import api

    assert sorted(api._WHERE) == sorted(api.__all__)
    assert all(getattr(api, name) for name in api.__all__)
