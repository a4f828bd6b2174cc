"""Two runs side by side: the test against values worked out by hand, false alarms, and true changes found."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from llmtester.analysis.compare import SIGNIFICANCE, Change, Comparison, compare, discovery_limit, equal_p
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate, Summary
from llmtester.domain.records import Absent
from llmtester.domain.work import Load
from tests import worlds

SEEDS = 200
FEW = Load("short", prompt_tok=64, output_tok=16, min_trials=2, max_trials=2)
MANY = Load("short", prompt_tok=64, output_tok=32, min_trials=8, max_trials=8)


def measured(seed: int, speed_tok_per_s: float = 50.0, load: Load = MANY, quant: str = "Q4_K_M") -> Summary:
    """A whole run in virtual time on a machine whose speed varies by 4 % from request to request."""
    script = f"twin?ttft_ms=100&decode_tok_per_s={speed_tok_per_s}&noise=0.04&jitter=0.05&seed={seed}:{quant}"
    state, _ = worlds.World().run(worlds.fake_plan(script, loads=(load,), seed=seed))
    return summarise(state, worlds.LENS)


def steady(speed_tok_per_s: float, trials_count: int = 50) -> Summary:
    """A run in which each trial had exactly this speed."""
    run = measured(1)
    (cell,) = run.cells
    values = {"decode_tok_per_s": Estimate(speed_tok_per_s, None, None, trials_count)}
    trials: dict[str, tuple[float, ...]] = {"decode_tok_per_s": (speed_tok_per_s,) * trials_count}
    return replace(run, cells=(replace(cell, metrics={**cell.metrics, **values}, per_trial=trials),))


def compared(before: Summary, after: Summary) -> Comparison:
    return compare(before, after, worlds.LENS.headlines)


def change(before: Summary, after: Summary, name: str = "decode_tok_per_s") -> Change:
    (cell,) = compared(before, after).cells
    return next(change for change in cell.changes if change.metric.name == name)


def test_p_is_that_of_two_samples_beside_two_starts() -> None:
    """Logarithms -x, 0, x on both sides, one shifted by d: t is d over the root of 2 x^2 / 3 and twice 1 % squared.

    With four degrees of freedom P(T > t) = 1/2 - s (1 + c^2 / 2) / 2 with the sine and cosine of atan(t / 2)."""
    x, d = 0.03, 0.1
    before = [math.exp(place * x) for place in (-1, 0, 1)]
    after = [value * math.exp(d) for value in before]
    angle = math.atan(d / math.sqrt(2 * x * x / 3 + 2e-4) / 2)
    expected = 1 - math.sin(angle) * (1 + math.cos(angle) ** 2 / 2)
    assert equal_p(before, after) == pytest.approx(expected)
    assert equal_p(after, before) == pytest.approx(expected)
    assert equal_p([1000 * value for value in before], [1000 * value for value in after]) == pytest.approx(expected)


def test_values_around_zero_are_compared_as_they_are() -> None:
    """A zero has no logarithm: -1, 0, 1 against 1, 2, 3 gives t = 2 / root(2 / 3); of constants only unequal ones
    differ, and these for certain."""
    angle = math.atan(2 / math.sqrt(2 / 3) / 2)
    expected = 1 - math.sin(angle) * (1 + math.cos(angle) ** 2 / 2)
    assert equal_p([-1.0, 0.0, 1.0], [1.0, 2.0, 3.0]) == pytest.approx(expected)
    assert equal_p([0.0] * 3, [0.0] * 4) == 1.0
    assert equal_p([0.0] * 3, [2.0] * 4) == 0.0


def test_a_perfectly_steady_server_may_still_start_differently() -> None:
    """Trials without any spread differ by 3 % without being sure of it, since two starts may; by 10 % they are sure."""
    assert equal_p([100.0] * 4, [103.0] * 4) > 0.05
    assert equal_p([100.0] * 4, [110.0] * 4) < 0.001


def test_too_few_values_are_no_evidence() -> None:
    """An empty side gives p = 1, and so do two values; three do not."""
    assert equal_p([], [1.0]) == 1.0
    assert equal_p([1.0, 1.1], [9.0, 9.1, 9.2]) == 1.0
    assert equal_p([1.0, 1.1, 1.2], [9.0, 9.1]) == 1.0
    assert equal_p([1.0, 1.1, 1.2], [9.0, 9.1, 9.2]) < 0.001
    assert equal_p([2.0] * 6, [2.0] * 6) == 1.0


@pytest.mark.untraced
def test_equal_runs_are_rarely_called_different() -> None:
    """Two runs of the same machine differ in name in at most 5 % of 200 pairs."""
    verdicts = [change(measured(2 * seed), measured(2 * seed + 1)).verdict for seed in range(SEEDS)]
    assert set(verdicts) <= {"no difference shown", "better", "worse"}
    assert sum(verdict != "no difference shown" for verdict in verdicts) <= SEEDS * 0.05


def test_a_tenth_less_speed_is_found_and_named_worse() -> None:
    """A true slowdown of 10 % under 4 % noise is found in at least 9 of 10 pairs, and the way back is better."""
    pairs = [(measured(2 * seed), measured(2 * seed + 1, 45.0)) for seed in range(20)]
    assert sum(change(old, new).verdict == "worse" for old, new in pairs) >= 18
    assert sum(change(new, old).verdict == "better" for old, new in pairs) >= 18


def test_a_small_change_is_not_called_real_however_sure() -> None:
    """Fifty trials that all are 2.9 % faster are no chance, and no difference that is worth acting on."""
    found = change(steady(50.0), steady(51.45))
    assert not isinstance(found.p_value, Absent)
    assert found.p_value < SIGNIFICANCE
    assert found.change_ratio == pytest.approx(0.029)
    assert found.verdict == "no difference shown"


def test_many_comparisons_share_one_limit() -> None:
    """One small p among many is chance; many small ones are not: at most 5 % of what is called real is false."""
    assert discovery_limit([0.05]) == 0.05
    assert discovery_limit([0.04, 0.5, 0.6, 0.9]) < 0
    assert discovery_limit([0.012, 0.5, 0.6, 0.9]) == 0.012
    assert discovery_limit([0.04, 0.04, 0.04, 0.05]) == 0.05
    assert discovery_limit([]) < 0


def test_two_trials_are_too_few() -> None:
    """Two trials have no interval, so nothing is claimed, not even equality."""
    assert change(measured(1, load=FEW), measured(2, 20.0, load=FEW)).verdict == "too few trials to tell"


def test_a_run_equals_itself() -> None:
    """A run beside itself: no difference anywhere, neither in figures nor in what it was made with."""
    found = compared(measured(1), measured(1))
    assert {change.verdict for cell in found.cells for change in cell.changes} == {"no difference shown"}
    assert (found.differences, found.only_before, found.only_after) == ((), (), ())
    assert found.cells[0].differences == ()


def test_differences_of_machine_build_and_file_are_named() -> None:
    """Another CPU, another build, another file and another flag each have a line; the cells are still compared."""
    before, after = measured(1), measured(1)
    (target,) = after.targets
    assert target.facts
    target = replace(
        target,
        model=replace(target.model, fingerprint="other"),
        facts=replace(target.facts, build="b2"),
        settings=replace(target.settings, threads=2),
    )
    machine = replace(after.machine, cpu_model="Other CPU")
    found = compared(before, replace(after, machine=machine, targets=(target,), version="9"))
    assert found.differences == ("machine cpu_model: Test CPU then, Other CPU now", "llmtester: 0 then, 9 now")
    named = [text.partition(":")[0] for text in found.cells[0].differences]
    assert named == ["file", "engine build", "threads"]


def test_cells_without_a_partner_are_listed() -> None:
    """What only one run has is named by its key and compared with nothing."""
    before, after = measured(1), measured(1, quant="Q8_0")
    found = compared(before, after)
    assert found.cells == ()
    assert (found.only_before, found.only_after) == ((before.cells[0].key,), (after.cells[0].key,))


def test_a_missing_value_is_absent() -> None:
    """A metric that one run could not compute has no change and no verdict."""
    before = measured(1)
    (cell,) = before.cells
    without = replace(cell, metrics={**cell.metrics, "decode_tok_per_s": Absent("why not")})
    found = change(before, replace(before, cells=(without,)))
    assert found.verdict == "absent"
    assert isinstance(found.change_ratio, Absent)


def test_what_is_neither_good_nor_bad_has_changed() -> None:
    """Longer answers are no better; a difference in them is named without a judgement."""

    def answering(tok: float) -> Summary:
        run = measured(1)
        (cell,) = run.cells
        value, trials = {"completion_tok": Estimate(tok, None, None, 8)}, {"completion_tok": (tok,) * 8}
        return replace(run, cells=(replace(cell, metrics={**cell.metrics, **value}, per_trial=trials),))

    for before, after in ((20.0, 30.0), (30.0, 20.0)):
        (cell,) = compare(answering(before), answering(after), {"interactive": ("completion_tok",)}).cells
        assert [change.verdict for change in cell.changes] == ["changed"]


def test_a_server_that_never_started_has_no_build_to_differ() -> None:
    """Where one run knows no facts of its server, only what was asked of it is compared."""
    before, after = measured(1), measured(1)
    (target,) = after.targets
    unknown = replace(target, facts=None, settings=replace(target.settings, threads=2))
    (cell,) = compared(before, replace(after, targets=(unknown,))).cells
    assert cell.differences == ("threads: None then, 2 now",)
