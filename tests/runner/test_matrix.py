"""Whole runs on the fake engine in virtual time: exact numbers, faults, stops and resumes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import CellSummary, Estimate, Rating
from llmtester.domain.errors import EngineFailure, StoreError
from llmtester.domain.events import Event, SampleTaken, TargetFailed, TargetReady, TrialEnded, TrialStarted
from tests.worlds import LENS, SHORT, World, fake_plan


def only_cell(state: RunState) -> CellSummary:
    (summary,) = summarise(state, LENS).cells
    return summary


def test_scripted_times_come_out_exactly() -> None:
    """20 ms to the first token and 100 tok/s are what the summary says, to the digit."""
    state, ended = World().run(fake_plan("exact?ttft_ms=20&decode_tok_per_s=100&realtime=0"))
    measured = only_cell(state)
    assert ended.outcome == "finished"
    assert measured.status == "done"
    assert measured.metrics["ttft_ms"] == Estimate(20.0, 20.0, 20.0, 5)
    decode = measured.metrics["decode_tok_per_s"]
    assert isinstance(decode, Estimate)
    assert decode.value == pytest.approx(100.0, rel=1e-9)
    assert measured.rating is Rating.EXCELLENT


def test_trials_stop_when_precise_and_go_on_when_not() -> None:
    """A quiet model needs the fewest trials, a noisy one the most."""
    quiet, _ = World().run(fake_plan("quiet?decode_tok_per_s=100&realtime=0"))
    noisy, _ = World().run(fake_plan("noisy?decode_tok_per_s=100&noise=0.3&realtime=0"))
    assert only_cell(quiet).trials_count == SHORT.min_trials
    assert only_cell(noisy).trials_count == SHORT.max_trials


def test_every_start_is_warmed_up_and_prompts_are_never_repeated() -> None:
    """Each launch owes its own warm-up; its prompts differ from all others."""
    world = World()
    world.run(fake_plan("a?realtime=0", "b?realtime=0"))
    warm = [event.cell for event in world.events if isinstance(event, TrialEnded) and event.warmup]
    assert len(warm) == 2
    ids = Counter(event.sample.request_id for event in world.events if isinstance(event, SampleTaken))
    assert max(ids.values()) == 2  # the same request id once for each of the two models


def test_a_longer_prompt_warms_for_a_shorter_one() -> None:
    """Of three loads the first is warmed up and the one that asks more than it; the third finds its server warm."""
    loads = (SHORT, replace(SHORT, name="medium", prompt_tok=512), replace(SHORT, name="follow_up", prompt_tok=256))
    world = World()
    world.run(fake_plan("a?realtime=0", loads=loads))
    warm = [event.cell.rsplit("/")[-1] for event in world.events if isinstance(event, TrialEnded) and event.warmup]
    assert warm == ["short", "medium"]


def test_loads_of_a_target_take_turns() -> None:
    """Blocks interleave, so that drift meets both loads alike."""
    long = replace(SHORT, name="medium", prompt_tok=128)
    world = World()
    world.run(fake_plan("a?realtime=0", loads=(SHORT, long)))
    order = [event.cell.rsplit("/")[-1] for event in world.events if isinstance(event, TrialEnded) and not event.warmup]
    assert order[:4] == ["short", "medium", "short", "medium"]


def test_server_that_does_not_load_fails_its_cells_only() -> None:
    """One model out of memory, the other is measured."""
    state, ended = World().run(fake_plan("bad?fail=oom&realtime=0", "good?realtime=0"))
    bad, good = summarise(state, LENS).cells
    assert ended.outcome == "finished"
    assert (bad.status, bad.rating) == ("failed", Rating.FAILED)
    assert "oom" in bad.reason
    assert good.status == "done"


def test_server_that_dies_is_started_once_more() -> None:
    """Two deaths in one cell and the matrix goes on without it."""
    world = World()
    state, _ = world.run(fake_plan("mortal?fail=crash_after:3&realtime=0", "good?realtime=0"))
    mortal, good = summarise(state, LENS).cells
    deaths = [event for event in world.events if isinstance(event, TargetFailed)]
    starts = [event for event in world.events if isinstance(event, TargetReady) and "mortal" in event.target]
    assert [death.failure for death in deaths] == [EngineFailure.EXITED] * 2
    assert len(starts) == 2
    assert mortal.status == "failed"
    assert mortal.trials_count == 4  # two finished trials of each start are kept as evidence
    assert good.status == "done"


def test_hanging_server_ends_the_cell() -> None:
    """Requests that stall are samples; a cell without one answer is given up."""
    state, ended = World().run(fake_plan("hang?fail=hang_after:0&realtime=0"))
    measured = only_cell(state)
    assert ended.outcome == "finished"
    assert measured.status == "failed"
    assert measured.samples_failed_count == 2


def test_failed_request_is_a_sample() -> None:
    """One error event among good answers: counted, shown, and the rest is measured."""
    state, _ = World().run(fake_plan("once?fail=error_event:3&realtime=0"))
    measured = only_cell(state)
    assert measured.samples_failed_count == 1
    assert "failed_requests" in {finding.code for finding in measured.findings}


def test_hidden_cache_is_found() -> None:
    """A server that reuses prompts although told not to loses its TTFT and gets a finding."""
    state, _ = World().run(fake_plan("sly?cached=50&realtime=0"))
    measured = only_cell(state)
    assert "cached_prompt" in {finding.code for finding in measured.findings}
    assert measured.rating is Rating.NOT_RATED


def test_stop_finishes_the_request_and_says_interrupted() -> None:
    """A stop in the middle of a trial lets it end; nothing after it is started."""
    world = World()
    state = world.start(fake_plan("a?realtime=0", "b?realtime=0"))

    def emit(event: Event) -> None:
        world.events.append(event)
        if isinstance(event, SampleTaken) and event.trial == 1:
            runner.stop("SIGINT")

    runner = world.runner(state, emit)
    ended = asyncio.run(runner.run())
    assert (ended.outcome, ended.detail) == ("interrupted", "SIGINT")
    assert isinstance(world.events[-2], TrialEnded)
    assert only_trials(state) == [2, 0]


def only_trials(state: RunState) -> list[int]:
    return [len(cell.trials) for cell in state.cells.values()]


def test_cancelling_still_ends_in_order() -> None:
    """The second Ctrl-C cancels: the run says so and the trial under way is not counted."""
    world = World()
    state = world.start(fake_plan("a?realtime=0"))
    in_a_trial = asyncio.Event()

    def emit(event: Event) -> None:
        world.events.append(event)
        if isinstance(event, TrialStarted):
            in_a_trial.set()

    async def scenario() -> None:
        task = asyncio.create_task(world.runner(state, emit).run())
        await in_a_trial.wait()
        task.cancel()
        ended = await task
        assert ended.outcome == "interrupted"

    asyncio.run(scenario())
    assert only_trials(state) == [0]


def test_store_that_fails_ends_the_run() -> None:
    """When the disk is full the run stops with that error, also from inside a trial."""
    world = World()
    state = world.start(fake_plan("a?realtime=0"))

    def emit(event: Event) -> None:
        if isinstance(event, SampleTaken):
            raise StoreError("disk full")

    with pytest.raises(StoreError, match="disk full"):
        asyncio.run(world.runner(state, emit).run())


class Killed(Exception):
    """The process dies at this event."""


@pytest.mark.untraced
@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_killed_and_resumed_equals_undisturbed(kills: list[int]) -> None:
    """Whatever the moments of death, the resumed run ends with the trials and numbers of the undisturbed one."""
    plan = fake_plan("a?noise=0.05&realtime=0", "b?ttft_ms=5&noise=0.02&realtime=0")
    undisturbed, _ = World().run(plan)
    world = World()
    state = world.start(plan)
    for moment in kills:
        left = moment

        def emit(event: Event) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            world.events.append(event)

        try:
            asyncio.run(world.runner(state, emit).run())
        except Killed:
            pass
        except BaseExceptionGroup as group:
            assert group.subgroup(Killed)
        state = world.resume()
    asyncio.run(world.runner(state).run())
    ended = Counter((e.cell, e.trial) for e in world.events if isinstance(e, TrialEnded) and not e.warmup)
    assert set(ended.values()) == {1}
    expected, found = summarise(undisturbed, LENS), summarise(RunState(world.events), LENS)
    for one, other in zip(expected.cells, found.cells, strict=True):
        assert (one.key, one.trials_count, one.status) == (other.key, other.trials_count, other.status)
        for name in ("ttft_ms", "decode_tok_per_s"):
            assert close(one.metrics[name], other.metrics[name])


def close(one: object, other: object) -> bool:
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    return one.value == pytest.approx(other.value, rel=1e-6)
