"""Usable context: one number from whole runs on the fake engine, whose limits are scripted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtester.analysis import usable_context
from llmtester.analysis.costs import Hardware
from llmtester.analysis.lens import Lens
from llmtester.analysis.state import CellState, Growth, RunState, Trial
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate, Rating, Summary
from llmtester.domain.errors import RequestFailure
from llmtester.domain.records import Absent, Grade, Sample
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Target
from llmtester.profiles.long_context import LongContextOptions, LongContextProfile
from llmtester.runner import planner
from tests.worlds import LENS, World, sample

STEPS = (1024, 4096, 8192, 16384, 32768)
FAST = "prefill_tok_per_s=5000&decode_tok_per_s=40&skill=1"


def measured(script: str, memory_bytes: int = 10**12) -> tuple[Summary, World]:
    """A run of the long context profile in virtual time; a token of context takes a byte."""
    world = World()
    world.profiles = {"long_context": LongContextProfile(LongContextOptions(STEPS, trials=1))}
    (ref,) = world.engine.catalogue([script])
    wanted = planner.Wanted("fake", [ref], world.profiles, ServerSettings(), 1, Hardware(2, memory_bytes))
    state, _ = world.run(planner.plan(wanted, lambda _, settings: settings.context_tok))
    assert RunState(world.events).cells.keys() == state.cells.keys()
    return summarise(state, Lens({"long_context": LongContextProfile.headline}, LENS.bands)), world


def test_the_model_itself_is_the_limit() -> None:
    """All steps hold, so what the model was trained for ends it."""
    summary, _ = measured(f"m?{FAST}&context_tok=8192")
    (context,) = summary.usable_context
    assert isinstance(context.context_tok, Estimate)
    assert (context.context_tok.value, context.ended_by, context.rating) == (8192, "model", Rating.GOOD)
    assert context.sentence == ("It can work with about 6,300 words at once (some 13 pages); it was not made for more.")
    assert [step.limit for step in context.steps] == [None, None, None]
    assert all(isinstance(step.accuracy_ratio, Estimate) for step in context.steps)
    assert summary.targets[0].rating is Rating.GOOD


def test_reading_speed_ends_the_climb_before_the_next_step_is_paid_for() -> None:
    """At 100 tok/s, 8k take 81 s and 16k would take 163 s: the limit of two minutes ends it, unmeasured."""
    summary, world = measured("m?prefill_tok_per_s=100&decode_tok_per_s=40&skill=1")
    (context,) = summary.usable_context
    assert isinstance(context.context_tok, Estimate)
    assert (context.context_tok.value, context.ended_by) == (8192, "speed")
    assert [cell.status for cell in summary.cells] == ["done", "done", "done", "skipped", "skipped"]
    assert summary.cells[3].reason == (
        "it would be too slow: its first word is expected after 3 min; it took 81 s at 8,192 tokens, the limit is 2 min"
    )
    asked = {event.cell for event in world.events if hasattr(event, "sample")}
    assert asked == {cell.key for cell in summary.cells[:3]}


def test_slow_writing_ends_it_at_once() -> None:
    """At 4 tok/s nobody waits for the answer, however short the text; the longer ones are not tried."""
    summary, _ = measured("m?prefill_tok_per_s=5000&decode_tok_per_s=4&skill=1")
    (context,) = summary.usable_context
    assert isinstance(context.context_tok, Absent)
    assert (context.ended_by, context.rating) == ("speed", Rating.POOR)
    assert "4.0 tok/s" in context.sentence
    assert [cell.status for cell in summary.cells] == ["done"] + ["skipped"] * 4


def test_what_it_cannot_find_at_all_is_no_context() -> None:
    """A model that answers nothing right cannot read; after two steps the climb ends."""
    summary, _ = measured("m?prefill_tok_per_s=5000&decode_tok_per_s=40&skill=0")
    (context,) = summary.usable_context
    assert isinstance(context.context_tok, Absent)
    assert context.ended_by == "retrieval"
    assert [cell.status for cell in summary.cells] == ["done", "done", "skipped", "skipped", "skipped"]
    assert "0% of the questions" in summary.cells[2].reason


def test_memory_that_the_planner_refused_ends_it() -> None:
    """16k do not fit, so 8k is the answer and the reason has both numbers."""
    summary, _ = measured(f"m?{FAST}", memory_bytes=10_000)
    (context,) = summary.usable_context
    assert isinstance(context.context_tok, Estimate)
    assert (context.context_tok.value, context.ended_by) == (8192, "memory")
    assert "16.4 kB" in context.because
    assert "10.0 kB" in context.because
    assert [target.settings.context_tok for target in summary.targets] == [8192]


def test_questions_use_the_cache_and_raise_no_doubt() -> None:
    """Each text is read once: the eight questions cost only themselves, and nothing is called cached."""
    summary, world = measured(f"m?{FAST}&context_tok=4096")
    samples = [event.sample for event in world.events if hasattr(event, "sample") and "4k" in event.sample.request_id]
    assert len(samples) == 9
    assert samples[0].cached_tok == 0
    assert all(one.cached_tok > 0.95 * one.prompt_tok for one in samples[1:])
    assert "cached_prompt" not in {finding.code for finding in summary.findings}


def test_an_interrupted_run_says_so() -> None:
    """Nothing measured is no verdict."""
    world = World()
    profiles = {"long_context": LongContextProfile()}
    (ref,) = world.engine.catalogue([f"m?{FAST}"])
    state = world.start(
        planner.plan(planner.Wanted("fake", [ref], profiles, ServerSettings(), 1, Hardware(2, 10**12)), lambda *_: None)
    )
    (context,) = usable_context.find(state)
    assert (context.ended_by, context.rating) == ("unfinished", Rating.NOT_RATED)


def step(size_tok: int, ttft_s: float, *, accuracy: float = 1.0, swap_bytes: int = 0) -> CellState:
    """A step that was measured once, with eight questions."""
    load = Load(f"{size_tok // 1024}k", size_tok - 96, 96)
    target = Target("fake", ModelRef("m", "Q4", "m", 1, "m"), ServerSettings())
    grades = [Grade(float(index < accuracy * 8), "") for index in range(8)]
    asked = [sample(request_id=str(index), timed=False, grade=grade) for index, grade in enumerate(grades)]
    samples: tuple[Sample, ...] = (sample(ttft_ms=ttft_s * 1e3, request_id="t"), *asked)
    return CellState(Cell(target, "long_context", load), [Trial(0, 1, samples, Growth(0, swap_bytes))])


def test_the_predicted_wait_grows_with_the_square() -> None:
    """Times of 2 ms a token and 1 microsecond a pair of tokens are met exactly; one point gives a lower bound."""
    times = {size: (size - 96) * 0.002 + (size - 96) ** 2 * 1e-6 for size in (1024, 4096, 8192)}
    cells = [step(size, time_s) for size, time_s in times.items()]
    expected = 16_000 * 0.002 + 16_000**2 * 1e-6
    assert usable_context.predicted_wait_s(cells, 16_000) == pytest.approx(expected, rel=1e-6)
    assert usable_context.predicted_wait_s(cells[:1], 16_000) < expected
    assert usable_context.predicted_wait_s([], 16_000) is None


@pytest.mark.parametrize(
    ("steps", "limit"),
    [
        ([step(1024, 0.1), step(4096, 0.4)], None),
        ([step(1024, 0.1), step(4096, 0.4, accuracy=0.5)], None),
        ([step(1024, 0.1), step(4096, 0.4, accuracy=0.5), step(8192, 0.8, accuracy=0.5)], "retrieval"),
        ([step(1024, 0.1, accuracy=0.625), step(4096, 0.4, accuracy=0.625), step(8192, 0.8, accuracy=0.625)], None),
        ([step(1024, 0.1), step(4096, 0.4, swap_bytes=10**9)], "memory"),
        ([step(1024, 20.0), step(4096, 90.0)], "speed"),
    ],
)
def test_what_ends_the_climb(steps: list[CellState], limit: str | None) -> None:
    """Two losses of retrieval in a row, swap, or a wait beyond the limit; a weak model is held against itself."""
    found = usable_context.cannot_succeed(steps, Load("16k", 16_288, 96))
    assert (found[0] if found else None) == limit


def test_a_plan_that_ends_early_ends_it() -> None:
    """Where every text that was asked for is fine, the longest of them is the limit, and says only that."""
    summary, _ = measured(f"m?{FAST}&context_tok=131072")
    (context,) = summary.usable_context
    assert isinstance(context.context_tok, Estimate)
    assert (context.context_tok.value, context.ended_by, context.rating) == (32768, "longest", Rating.EXCELLENT)
    assert context.because == "32,768 tokens are the longest text that was asked for"


def test_a_budget_that_is_spent_is_no_failure_of_the_server() -> None:
    """Steps for which no time was left are unfinished: nothing is said against the model."""
    world = World()
    world.profiles = {"long_context": LongContextProfile(LongContextOptions(STEPS, trials=1))}
    (ref,) = world.engine.catalogue([f"m?{FAST}"])
    wanted = planner.Wanted("fake", [ref], world.profiles, ServerSettings(), 1, Hardware(2, 10**12))
    plan = planner.plan(wanted, lambda *_: None)
    for budget_s, ended_at in ((0.0, 1024), (1.0, 4096)):
        state, _ = world.run(replace(plan, budget_s=budget_s))
        (context,) = usable_context.find(state)
        assert context.ended_by == "unfinished"
        assert context.because.startswith(f"at {ended_at:,} tokens: the budget of")
    assert "longer texts were not measured yet" in context.sentence
    assert context.rating is Rating.POOR


@pytest.mark.parametrize(
    ("reason", "limit"),
    [
        ("it would be too slow: 9 min", "speed"),
        ("it would not fit into memory: at 4,096 tokens swap grew by 1 GB", "memory"),
        ("it would not be understood: at 4,096 tokens", "retrieval"),
        ("it would fail: at 4,096 tokens", "failure"),
        (
            "predicted, with 95 % confidence from 3 measured models: 20 GB of memory (19 to 21); here are 16",
            "memory",
        ),
        ("predicted, with 95 % confidence from 3 measured models: 1.2 tok/s (1.1 to 1.3); 2 would be", "speed"),
        ("m Q4, which is smaller, was too slow already: 1.0 tok/s", "speed"),
        ("the budget of 5 min is spent", "unfinished"),
        ("its tokenizer cannot be asked", "failure"),
    ],
)
def test_what_a_step_was_left_out_for_is_its_limit(reason: str, limit: str) -> None:
    """Each reason for which a run leaves a cell out says what ended the climb there."""
    state = measured_state(skipped={1: reason})
    (context,) = usable_context.find(state)
    assert context.ended_by == limit
    assert context.because == f"at 4,096 tokens: {reason}"


def measured_state(skipped: dict[int, str]) -> RunState:
    """Two steps of which the first is fine, and the others are as they are said to be."""
    cells = [step(1024, 0.1), step(4096, 0.4)]
    state = RunState()
    state.plan = Plan(tuple(one.cell for one in cells))
    for index, one in enumerate(cells):
        if index in skipped:
            one.skipped = skipped[index]
            one.trials.clear()
        state.cells[one.cell.key] = one
    return state


def test_a_wait_beyond_the_limit_is_measured_too() -> None:
    """A step that was tried and kept its reader waiting for three minutes is too slow, with both numbers."""
    state = measured_state({})
    slow = step(4096, 180.0)
    state.cells[slow.cell.key] = slow
    (context,) = usable_context.find(state)
    assert (context.ended_by, context.rating) == ("speed", Rating.POOR)
    assert context.because == "at 4,096 tokens: the first word came after 3 min, the limit is 2 min"
    assert context.sentence.startswith("It can work with about 790 words at once (some 2 pages)")


def test_a_request_that_failed_ends_the_climb() -> None:
    """A step that gave no answer is a failure with the words of the server; a longer one is not tried."""
    failed = step(4096, 0.4)
    broken = sample(request_id="t", failure=RequestFailure.CONTEXT_EXCEEDED, failure_detail="the prompt is too long")
    failed.trials[0].samples = (broken, *failed.trials[0].samples[1:])
    found = usable_context.cannot_succeed([step(1024, 0.1), failed], Load("16k", 16_288, 96))
    assert found == ("failure", "at 4,096 tokens a request failed: the prompt is too long")
    mute = step(4096, 0.4)
    mute.trials[0].samples = mute.trials[0].samples[1:]
    found = usable_context.cannot_succeed([step(1024, 0.1), mute], Load("16k", 16_288, 96))
    assert found is not None
    assert found[0] == "failure"
    assert "a request failed" not in found[1]


def test_a_wait_that_grows_faster_than_any_text_is_all_square() -> None:
    """Where the fitted cost of a token would be negative it is none, and the whole wait grows with the square.

    Of waits of c n**3 the square of least relative errors is c times the sum of 1/n over that of 1/n**2.
    """
    lengths = (928, 4000, 8096)
    cells = [step(length + 96, length**3 * 1e-11) for length in lengths]
    square = 1e-11 * sum(1 / length for length in lengths) / sum(1 / length**2 for length in lengths)
    for wanted in (10_000, 20_000):
        assert usable_context.predicted_wait_s(cells, wanted) == pytest.approx(square * wanted**2, rel=1e-6)
