"""What goes wrong while a run goes on ends in the right event, and the rest goes on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Rating
from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.events import RunResumed, TargetFailed, TrialDiscarded, TrialEnded
from llmtester.domain.ports import Conditions, Session
from llmtester.domain.work import Target
from llmtester.store import journal, runs
from tests.worlds import LENS, SHORT, World, fake_plan


class Restless(World):
    """A world whose machine falls asleep, and is unplugged, while a certain trial runs."""

    def __init__(self, changes: dict[int, Conditions]) -> None:
        super().__init__()
        self._changes = changes
        self._looks = 0
        self._now = Conditions(power_source="mains")

    def conditions(self) -> Conditions:
        self._looks += 1
        self._now = self._changes.get(self._looks, self._now)
        return self._now


ASLEEP = Conditions(asleep_ns=90 * 10**9, power_source="mains")
UNPLUGGED = Conditions(asleep_ns=90 * 10**9, power_source="battery")


def test_a_suspended_or_unplugged_machine_spoils_one_trial_each() -> None:
    """The trial under way does not count and is measured again; the reasons say what happened."""
    world = Restless({4: ASLEEP, 8: UNPLUGGED})
    state, ended = world.run(fake_plan("a?realtime=0"))
    spoiled = [event.reason for event in world.events if isinstance(event, TrialDiscarded)]
    assert spoiled == ["the machine was suspended for 90 s", "the power source changed from mains to battery"]
    (cell,) = summarise(state, LENS).cells
    assert (ended.outcome, cell.status, cell.trials_count) == ("finished", "done", 5)
    numbers = [event.trial for event in world.events if isinstance(event, TrialEnded) and not event.warmup]
    assert numbers == [0, 1, 2, 3, 4]


class Removed(World):
    """A world in which one model's file is deleted after its first server start."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._opened = 0

    @asynccontextmanager
    async def open_target(self, target: Target) -> AsyncIterator[Session]:
        if target.model.name == self._name:
            self._opened += 1
            if self._opened > 1:
                raise EngineError(EngineFailure.CORRUPT_FILE, "the model file is gone", fix="fetch it again")
        async with super().open_target(target) as session:
            yield session


def test_a_model_file_that_is_removed_fails_its_target_only() -> None:
    """Its next start fails with the reason and the fix; what was measured is kept, and the others are measured."""
    world = Removed("gone")
    plan = replace(fake_plan("gone?noise=0.03&realtime=0", "here?noise=0.03&realtime=0"), visit_trials=2)
    state, ended = world.run(plan)
    gone, here = summarise(state, LENS).cells
    failures = [event for event in world.events if isinstance(event, TargetFailed)]
    assert ended.outcome == "finished"
    assert [(failure.failure, failure.fix) for failure in failures] == [(EngineFailure.CORRUPT_FILE, "fetch it again")]
    assert (gone.status, gone.trials_count) == ("failed", 2)
    assert here.status == "done"


def test_what_was_measured_well_outlives_its_server() -> None:
    """With as many trials as its load asks for, a cell stands when its server does not start again, with a doubt."""
    world = Removed("gone")
    plan = replace(
        fake_plan("gone?noise=0.2&realtime=0", "here?noise=0.2&realtime=0", seed=4), visit_trials=SHORT.min_trials
    )
    state, ended = world.run(plan)
    gone, here = summarise(state, LENS).cells
    assert ended.outcome == "finished"
    assert (gone.status, gone.trials_count) == ("done", SHORT.min_trials)
    assert gone.reason == "5 trials, then its server did not start again: the model file is gone"
    assert "lost_server" in {finding.code for finding in gone.findings}
    assert gone.rating not in {Rating.FAILED, Rating.NOT_RATED}
    assert "lost_server" not in {finding.code for finding in here.findings}


def test_the_budget_ends_a_run_with_evidence() -> None:
    """When the time is over, what was begun keeps its trials and what was not is skipped with the reason."""
    plan = replace(fake_plan("a?decode_tok_per_s=10&realtime=0", "b?realtime=0"), budget_s=5.0)
    state, ended = World().run(plan)
    first, second = summarise(state, LENS).cells
    assert ended.outcome == "finished"
    assert first.status == "done"
    assert "the budget of 5 s is spent" in first.reason
    assert (second.status, second.reason) == ("skipped", "the budget of 5 s is spent")


def test_models_are_added_to_a_finished_run() -> None:
    """A resume that brings cells along measures them and nothing else again."""
    world = World()
    world.run(fake_plan("a?realtime=0"))
    before = list(world.events)
    more = fake_plan("b?realtime=0").cells
    world.events.append(RunResumed(world.clock.now_ns(), world.clock.instant(), before[0].machine, "0", more))  # type: ignore[union-attr]  # the first event starts the run
    state = RunState(world.events)
    assert asyncio.run(world.runner(state).run()).outcome == "finished"
    assert [cell.status for cell in summarise(state, LENS).cells] == ["done", "done"]
    again = [event for event in world.events[len(before) :] if isinstance(event, TrialEnded)]
    assert {event.cell for event in again} == {more[0].key}


@pytest.mark.untraced
@pytest.mark.skipif(os.name != "posix", reason="RLIMIT_FSIZE is a POSIX limit")
def test_a_disk_that_fills_up_stops_the_run_and_it_goes_on_later(home: Path) -> None:
    """The run ends with what to do, its journal holds whole lines only, and a resume finishes it."""
    arguments = ["--engine", "fake", "--models", "a?ttft_ms=1&decode_tok_per_s=4000&load_ms=1"]
    tight = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
        "from llmtester.cli.app import main; sys.exit(main())"
    )
    common = ["--display", "none", "--output-dir", "runs"]
    stopped = subprocess.run(
        [sys.executable, "-c", tight, "run", *arguments, *common], capture_output=True, text=True, check=False
    )
    assert stopped.returncode == 6, stopped.stderr
    assert "--resume" in stopped.stderr
    (folder,) = runs.all_runs(home / "runs")
    kept = journal.read(folder.journal)
    assert kept.damage is None
    command = [sys.executable, "-m", "llmtester", "run", "--resume", *common]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert journal.read(folder.journal).events[: len(kept.events)] == kept.events
