"""SIGKILL at random moments of real processes: nothing acknowledged is lost, nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from llmtester.domain.events import RunEnded, RunStarted, TrialEnded
from llmtester.store import journal, runs

pytestmark = [pytest.mark.faults, pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a POSIX signal")]

SHORT_KILLS, LONG_KILLS = 15, 300
SCRIPTS = (
    "a?ttft_ms=8&decode_tok_per_s=1500&noise=0.2&load_ms=30,b?ttft_ms=5&decode_tok_per_s=1200&noise=0.2&load_ms=30"
)
COMMON = ["--display", "none", "--output-dir", "runs"]
QUICK_LOAD = [
    "--set=profiles.interactive.short.output_tok=24",
    "--set=profiles.interactive.medium.output_tok=24",
    "--set=profiles.interactive.medium.prompt_tok=128",
    "--set=profiles.interactive.max_trials=8",
]


def llmtester(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "llmtester", *arguments, *COMMON]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def finished_trials(folder: runs.RunFolder) -> Counter[tuple[str, int, bool]]:
    events = journal.read(folder.journal).events
    return Counter((e.cell, e.trial, e.warmup) for e in events if isinstance(e, TrialEnded))


@pytest.mark.timeout(1800)
def test_kills_lose_and_repeat_nothing(
    home: Path, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """Killed again and again and resumed each time, a run ends with every trial exactly once and no process left."""
    wanted = LONG_KILLS if request.config.getoption("--long") else SHORT_KILLS
    record_property("faults", wanted)
    chance = random.Random(20261124)
    process = llmtester("run", "--engine", "fake", "--models", SCRIPTS, *QUICK_LOAD)
    kills = 0
    acknowledged: Counter[tuple[str, int, bool]] = Counter()
    while kills < wanted:
        try:
            process.wait(timeout=chance.uniform(0.05, 2.0))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        _, complaint = process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}, complaint.decode()
        folder = latest(home)
        if folder is not None:
            now = finished_trials(folder)
            record_property("lost", (acknowledged - now).total())
            assert not acknowledged - now, "a finished trial was lost"
            acknowledged = now
        if process.returncode == 0:
            assert_complete(folder)
            acknowledged = Counter()
        resumable = folder is not None and process.returncode != 0
        process = (
            llmtester("run", "--resume", folder.run_id)
            if resumable and folder
            else llmtester("run", "--engine", "fake", "--models", SCRIPTS, *QUICK_LOAD)
        )
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint.decode()
    folder = latest(home)
    assert_complete(folder)
    assert not left_behind(home)


def latest(home: Path) -> runs.RunFolder | None:
    found = runs.all_runs(home / "runs")
    return found[-1] if found else None


def assert_complete(folder: runs.RunFolder | None) -> None:
    assert folder is not None
    events = journal.read(folder.journal).events
    measured = Counter((e.cell, e.trial) for e in events if isinstance(e, TrialEnded) and not e.warmup)
    assert set(measured.values()) == {1}, "a finished trial was repeated"
    started = events[0]
    assert isinstance(started, RunStarted)
    assert {cell for cell, _ in measured} == {cell.key for cell in started.plan.cells}
    assert isinstance(events[-1], RunEnded)
    assert events[-1].outcome == "finished"
    assert len(list(folder.path.glob("*_results.json"))) == 1
    assert not list(folder.path.glob(".*_report*")), "a half-written report"


def left_behind(home: Path) -> list[str]:
    """Other processes that work in this test's home, given two seconds to leave."""
    until_s = time.monotonic() + 2
    while True:
        running = psutil.process_iter(["pid", "cwd", "cmdline"])
        mine = [str(p.info["cmdline"]) for p in running if p.info["cwd"] == str(home) and p.info["pid"] != os.getpid()]
        if not mine or time.monotonic() > until_s:
            return mine
        time.sleep(0.05)
