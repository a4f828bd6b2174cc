"""Wrong use, in a table of more than 150: each ends in one message with a fix, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmtester.cli.app import app
from llmtester.cli.console import guarded
from llmtester.domain.events import RunEnded
from llmtester.store import journal, runs
from tests.cli.misuses import MISUSES

pytestmark = pytest.mark.misuse


BEGINS_A_SENTENCE = re.compile(r"^error: (?!Ollama |GGUF )[A-Z][a-z]* ", re.MULTILINE)
"""What follows ``error:`` begins with a small letter, unless it begins with a name."""


def written(home: Path) -> dict[str, str]:
    """Every file of a person and of a run, by content; caches, logs and locks, which may always be deleted, aside."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and ".cache" not in path.parts and path.suffix not in {".lock", ".log"}
    }


def test_there_are_at_least_150_and_each_is_another() -> None:
    """The promise is a number; two rows that type the same in the same state would be one case counted twice."""
    assert len(MISUSES) >= 150
    seen = {(case.words, case.environment, id(case.prepare)) for case in MISUSES.values()}
    assert len(seen) >= 150


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_gives_one_message_with_its_fix(
    home: Path, case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented code, one error with a fix and its page, no traceback, nothing on standard output or on disk."""
    misuse = MISUSES[case]
    misuse.prepare(home)
    monkeypatch.setenv("PATH", "/nonexistent")
    for name, value in misuse.environment:
        monkeypatch.setenv(name, value.replace("HOME", str(home)))
    capsys.readouterr()
    before = written(home)
    code = guarded(app, misuse.words)
    out, err = capsys.readouterr()
    assert (code, out) == (misuse.code, ""), err
    assert [line.partition(":")[0] for line in err.splitlines()].count("error") == 1, err
    assert err.count("\n  fix: ") == 1, err
    assert err.count("\n  see: llmtester docs ") == 1, err
    assert misuse.says in err, err
    assert not BEGINS_A_SENTENCE.search(err), err
    assert "Traceback" not in err
    assert not {"\x1b", "\x07"} & set(err)
    assert written(home) == before


STAGES = ("run_started", "target_ready", "sample_taken", "trial_ended")
"""Kinds of journal records; the interrupt comes as soon as one of the kind is on disk."""


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("stage", STAGES)
def test_interrupted_at_each_stage(home: Path, stage: str) -> None:
    """Ctrl-C anywhere in a run: 130, the way to go on, no traceback, a whole journal and no half-written file."""
    slow = "slow?load_ms=300&ttft_ms=300&decode_tok_per_s=400"
    words = ["run", "--engine", "fake", "--models", slow, "--display", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "llmtester", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wanted = f'"kind":"{stage}"'
    until_s = time.monotonic() + 30
    while not any(wanted in path.read_text(errors="replace") for path in home.glob("llmtester-runs/*/journal.jsonl")):
        assert time.monotonic() < until_s, f"no {stage} within 30 s"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "llmtester run --resume" in err
    assert "Traceback" not in err
    (folder,) = runs.all_runs(home / "llmtester-runs")
    recorded = journal.read(folder.journal)
    assert recorded.damage is None
    assert isinstance(recorded.events[-1], RunEnded) or stage == "run_started"
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".") or path.suffix == ".new"]
    for results in folder.path.glob("*_results.json"):
        json.loads(results.read_text())


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
def test_interrupted_before_it_began(home: Path) -> None:
    """Ctrl-C while Python still imports: 130 and nothing on disk."""
    code = "import os, signal, sys; sys.argv[1:] = ['run']; from llmtester.__main__ import main\n"
    code += "class Early:\n    def find_spec(self, name, path=None, target=None):\n"
    code += "        name == 'llmtester.cli.app' and os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.meta_path.insert(0, Early()); main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert list(home.iterdir()) == []
