"""The forecast: begins as a guess, learns from what was measured, and is scored against what came."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis import kernels
from llmtester.analysis.forecast import Forecast, Seen, learned, rearranged_bytes, scores
from llmtester.analysis.line import Line
from llmtester.analysis.progress import Progress
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate
from llmtester.analysis.time_left import TimeLeft
from llmtester.analysis.token_time import Expected, TokenTime
from llmtester.domain.events import TrialEnded
from llmtester.domain.records import KernelTime
from llmtester.domain.work import Load, ModelRef, ServerSettings, Target, WeightsRead
from tests.worlds import LENS, World, fake_plan


@given(st.floats(-2, 2), st.floats(0.6, 1.4), st.lists(st.floats(-2, 2), min_size=8, max_size=20, unique=True))
def test_many_points_are_least_squares(height: float, slope: float, at: list[float]) -> None:
    """With points enough on a line, the line is found, whatever was expected."""
    line = Line(0.0, 0.5, 1.0, 1.0, 0.5, 0.05)
    for x in at:
        line.add(math.exp(x), math.exp(height + slope * x))
    if max(at) - min(at) < 1:
        return
    middle, sd = line.at(math.exp(1.0))
    assert middle == pytest.approx(height + slope, abs=0.1)
    assert sd < 0.2


def test_the_interval_narrows_with_every_point() -> None:
    """What was a guess within a factor becomes a prediction within per cents."""
    line = Line(0.0, 0.0, 0.7, 1.0, 0.3, 0.05)
    widths = [line.at(3.0)[1]]
    for x in (1.0, 2.0, 4.0, 8.0):
        line.add(x, x * 1.5)
        widths.append(line.at(3.0)[1])
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 5


@given(st.floats(0.0, 4.0), st.floats(0.1, 4.0))
def test_both_costs_of_a_token_are_found(work: float, byte: float) -> None:
    """Files that differ in weights and bytes tell the costs apart, whatever was expected of them."""
    costs = TokenTime(Expected(1.0, 4.0), Expected(1.0, 1.0), 0.05)
    for weights, size in ((1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (2.0, 5.0), (4.0, 2.0), (1.0, 6.0)):
        costs.add(weights, size, work * weights + byte * size)
    seconds, sd = costs.at(3.0, 3.0)
    assert seconds == pytest.approx(3 * work + 3 * byte, rel=0.05)
    assert costs.count == 6
    assert 0.02 < sd < 0.1


@pytest.mark.parametrize(
    ("name", "work"), [("Q4_K_M", 0.7), ("q5_0", 1.65), ("IQ3_XXS", 3.05), ("IQ4_XS", 1.25), ("BF16", 1.0), ("", 1.0)]
)
def test_a_weight_costs_what_its_type_costs(name: str, work: float) -> None:
    """By the main type of a file; what is not known costs the usual."""
    assert kernels.work_of(name) == work


def model(name: str, *reads: tuple[str, int]) -> ModelRef:
    """A model that reads so many weights of each type for a token."""
    per_token = tuple(WeightsRead(kind, count, count) for kind, count in reads)
    return ModelRef("m", name, f"/{name}", 10**9, name, parameters_count=10**9, read_per_token=per_token)


def test_a_model_costs_the_sum_of_its_types() -> None:
    """By the table relative to Q8_0; in seconds where types were timed, those that were not scaled by the table."""
    mixed = model("Q4_K_M", ("Q4_K", 800), ("Q6_K", 200))
    assert kernels.work(mixed) == pytest.approx(800 * 0.7 + 200 * 1.1)
    assert kernels.work(model("Q5_0")) == pytest.approx(1e9 * 1.65)
    assert kernels.timed_s(mixed, {"Q4_K": 3.0, "Q6_K": 5.0}) == pytest.approx(800 * 3 + 200 * 5)
    assert kernels.timed_s(mixed, {"Q4_K": 1.4}) == pytest.approx(800 * 1.4 + 200 * 2 * 1.1)
    assert kernels.timed_s(model("Q5_0"), {"Q4_K": 1.4}) == pytest.approx(1e9 * 2 * 1.65)


def test_kernels_count_for_the_models_whose_main_type_was_timed() -> None:
    """A model of another type, or one without a header, is told by the table and changes nothing for the others."""
    mixed, other = model("a", ("Q4_K", 8 * 10**8), ("Q6_K", 2 * 10**8)), model("b", ("IQ1_M", 10**9))
    assert kernels.is_timed(mixed, {"Q4_K"})
    assert not kernels.is_timed(mixed, {"Q6_K"})
    assert not kernels.is_timed(model("no header"), {"Q4_K"})
    machine = replace(World().run(fake_plan(LADDER[0]))[0].begun_on, kernels=(KernelTime("Q4_K", 1e-10, 1e-11),))
    targets = [Target("e", one, ServerSettings()) for one in (mixed, other, model("c"))]
    alone, together = Forecast(targets[:1], machine, {}), Forecast(targets, machine, {})
    by_table = Forecast(targets, replace(machine, kernels=()), {})
    for target in targets[1:]:
        assert together.decode_tok_per_s(target.model) == by_table.decode_tok_per_s(target.model)
        for forecast in (together, by_table):
            forecast.learn(Seen(target, 30.0, 300.0, None, None))
        assert together.decode_tok_per_s(target.model) == by_table.decode_tok_per_s(target.model)
        assert together.prefill_tok_per_s(target.model) == by_table.prefill_tok_per_s(target.model)
    assert together.decode_tok_per_s(mixed) == alone.decode_tok_per_s(mixed)
    for forecast in (alone, together):
        forecast.learn(Seen(targets[0], 8.0, 80.0, None, None))
    assert together.decode_tok_per_s(mixed) == alone.decode_tok_per_s(mixed)
    assert together.decode_tok_per_s(mixed).trials_count == 1
    assert together.decode_tok_per_s(other).trials_count == 3


def test_timed_kernels_foretell_speeds_from_the_first_minute() -> None:
    """Three types whose costs the table has in another order: told from the start within the spread, and after two
    models, which took a fifth more than timed and the same share besides, nearly as they are."""
    cost_ns = {"Q4_0": (0.06, 0.03), "Q8_0": (0.1, 0.02), "F16": (0.2, 0.06)}
    timed = tuple(KernelTime(kind, decode * 1e-9, prefill * 1e-9) for kind, (decode, prefill) in cost_ns.items())
    targets = [Target("e", model(kind, (kind, 10**9)), ServerSettings()) for kind in cost_ns]
    truth_s = {kind: (decode * 1.2 + 0.02, prefill * 1.2 + 0.005) for kind, (decode, prefill) in cost_ns.items()}
    machine = replace(World().run(fake_plan(LADDER[0]))[0].begun_on, kernels=timed)
    forecast = Forecast(targets, machine, {})
    for target in targets:
        decode_s, prefill_s = truth_s[target.model.quantization]
        for said, true_s in (
            (forecast.decode_tok_per_s(target.model), decode_s),
            (forecast.prefill_tok_per_s(target.model), prefill_s),
        ):
            assert said.low is not None
            assert said.high is not None
            assert said.low < 1 / true_s < said.high
    for target in targets[:2]:
        decode_s, prefill_s = truth_s[target.model.quantization]
        forecast.learn(Seen(target, 1 / decode_s, 1 / prefill_s, None, None))
    last = targets[2].model
    assert forecast.decode_tok_per_s(last).value == pytest.approx(1 / truth_s["F16"][0], rel=0.08)
    assert forecast.prefill_tok_per_s(last).value == pytest.approx(1 / truth_s["F16"][1], rel=0.08)
    assert forecast.decode_tok_per_s(last).trials_count == 2
    by_table = Forecast(targets, replace(machine, kernels=timed[:2]), {})
    assert by_table.decode_tok_per_s(last).value != pytest.approx(1 / truth_s["F16"][0], rel=0.5)


def test_a_slow_core_makes_quantizations_alike() -> None:
    """Twice the bytes at nearly the same speed: the weights cost, so a third file is not predicted by its bytes."""
    costs = TokenTime(Expected(0.5, 4.0), Expected(1.0, 0.5), 0.05)
    guess, unsure = costs.at(1.0, 4.0)
    costs.add(1.0, 1.0, 5.0)
    costs.add(1.0, 2.0, 5.5)
    seconds, sd = costs.at(1.0, 4.0)
    assert guess == pytest.approx(4.5)
    assert 6.0 < seconds < 7.5
    assert sd < unsure


def test_no_cost_is_negative() -> None:
    """A smaller file that was slower than a larger one does not make bytes a gain, nor the other way round."""
    by_work = TokenTime(Expected(1.0, 4.0), Expected(0.1, 5.0), 0.01)
    by_work.add(1.0, 1.0, 2.0)
    by_work.add(1.0, 3.0, 1.0)
    assert by_work.at(1.0, 100.0)[0] == pytest.approx(by_work.at(1.0, 1.0)[0])
    by_bytes = TokenTime(Expected(0.1, 5.0), Expected(1.0, 4.0), 0.01)
    by_bytes.add(1.0, 1.0, 2.0)
    by_bytes.add(3.0, 1.0, 1.0)
    assert by_bytes.at(100.0, 1.0)[0] == pytest.approx(by_bytes.at(1.0, 1.0)[0])


LADDER = [
    f"m?prefill_tok_per_s={600 / size:.1f}&decode_tok_per_s={40 / size:.3f}&noise=0.01&load_ms=300"
    f"&size_mb={size * 1000:.0f}&realtime=0:Q{place}"
    for place, size in enumerate((1.0, 1.3, 1.7, 2.2, 3.0))
]


def test_predictions_are_scored_against_what_came() -> None:
    """After two rungs of a ladder the speed of the others is known within 15 %, and the summary says so."""
    state, _ = World().run(fake_plan(*LADDER))
    rows = [row for row in summarise(state, LENS).forecast if row.quantity == "decode_tok_per_s"]
    assert [row.predicted.trials_count for row in rows] == [0, 1, 2, 3, 4]
    assert all(abs(row.error_ratio) < 0.15 for row in rows[2:])
    assert all(row.predicted.low and row.predicted.high for row in rows)


def test_the_time_left_at_a_quarter_is_about_right() -> None:
    """At 25 % of a run the expected rest is within 25 % of the truth, and the truth within the interval."""
    world = World()
    state, _ = world.run(fake_plan(*LADDER))
    whole_s = state.elapsed_s
    replayed = RunState()
    for event in world.events:
        replayed.apply(event)
        if isinstance(event, TrialEnded) and replayed.elapsed_s >= whole_s / 4:
            break
    shortest_s, expected_s, longest_s = TimeLeft(replayed, Progress(replayed, LENS)).estimate_s()
    truth_s = whole_s - replayed.elapsed_s
    assert abs(expected_s / truth_s - 1) < 0.25
    assert shortest_s < truth_s < longest_s


def test_nothing_is_left_at_the_end() -> None:
    """A finished run needs no time."""
    state, _ = World().run(fake_plan(LADDER[0]))
    assert TimeLeft(state, Progress(state, LENS)).estimate_s() == (0.0, 0.0, 0.0)


def test_the_time_of_a_run_is_accounted_for() -> None:
    """Every nanosecond has a cause, and most of a quiet run is measuring."""
    state, _ = World().run(fake_plan(*LADDER))
    spent = summarise(state, LENS).wall_time_s
    assert sum(spent.values()) == pytest.approx(state.elapsed_s)
    assert spent["server_start"] == pytest.approx(5 * 0.3)
    assert spent["measured"] > spent["warm_up"] > 0


def test_what_is_mapped_twice_is_read_twice_and_needed_once() -> None:
    """A file that the processor keeps rearranged shows in the reading and its prediction, not in the learned need."""
    state, _ = World().run(fake_plan(*LADDER))
    target = state.plan.targets[0]
    model = replace(target.model, rearranged_bytes=10**9)
    assert rearranged_bytes(replace(target, model=model)) == 10**9
    on_gpu = replace(target, model=model, settings=replace(target.settings, gpu_layers=99))
    assert rearranged_bytes(on_gpu) == 0
    forecast = Forecast([target], state.machine, {target.key: 10**9})
    forecast.learn(Seen(replace(target, model=model), None, None, 2.1e9, None))
    needed = forecast.memory_bytes(target)
    assert isinstance(needed, Estimate)
    assert needed.value == pytest.approx(1.1e9, rel=0.03)


def test_a_state_without_a_run_foretells_nothing() -> None:
    """There is no machine yet to tell anything of."""
    for asked in (learned, lambda state: list(scores(state)), lambda state: summarise(state, LENS)):
        with pytest.raises(ValueError, match="the state holds no run"):
            asked(RunState())


RIVAL = "?decode_tok_per_s=40&ttft_ms=100&load_ms=300&size_mb=1000&realtime=0:Q8_0"
TRIAL_S, START_S, GOES_ON = 0.1 + 15 / 40, 0.3, 0.35


def test_the_time_left_of_a_race_is_that_of_its_rounds() -> None:
    """Rounds of 3 trials, 4 at least. Who is in the first one is let go after it or, in 35 of 100 cases, goes on to the
    fourth trial in another visit; who goes on finishes its second round, up to the sixth."""
    world = World()
    load = Load("short", prompt_tok=64, output_tok=16, min_trials=4, max_trials=9, warmup_trials=0)
    world.run(replace(fake_plan(f"a{RIVAL}", f"b{RIVAL}", loads=(load,)), visit_trials=3))
    replayed, left_s = RunState(), {}
    for event in world.events:
        replayed.apply(event)
        if isinstance(event, TrialEnded):
            done = tuple(len(cell.trials) for cell in replayed.cells.values())
            left_s[done] = TimeLeft(replayed, Progress(replayed, LENS)).estimate_s()[1]
    first = (3 - 2 + GOES_ON * (4 - 3)) * TRIAL_S + (1 + GOES_ON) * START_S
    second = (6 - 3) * TRIAL_S + START_S
    assert left_s[3, 2] == pytest.approx(first + second)
    assert left_s[3, 3] == pytest.approx(2 * second)
    assert left_s[3, 4] == pytest.approx(second)
    assert left_s[4, 4] == 0.0


def test_work_without_a_pause_takes_its_time() -> None:
    """Ten minutes in trials of one minute are ten minutes, however fast the model is, and starting comes before."""
    load = Load("sustained", 64, 128, requests_per_trial=32, min_trials=10, max_trials=10, warmup_trials=0)
    load = replace(load, duration_s=600.0, trial_s=60.0)
    state = World().start(fake_plan("a?size_mb=1000", loads=(load,)))
    start_s = learned(state).start_s(state.plan.targets[0].model).value
    expected_s = TimeLeft(state, Progress(state, LENS)).estimate_s()[1]
    assert expected_s == pytest.approx(600 + start_s)
