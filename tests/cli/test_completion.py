"""Completion of values, asked the way that a shell asks: through the environment of a process, and by a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from llmtester.api import completions
from llmtester.cli import completion
from llmtester.cli.app import app
from llmtester.cli.completion import COMPLETERS
from tests.house.test_commands import every_command
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors

RUNS = ("20261124-120000-1a2b", "20261125-120000-3c4d")


def shell(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``llmtester`` answers when the last of ``words`` is being typed in this shell."""
    line = " ".join(("llmtester", *words))
    told = {
        "bash": {"COMP_WORDS": "\n".join(("llmtester", *words)), "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        "powershell": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1]},
    }[name]
    return subprocess.run(
        [sys.executable, "-m", "llmtester"],
        env=os.environ | {"_LLMTESTER_COMPLETE": f"complete_{name}"} | told | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def offered(*words: str) -> list[str]:
    done = shell("bash", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def model(path: Path, name: str) -> None:
    """A small model file that calls itself ``name``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gguf_bytes(llama_metadata(name), llama_tensors()))


@pytest.fixture
def furnished(home: Path) -> Path:
    """A folder with settings, two runs and models."""
    (home / "llmtester.yaml").write_text("models:\n  folders: [m]\n")
    for run in RUNS:
        (home / "llmtester-runs" / run).mkdir(parents=True)
        (home / "llmtester-runs" / run / "journal.jsonl").touch()
    model(home / "m" / "a.gguf", "Tiny")
    model(home / "m" / "b.gguf", "Two Words")
    return home


@pytest.mark.parametrize(
    ("words", "wanted"),
    {
        ("run", "--profiles", "inter"): ["interactive"],
        ("run", "--profiles", "interactive,ba"): ["interactive,batch"],
        ("run", "--profiles", "=", "ba"): ["batch"],
        ("run", "--profiles", "batch,ba"): [],
        ("run", "--models", "T"): ["Tiny", "Two\\ Words"],
        ("run", "--models", "Two\\ W"): ["Two\\ Words"],
        ("run", "--models", "Tiny,Two"): ["Tiny,Two\\ Words"],
        ("run", "--models", "Tiny", ":"): ["Q8_0"],
        ("run", "--quants", ""): ["Q8_0"],
        ("run", "--engine", "llama"): ["llama-server"],
        ("run", "--engine", "aut"): ["auto"],
        ("run", "--display", ""): ["auto", "live", "plain", "none"],
        ("run", "--log-level", "w"): ["warning"],
        ("run", "--set", "server.cache"): ["server.cache_type_k=", "server.cache_type_v="],
        ("run", "--set", "server.slo"): ["server.slots=1"],
        ("run", "--set", "log_level", "=", "d"): ["debug"],
        ("run", "--set=run.quick", "=", ""): ["true", "false"],
        ("run", "--resume", ""): ["latest", *reversed(RUNS)],
        ("run", ""): [],
        ("report", "l"): ["latest", "list"],
        ("report", "--format", "html,m"): ["html,md"],
        ("report", "--runs", "none", ""): ["list"],
        ("watch", "20261125"): [RUNS[1]],
        ("compare", RUNS[0], ""): ["latest", *reversed(RUNS)],
        ("serve", "--from", "la"): ["latest"],
        ("serve", "--profile", "str"): ["stress"],
        ("serve", "Ti"): ["Tiny"],
        ("models", "info", "Ti"): ["Tiny"],
        ("models", "verify", "Ti"): ["Tiny"],
        ("models", "rm", "Ti"): ["Tiny"],
        ("models", "rm", "--folder", "none", "Ti"): [],
        ("models", "pull", "sta"): ["starter"],
        ("models", "pull", "starter", ":"): ["Q4_1"],
        ("models", "pull", "--quants", "Q8_0,Q6"): ["Q8_0,Q6_K"],
        ("quality", "reference", "export", "la"): ["latest"],
        ("quality", "reference", "export", "--model", "Ti"): ["Tiny"],
        ("docs", "trouble"): ["troubleshooting"],
        ("docs", "nothing-m"): ["nothing-matched"],
    }.items(),
    ids=str,
)
def test_bash_is_offered_what_is_there(furnished: Path, words: tuple[str, ...], wanted: list[str]) -> None:
    """Each kind of value is completed, in lists too, and where bash splits a word at ``:`` or ``=``."""
    assert offered(*words) == wanted


def test_every_row_of_the_table_is_used_and_has_its_source() -> None:
    """No row of the table is without a parameter, and each names a function of ``api.completions``."""
    root: Any = typer.main.get_group(app)
    rows = set()
    for words in every_command():
        command = root
        for word in words:
            command = command.get_command(typer.Context(command), word)
        for param in getattr(command, "params", []):
            kind = param.opts[-1] if param.param_type_name == "option" else param.metavar
            rows |= {kind, f"{' '.join(words)} {kind}", f"{words[0]} {kind}"}
    rows |= {"run --resume RUN"} if "run RUN" in rows else set()
    assert not COMPLETERS.keys() - rows
    assert all(callable(getattr(completions, completer.source)) for completer in COMPLETERS.values())


def test_other_shells_are_offered_the_same(furnished: Path) -> None:
    """zsh and fish get the same names in their own writing; PowerShell would not quote spaces and gets none."""
    assert shell("zsh", "run", "--profiles", "interactive,ba").stdout == "_arguments '*: :((\"interactive,batch\"))'\n"
    assert shell("zsh", "run", "--models", "Tw").stdout == "_arguments '*: :((\"Two Words\"))'\n"
    assert shell("fish", "run", "--models", "T").stdout.splitlines() == ["Tiny", "Two Words"]
    assert shell("powershell", "run", "--models", "T").stdout.rstrip() == "Tiny:::"


HOSTILE = (
    "$(touch evil)",
    "`touch evil`",
    "a\\$(touch evil)",
    "x'; touch evil; '",
    'x"; touch evil; "',
    "x\ntouch evil",
    "\x1b]52;c;ZXZpbA==\x07",
    "\u202elive",
    "-evil",
    "a;b",
    "a|b",
    "a&b",
    "a>evil",
    "a*b",
    "~root",
    "a!b",
)


@pytest.mark.parametrize("name", ("bash", "zsh", "fish", "powershell"))
def test_a_name_that_is_more_than_a_name_is_not_offered(home: Path, name: str) -> None:
    """Names of model files are untrusted, and shells evaluate or show what they are told."""
    (home / "llmtester.yaml").write_text("models:\n  folders: [m]\n")
    for number, evil in enumerate((*HOSTILE, "Good")):
        model(home / "m" / f"{number}.gguf", evil)
    for words in (("run", "--models", ""), ("models", "info", "")):
        done = shell(name, *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Good" in done.stdout
        assert "evil" not in done.stdout
        assert not set(done.stdout) & set("\x1b\x07\u202e$`;|&>~!")


@pytest.mark.parametrize(
    ("content", "environment"),
    {
        "server: [\n": {},
        "models:\n  catalog: none.yaml\n": {},
        "models:\n  folders: [/proc/none, /dev/null]\n": {},
        "": {"LLMTESTER_SERVER__SLOTS": "many"},
    }.items(),
    ids=str,
)
@pytest.mark.parametrize(
    "words", (("run", "--models", ""), ("models", "pull", ""), ("report", "20"), ("run", "--nosuch", ""))
)
def test_what_is_wrong_is_nothing_to_offer(
    home: Path, content: str, environment: dict[str, str], words: tuple[str, ...]
) -> None:
    """Broken settings, a missing catalog and unknown flags never write into the line that somebody types."""
    (home / "llmtester.yaml").write_text(content)
    done = shell("bash", *words, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "error" not in done.stdout


def test_a_folder_that_does_not_answer_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came within the limit is offered; the rest is not waited for."""
    import threading

    never = threading.Event()

    def slow(typed: str, given: object) -> Any:
        yield "first"
        never.wait()
        yield "late"

    monkeypatch.setattr(completions, "models", slow)
    monkeypatch.setattr(completion, "LIMIT_S", 0.05)
    assert completion.completing("serve MODEL")(typer.Context(typer.main.get_command(app)), "") == ["first"]
    never.set()


def test_headers_are_read_within_a_limit_and_remembered(furnished: Path) -> None:
    """A key that comes when there is no time left offers what an earlier look read."""
    late = -1.0
    manager = completions._manager({})
    assert manager.scan(until_s=late).models == ()
    assert len(manager.scan().models) == 2
    assert len(manager.scan(until_s=late).models) == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_real_bash_puts_it_into_the_line(furnished: Path) -> None:
    """The script of ``--show-completion`` works in bash, where a word is split at ``:`` and names hold spaces."""
    script = subprocess.run(
        [sys.executable, "-m", "llmtester", "--show-completion", "bash"],
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    program = furnished / "llmtester"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llmtester "$@"\n')
    program.chmod(0o755)
    typed = (
        ("llmtester", "run", "--models", "Tiny", ":", "Q"),
        ("llmtester", "run", "--models", "Tw"),
        ("llmtester", "report", ""),
    )
    lines = [script, f"PATH={furnished}:$PATH"]
    for words in typed:
        quoted = " ".join(f"'{word}'" for word in words)
        lines.append(f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _llmtester_completion llmtester")
        lines.append('printf "%s|" "${COMPREPLY[@]}"; echo')
    done = subprocess.run(["bash", "--norc", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["Q8_0|", "Two\\ Words|", f"latest|{RUNS[1]}|{RUNS[0]}|list|"]
