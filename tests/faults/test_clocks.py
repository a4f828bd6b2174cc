"""Clocks that jump: the wall clock is set, the machine sleeps. ``tests/runner/test_faults.py`` has suspended trials."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Summary
from llmtester.domain.events import Event
from llmtester.host.conditions import read_conditions
from llmtester.store import runs
from tests.worlds import LENS, World, fake_plan

pytestmark = pytest.mark.faults

YEAR_S = 365 * 86400


def summary_with_jump(jump_s: int) -> Summary:
    """A run that is stopped in the middle and goes on after the wall clock was set by ``jump_s``."""
    world = World()
    state = world.start(fake_plan("a?noise=0.2&realtime=0", "b?noise=0.2&realtime=0"))

    def emit(event: Event) -> None:
        world.events.append(event)
        if len(world.events) > 30:
            runner.stop("the test")

    runner = world.runner(state, emit)
    asyncio.run(runner.run())
    world.clock.start_unix_ns += jump_s * 10**9
    state = world.resume()
    assert asyncio.run(world.runner(state).run()).outcome == "finished"
    return summarise(state, LENS)


@pytest.mark.parametrize("jump_s", [-10 * YEAR_S, -3600, 3600, 10 * YEAR_S])
def test_a_wall_clock_that_is_set_changes_nothing(jump_s: int) -> None:
    """Durations, values and the start of a run are those of a run whose wall clock was left alone."""
    assert summary_with_jump(jump_s) == summary_with_jump(0)


@pytest.mark.parametrize("jump_s", [-YEAR_S, -3600, -1, 0])
def test_the_latest_run_is_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: int) -> None:
    """Ids stay in the order of the runs, though the clock was set back or both began in one second."""
    now_s = time.time()
    first = runs.create(tmp_path)
    first.journal.touch()
    assert runs._stamp(tmp_path, now_s + jump_s) > first.run_id[:15]
    second = runs.create(tmp_path)
    second.journal.touch()
    assert runs.find(tmp_path, "latest") == second


def test_a_folder_with_an_impossible_date_is_no_obstacle(tmp_path: Path) -> None:
    """A run folder that somebody named by hand does not keep new ones from being made."""
    (tmp_path / "99999999-999999-abcd").mkdir()
    (tmp_path / "99999999-999999-abcd" / "journal.jsonl").touch()
    assert runs.create(tmp_path).path.is_dir()


def test_a_suspension_is_seen() -> None:
    """In a time namespace whose boot lies 1000 s further back, as after a suspension of that length."""
    code = "from llmtester.host.conditions import read_conditions; print(read_conditions().asleep_ns)"
    if shutil.which("unshare") is None:
        pytest.skip("clocks of a test's own need Linux and util-linux")
    shifted = ["unshare", "--user", "--map-root-user", "--time", "--fork", "--boottime", "1000"]
    done = subprocess.run([*shifted, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip(f"this system allows no clocks of a test's own: {done.stderr.strip()}")
    here = read_conditions()
    there = replace(here, asleep_ns=int(done.stdout))
    assert there.spoiled_since(here) == "the machine was suspended for 1000 s"
