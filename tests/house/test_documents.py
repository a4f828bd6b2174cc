"""The documents, as a newcomer follows them: every command is run or is one that exists, every file is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer

from llmtester.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
MARKS = {"runs", "illustrative", "main command", "test command"}
"""``runs``: executed here. ``illustrative`` is followed by why not, and who does.
The main and the test command are executed by CI and ``benchmarks.first_light``."""


@dataclass(frozen=True, slots=True)
class Block:
    page: str
    mark: str
    why: str
    script: str


def blocks() -> Iterator[Block]:
    """Every block of shell commands in the documents."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"(?:<!-- ([a-z ]+)(?:: ([^>]+))? -->\n)?```sh\n(.*?)```", text, re.DOTALL):
            yield Block(page.relative_to(ROOT).as_posix(), found[1] or "", found[2] or "", found[3])


BLOCKS = list(blocks())


def test_every_block_says_whether_it_runs() -> None:
    """Nobody can add commands that nothing looks at."""
    assert [f"{block.page}: {block.script}" for block in BLOCKS if block.mark not in MARKS] == []
    assert [block.script for block in BLOCKS if block.mark == "illustrative" and not block.why] == []
    assert sum(block.mark == "runs" for block in BLOCKS) >= 4


def test_the_newcomers_walk(tmp_path: Path) -> None:
    """In an empty home with an empty environment, the commands that run do, page by page and in order."""
    tools = tmp_path / "tools"
    tools.mkdir()
    command = tools / "llmtester"
    path = os.pathsep.join(sys.path)
    command.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(path)} exec {sys.executable} -m llmtester "$@"\n')
    command.chmod(0o700)
    home = tmp_path / "newcomer"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": f"{tools}:/usr/bin:/bin"}
    walked = [block for block in BLOCKS if block.mark == "runs"]
    for block in walked:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.script],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        ready = done.returncode == 0 or ("doctor" in block.script and done.returncode == 6)
        assert ready, f"{block.page}: {block.script}{done.stderr}"
        assert "Traceback" not in done.stderr
    assert list(home.glob("llmtester-runs/*/*_summary.md"))
    assert (home / "llmtester.yaml").is_file()


def lines() -> Iterator[tuple[str, str]]:
    """Page and command of every ``llmtester`` line in a block of shell or text."""
    for page in PAGES:
        for found in re.finditer(r"```(?:sh|text)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in found[1].splitlines():
                start = re.search(r"(?:^|\s)(?:\S*/)?llmtester (.*)", line)
                if start and not line.lstrip().startswith(("#", "Common")):
                    yield page.relative_to(ROOT).as_posix(), start[1]


def parsed(words: list[str]) -> Any:
    """The deepest command that ``words`` name, with its flags understood; nothing is executed."""
    command: Any = typer.main.get_group(app)
    context = command.make_context("llmtester", list(words), resilient_parsing=False)
    while hasattr(command, "list_commands"):
        rest = [*context._protected_args, *context.args]
        name, command, arguments = command.resolve_command(context, rest)
        context = command.make_context(name, arguments, parent=context)
    return command


@pytest.mark.parametrize(("page", "line"), sorted(set(lines())))
def test_every_documented_command_exists(page: str, line: str) -> None:
    """Name, flags and number of arguments are right; the explanation behind two spaces is not part of it."""
    words = shlex.split(re.split(r" {2,}|\s#", line)[0], posix=True)
    assert parsed(words) is not None, page


def test_every_documented_file_exists() -> None:
    """Links to files of the project, and files that are named as being here."""
    missing: list[str] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text)
        named = re.findall(r"`((?:docs|examples|tests|benchmarks|src)/[\w./-]+)`", text)
        wanted = [*(page.parent / link for link in links), *(ROOT / name for name in named)]
        missing += [f"{page.name}: {path}" for path in wanted if not path.exists()]
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    """A page that nobody can find is not written."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert set(re.findall(r": ([\w-]+\.md)", navigation)) == pages


def test_the_recording_is_a_picture_of_our_own() -> None:
    """``docs/recording.svg`` is well-formed, shows the commands and the verdict, and asks nobody for anything."""
    text = (ROOT / "docs" / "recording.svg").read_text(encoding="utf-8")
    shown = "".join(ElementTree.fromstring(text).itertext()).replace("\xa0", " ")
    assert "$ llmtester run --engine fake" in shown
    assert "Use small Q4_K_M for chat" in shown
    assert set(re.findall(r"https?://[^\"' )]+", text)) == {"http://www.w3.org/2000/svg"}
