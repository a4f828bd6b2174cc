"""The state: what belongs to no trial is not counted, whatever order events come in."""

from __future__ import annotations

from dataclasses import replace

from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.domain.events import RunStarted, SampleTaken, TargetFailed, TrialEnded, TrialStarted
from llmtester.domain.work import Cell, Load, Plan, ServerSettings, Target
from tests.worlds import LENS, World, fake_plan, model, sample


def test_a_late_answer_belongs_to_no_trial() -> None:
    """An answer after the server died, and the end of a trial that is not under way, change nothing."""
    world = World()
    state, _ = world.run(fake_plan("a?realtime=0"))
    (cell,) = state.cells.values()
    before = [(trial.number, trial.samples) for trial in cell.trials]
    key, last_ns = cell.cell.key, state.last_ns
    state.apply(SampleTaken(last_ns, key, 9, sample()))
    state.apply(TrialEnded(last_ns, key, 9))
    state.apply(TrialStarted(last_ns, key, 9))
    state.apply(TrialEnded(last_ns, key, 8))
    assert state.running is None
    state.apply(TrialEnded(last_ns, key, 9))
    assert [(trial.number, trial.samples) for trial in cell.trials] == before
    state.apply(TrialStarted(last_ns, key, 9))
    state.apply(TrialEnded(last_ns, key, 9))
    assert cell.trials[-1].samples == ()


def test_questions_that_were_never_sent_say_nothing_of_quality() -> None:
    """A trial without a request leaves a cell of the quality profile with its own words and out of the comparison."""
    load = Load("tasks", 64, 16, min_trials=1, max_trials=1, warmup_trials=0, content="questions")
    cell = Cell(Target("fake", model(), ServerSettings()), "quality", load)
    world = World()
    state = world.start(Plan((cell,)))
    for event in (TrialStarted(1, cell.key, 0), TrialEnded(2, cell.key, 0)):
        state.apply(event)
    summary = summarise(state, LENS)
    (said,) = summary.cells
    assert summary.quality == ()
    assert (said.status, said.samples_ok_count, said.trials_count) == ("done", 0, 1)
    assert said.rating_because != "it is the reference"


def test_a_server_that_failed_between_trials_is_a_failed_start() -> None:
    """A failure while no trial runs belongs to the target, one during a trial to its cell."""
    world = World()
    state, _ = world.run(fake_plan("bad?fail=oom&realtime=0", "mortal?fail=crash_after:2&realtime=0"))
    assert isinstance(world.events[0], RunStarted)
    failed = [event for event in world.events if isinstance(event, TargetFailed)]
    bad, mortal = state.cells.values()
    assert (bad.crashes, state.target_of(bad.cell.key).load_failure) == ([], failed[0])
    assert (mortal.crashes, state.target_of(mortal.cell.key).load_failure) == (failed[1:], None)
    again = RunState([replace(world.events[0], run_id="again"), *world.events[1:]])
    assert [len(cell.crashes) for cell in again.cells.values()] == [0, len(failed) - 1]
