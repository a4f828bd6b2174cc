"""Races: what can no longer change the advice ends early, and nothing else does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from benchmarks import matrix_race
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.lens import Lens
from llmtester.analysis.progress import Progress
from llmtester.analysis.racing import quotas
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import CellSummary
from llmtester.domain.errors import EngineFailure
from llmtester.domain.events import CellSkipped, Event, TargetFailed, TargetReady, TrialEnded, TrialStarted
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Target
from llmtester.engines.fake import FakeEngine
from tests.worlds import LENS, World

LOAD = Load("short", prompt_tok=64, output_tok=16, min_trials=5, max_trials=10)


def entrant(
    name: str, speed: float, *, billions: float = 3.0, bits: float = 4.9, more: str = "&noise=0.01"
) -> ModelRef:
    script = f"{name}?ttft_ms=50&decode_tok_per_s={speed}{more}&realtime=0"
    (ref,) = FakeEngine().catalogue([script])
    return replace(ref, parameters_count=int(billions * 1e9), bits_per_weight=4.9)


def race(*models: ModelRef, visit_trials: int = 2, lens: Lens = LENS) -> tuple[dict[str, CellSummary], World]:
    """The cells of a race by model name, and the world in which it was run."""
    cells = tuple(Cell(Target("fake", model, ServerSettings()), "interactive", LOAD) for model in models)
    world = World()
    state, ended = world.run(Plan(cells, visit_trials=visit_trials))
    assert ended.outcome == "finished"
    found = {cell.key.split("/")[1]: cell for cell in summarise(state, lens).cells}
    assert all(cell.status == "done" for cell in found.values())
    return found, world


def test_a_slower_one_of_equal_capability_is_dropped() -> None:
    """Two ways to run the same file: the slower ends early, with how much slower and how sure that is."""
    found, _ = race(entrant("slow", 40), entrant("fast", 60))
    verdict = found["slow"].race
    assert verdict is not None
    assert verdict.word == "dropped"
    assert found["slow"].trials_count < LOAD.min_trials
    assert verdict.ratio is not None
    assert verdict.ratio.value == pytest.approx(40 / 60, rel=0.03)
    assert "slower than fast" in found["slow"].reason
    assert found["fast"].trials_count >= LOAD.min_trials
    assert "too_few_trials" not in {finding.code for finding in found["slow"].findings}


def test_a_slower_but_larger_model_wins_and_is_measured_well() -> None:
    """The faster small one is settled early; the large one, which the advice names, is not."""
    found, _ = race(entrant("small", 90, billions=1), entrant("large", 22, billions=8))
    assert found["small"].race is not None
    assert found["small"].race.word == "settled"
    assert found["small"].trials_count < LOAD.min_trials
    assert found["large"].trials_count >= LOAD.min_trials


def test_what_is_too_slow_for_certain_is_settled() -> None:
    """Acceptable cannot win against good, however capable it is."""
    found, _ = race(entrant("whale", 10.5, billions=30), entrant("fish", 24, billions=3))
    assert found["whale"].race is not None
    assert found["whale"].race.word == "settled"
    assert found["fish"].trials_count >= LOAD.min_trials


def test_near_a_limit_the_word_is_worth_more_trials() -> None:
    """Just above the limit of good, and so the winner or not: measured on although it is not precise yet."""
    found, _ = race(entrant("edge", 15.1, billions=8, more="&noise=0.04"), entrant("sure", 24, billions=3))
    assert found["edge"].trials_count > LOAD.min_trials


def test_equals_are_a_tie() -> None:
    """One per cent apart after the least number of trials is called a tie."""
    found, _ = race(entrant("one", 60, more="&noise=0.03"), entrant("other", 60.6, more="&noise=0.03"))
    assert {cell.race.word for cell in found.values() if cell.race} <= {"tie"}
    assert all(cell.trials_count >= LOAD.min_trials for cell in found.values())


def test_survivors_are_started_twice_and_in_opposite_order() -> None:
    """There and back again: a, b, c, c, b, a."""
    _, world = race(*(entrant(name, 60, more="&noise=0.03") for name in "abc"), visit_trials=3)
    starts = [event.target.split("/")[1] for event in world.events if isinstance(event, TargetReady)]
    assert "".join(starts[:6]) == "abccba"


def test_one_alone_is_measured_until_its_word_is_certain() -> None:
    """Without rivals one visit is enough, and a noisy machine is no reason to measure on when the word is certain."""
    found, world = race(entrant("alone", 60, more="&noise=0.1"))
    assert sum(isinstance(event, TargetReady) for event in world.events) == 1
    assert found["alone"].trials_count == LOAD.min_trials
    assert found["alone"].reason == "5 trials: excellent for certain"


def test_one_alone_near_a_limit_is_measured_on() -> None:
    """Between good and excellent the word is open, and so is the cell."""
    found, _ = race(entrant("alone", 30.5, more="&noise=0.1"))
    assert found["alone"].trials_count == LOAD.max_trials


def test_a_word_on_a_limit_does_not_keep_a_race_going() -> None:
    """The larger model writes at the very limit between good and excellent: that it is one of both is the answer."""
    found, _ = race(entrant("large", 30, billions=8, more="&noise=0.03"), entrant("small", 60, more="&noise=0.03"))
    assert LOAD.min_trials <= found["large"].trials_count < LOAD.max_trials
    assert found["large"].reason.endswith("excellent or good, and more trials would hardly tell")


def test_who_ran_out_of_time_has_no_last_word() -> None:
    """A cell that ends with what it has was not measured enough: nobody says that more trials would hardly tell."""
    world = World()
    model = entrant("alone", 30.5, more="&noise=0.1")
    world.run(Plan((Cell(Target("fake", model, ServerSettings()), "interactive", LOAD),), visit_trials=2))
    state = RunState()
    for event in world.events:
        state.apply(event)
        (cell,) = state.cells.values()
        if len(cell.trials) == LOAD.min_trials:
            break
    state.apply(CellSkipped(event.at_ns, cell.cell.key, "the budget is spent"))
    progress = Progress(state, LENS)
    assert progress.verdict(cell) is None
    assert progress.status(cell).reason == "ended after 5 trials: the budget is spent"


def test_a_fixed_set_of_questions_is_asked_to_its_end() -> None:
    """Whoever is slower loses the race for speed, but the answers to the user's own prompts are wanted from all."""
    own = replace(LOAD, content="own prompts 1234")
    cells = tuple(
        Cell(Target("fake", entrant(name, speed), ServerSettings()), "interactive", own)
        for name, speed in (("slow", 20), ("fast", 60))
    )
    world = World()
    state, _ = world.run(Plan(cells, visit_trials=2))
    assert [cell.race for cell in summarise(state, LENS).cells] == [None, None]
    assert all(len(cell.trials) >= own.min_trials for cell in state.cells.values())


def test_who_was_beaten_by_one_that_fails_comes_back() -> None:
    """What one proved that then dies twice is not proven any more: the other is measured on."""
    models = (entrant("beaten", 40), entrant("mortal", 60))
    cells = tuple(Cell(Target("fake", model, ServerSettings()), "interactive", LOAD) for model in models)
    world = World()
    state = world.start(Plan(cells, visit_trials=3))

    def emit(event: Event) -> None:
        world.events.append(event)
        if isinstance(event, TrialEnded) and event.cell == cells[1].key and event.trial == 2:
            runner.stop("enough for this test")

    runner = world.runner(state, emit)
    asyncio.run(runner.run())
    progress = Progress(state, LENS)
    beaten = state.cells[cells[0].key]
    assert progress.status(beaten).reason.startswith("3 trials: dropped")
    for _ in range(2):
        state.apply(TrialStarted(0, cells[1].key, 3))
        state.apply(TargetFailed(0, cells[1].target.key, EngineFailure.EXITED, "it died"))
    assert progress.status(beaten).word == "partial"


@given(st.integers(1, 6), st.integers(1, 30))
def test_quotas_rise_to_the_most_and_end_there(visit: int, most: int) -> None:
    """Each visit adds as many as asked for, the last one less than twice that."""
    ends = quotas(visit, most)
    assert ends[-1] == most
    steps = [b - a for a, b in zip((0, *ends), ends, strict=False)]
    assert all(step == min(visit, most) for step in steps[:-1])
    assert 0 < steps[-1] < 2 * visit or len(ends) == 1


@pytest.mark.untraced
def test_a_few_simulated_matrices_agree_with_measuring_everything() -> None:
    """The small version of ``python -m benchmarks matrix_race``."""
    found = matrix_race.simulate(range(8))
    assert all(one["same"] for one in found)
    assert sum(one["trials_ratio"] for one in found) / len(found) < 0.5
