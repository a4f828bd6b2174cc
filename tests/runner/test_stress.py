"""Work without a pause, in virtual time: how it ends, what it finds, and which configuration does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from llmtester.analysis import stress
from llmtester.analysis.lens import Lens
from llmtester.analysis.progress import Progress
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Absent, Estimate, Rating, StressResult
from llmtester.domain.events import RunEnded
from llmtester.domain.records import Reading
from llmtester.domain.work import Cell, Load, Plan, ServerSettings, Target
from llmtester.engines.fake import FakeEngine
from llmtester.profiles.batch import BatchProfile
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.profiles.stress import StressOptions, StressProfile
from tests.worlds import SHORT, World

HEADLINES = {"interactive": InteractiveProfile.headline, "stress": StressProfile.headline}
LENS = Lens(HEADLINES, BANDS)
SHORT_WORK = StressOptions(duration_s=600, prompt_tok=64, output_tok=128)


@dataclass
class ScriptedSensors:
    """Sensors that say what a function of the seconds since the start says."""

    clock: object
    say: Callable[[float], dict]

    def read(self, server_process_id: int | None) -> Reading:
        now_ns = self.clock.now_ns()
        usual = {"memory_available_bytes": 8 * 10**9, "swap_used_bytes": 0}
        return Reading(now_ns, **{**usual, **self.say(now_ns / 1e9)})


class HotWorld(World):
    """A world whose machine can get hot, run out of memory, or slow its clock down."""

    def __init__(self, say: Callable[[float], dict] = lambda at_s: {}, options: StressOptions = SHORT_WORK) -> None:
        super().__init__()
        self.say = say
        self.profiles["stress"] = StressProfile(options)

    def runner(self, state, emit=None):
        runner = super().runner(state, emit)
        runner._bench = replace(runner._bench, sensors=ScriptedSensors(self.clock, self.say))
        return runner


def plan(*scripts: str, options: StressOptions = SHORT_WORK, others: tuple[Load, ...] = ()) -> Plan:
    """Continuous work for every script, after the other loads of the interactive profile."""
    targets = [Target("fake", ref, ServerSettings()) for ref in FakeEngine().catalogue(scripts)]
    cells = []
    for target in targets:
        cells += [Cell(target, "interactive", load) for load in others]
        cells += [Cell(target, "stress", load) for load in StressProfile(options).loads(None)]
    return Plan(tuple(cells))


def worked(world: HotWorld, work: Plan) -> tuple[RunState, RunEnded, StressResult]:
    state, ended = world.run(work)
    (result,) = summarise(state, LENS).stress
    return state, ended, result


def test_half_an_hour_is_worked_in_minutes() -> None:
    """Trials of about a minute add up to the time that was asked for; a steady server is steady from the start."""
    options = StressOptions(prompt_tok=64, output_tok=256)
    world = HotWorld(options=options)
    state, ended, result = worked(world, plan("even?ttft_ms=300&decode_tok_per_s=25&noise=0.02", options=options))
    (cell,) = state.cells.values()
    assert ended.outcome == "finished"
    assert 1800 <= result.duration_s < 1900
    assert all(60 <= trial.wall_s < 75 for trial in cell.trials)
    assert len(cell.warmups[0].samples) == 1
    assert result.sustained_tok_per_s.value == pytest.approx(25, rel=0.02)
    assert result.drift_ratio.low < 0 < result.drift_ratio.high
    assert result.steady_from_s.value == 0
    assert result.ended == ""
    assert "kept its speed" in result.sentence
    assert len(result.speed_tok_per_s) > 150


def test_heat_is_told_apart_from_noise() -> None:
    """A server that loses 20 % over twelve minutes: lost for heat where clock and temperature say so, else unknown."""
    script = "hot?ttft_ms=10&decode_tok_per_s=40&drift_ratio=0.2&drift_requests=100&noise=0.01"

    def heating(at_s: float) -> dict:
        return {"temperature_c": min(88.0, 50 + at_s / 5), "frequency_mhz": max(2900.0, 3800 - 5 * at_s)}

    hot = worked(HotWorld(heating), plan(script))[2]
    assert hot.throttling == "seen"
    assert hot.sustained_ratio.high < 0.95
    assert hot.drift_ratio.high < -0.1
    assert "too hot" in hot.sentence
    blind = worked(HotWorld(), plan(script))[2]
    assert blind.throttling == "cannot tell"
    assert "does not show" in blind.sentence
    other = worked(HotWorld(lambda at_s: {"frequency_mhz": 3800.0, "throttled_cores_count": 0}), plan(script))[2]
    assert (other.throttling, other.throttling_because) == ("not seen", "the throttle counters did not move")


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (lambda at_s: {"temperature_c": 60 + at_s / 10}, "the processor reached 90 °C"),
        (lambda at_s: {"gpu_temperature_c": 60 + at_s / 10}, "the GPU reached 90 °C"),
        (lambda at_s: {"memory_available_bytes": int(8e9 - at_s * 26e6)}, "of memory were left"),
    ],
)
def test_danger_ends_the_work_and_keeps_what_was_measured(say, reason) -> None:
    """Heat and lack of memory end it within two seconds of the reading; the minutes before stay."""
    world = HotWorld(say)
    state, ended, result = worked(world, plan("even?ttft_ms=10&decode_tok_per_s=25"))
    (cell,) = state.cells.values()
    assert ended.outcome == "finished"
    assert reason in result.ended
    assert 280 < result.duration_s < 305
    assert len(cell.trials) == 5
    assert isinstance(result.sustained_tok_per_s, Estimate)
    summary = summarise(state, LENS).cells[0]
    assert (summary.status, summary.rating) == ("failed", Rating.FAILED)
    assert summary.reason == result.ended


@pytest.mark.parametrize(
    ("fail", "reason"), [("crash_after:40", "the server died"), ("hang_after:40", "the server stopped answering")]
)
def test_a_server_that_is_lost_ends_the_work(fail: str, reason: str) -> None:
    """It is not started again, and what it had done counts."""
    state, _, result = worked(HotWorld(), plan(f"even?ttft_ms=10&decode_tok_per_s=25&fail={fail}"))
    assert reason in result.ended
    assert 150 < result.duration_s < 600
    assert isinstance(result.sustained_tok_per_s, Estimate)
    assert state.targets[next(iter(state.targets))].launch == 1


def test_a_leak_has_a_slope_and_a_clean_server_has_none() -> None:
    """Two megabytes a minute are found within 5 %; memory that stands still has a slope of zero."""
    leaking = worked(
        HotWorld(lambda at_s: {"server_anonymous_bytes": int(1e9 + at_s * 2e6 / 60), "server_file_bytes": 0}),
        plan("even?ttft_ms=10&decode_tok_per_s=25"),
    )[2]
    assert leaking.growth_bytes_per_hour.value == pytest.approx(120e6, rel=0.05)
    assert leaking.growth_bytes_per_hour.low > 0
    clean = worked(HotWorld(lambda at_s: {"server_anonymous_bytes": 10**9}), plan("even?decode_tok_per_s=25"))[2]
    assert clean.growth_bytes_per_hour.value == 0
    assert isinstance(worked(HotWorld(), plan("even?decode_tok_per_s=25"))[2].growth_bytes_per_hour, Absent)


def test_the_next_to_last_of_those_that_passed_works() -> None:
    """One too slow and one that does not load do not count; of the three others the middle one by size is chosen."""
    scripts = [
        "small?ttft_ms=10&decode_tok_per_s=90&size_mb=100:Q4_K_M",
        "huge?ttft_ms=10&decode_tok_per_s=4&size_mb=9000:Q4_K_M",
        "large?ttft_ms=10&decode_tok_per_s=30&size_mb=900:Q4_K_M",
        "middle?ttft_ms=10&decode_tok_per_s=50&size_mb=500:Q4_K_M",
        "gone?fail=load&size_mb=700:Q4_K_M",
    ]
    world = HotWorld()
    state, ended = world.run(plan(*scripts, others=(SHORT,)))
    assert ended.outcome == "finished"
    worked_on = [cell for cell in state.cells.values() if cell.cell.profile == "stress" and cell.trials]
    assert [cell.cell.target.model.name for cell in worked_on] == ["middle"]
    left = [c for c in state.cells.values() if c.cell.profile == "stress" and c not in worked_on]
    assert all((c.skipped and "middle" in c.skipped) or state.target_of(c.cell.key).load_failure for c in left)
    assert summarise(state, LENS).stress[0].target == worked_on[0].cell.target.key


def test_without_other_results_all_count_and_one_that_does_not_load_is_replaced() -> None:
    """The next to last of three does not start, so of the two that are left the smaller one works."""
    scripts = [
        "small?decode_tok_per_s=90&size_mb=100:Q4_K_M",
        "middle?fail=load&size_mb=500:Q4_K_M",
        "large?decode_tok_per_s=30&size_mb=900:Q4_K_M",
    ]
    state, ended = HotWorld().run(plan(*scripts))
    assert ended.outcome == "finished"
    assert [c.cell.target.model.name for c in state.cells.values() if c.trials] == ["small"]


def test_nobody_passed_nobody_works() -> None:
    """Where every model is poor, continuous work is left out with the reason, and the run ends."""
    state, ended = HotWorld().run(plan("slow?ttft_ms=10&decode_tok_per_s=4:Q4_K_M", others=(SHORT,)))
    assert ended.outcome == "finished"
    (cell,) = [cell for cell in state.cells.values() if cell.cell.profile == "stress"]
    assert "no configuration passed" in cell.skipped


def test_wrong_answers_do_not_spare_the_machine() -> None:
    """Where every model is fast and none reads its documents right, the next to last by size works all the same."""
    documents = Load("1-at-once", prompt_tok=64, output_tok=16, requests_per_trial=2, min_trials=2, max_trials=2)
    scripts = [
        f"{name}?ttft_ms=10&decode_tok_per_s=60&size_mb={mb}&skill=0:Q4_K_M" for name, mb in (("a", 100), ("b", 900))
    ]
    work = plan(*scripts)
    batch = tuple(Cell(target, "batch", documents) for target in work.targets)
    world = HotWorld()
    world.profiles["batch"] = BatchProfile()
    lens = Lens({**HEADLINES, "batch": BatchProfile.headline}, BANDS)
    state, ended = world.run(replace(work, cells=(*batch, *work.cells)))
    assert ended.outcome == "finished"
    assert {cell.rating for cell in summarise(state, lens).cells if cell.profile == "batch"} == {Rating.POOR}
    worked_on = [cell for cell in state.cells.values() if cell.cell.profile == "stress" and cell.trials]
    assert [cell.cell.target.model.name for cell in worked_on] == ["a"]


def test_a_resumed_run_chooses_alike_and_goes_on() -> None:
    """Stopped in the middle of the work, it goes on with the same configuration up to the same time."""
    scripts = ["a?decode_tok_per_s=90&size_mb=100:Q4_K_M", "b?decode_tok_per_s=30&size_mb=900:Q4_K_M"]
    world = HotWorld()
    state = world.start(plan(*scripts, others=(SHORT,)))
    runner = world.runner(state)

    def emit(event) -> None:
        world.events.append(event)
        if sum(len(c.trials) for c in state.cells.values() if c.cell.profile == "stress") >= 3:
            runner.stop("enough for now")

    runner._store = emit
    assert asyncio.run(runner.run()).outcome == "interrupted"
    before = {key: len(cell.trials) for key, cell in state.cells.items() if cell.cell.profile == "stress"}
    again = world.resume()
    assert asyncio.run(world.runner(again).run()).outcome == "finished"
    (cell,) = [cell for cell in again.cells.values() if cell.cell.profile == "stress" and cell.trials]
    assert before[cell.cell.key] >= 3
    assert cell.cell.target.model.name == "a"
    assert 600 <= stress.result(cell).duration_s < 700
    assert Progress(again, LENS).status(cell).word == "done"
