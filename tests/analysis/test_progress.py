"""Where cells stand: races that everybody left, trials without a figure, and texts that may be waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtester.analysis.progress import Progress, unbearable
from llmtester.analysis.state import CellState, Trial
from llmtester.domain.work import Load
from tests.worlds import LENS, World, cell, fake_plan, sample

LOAD = Load("short", prompt_tok=64, output_tok=16, min_trials=4, max_trials=8)


def test_a_race_that_everybody_left_has_no_verdict() -> None:
    """Where no server starts, each cell fails for its own reason and nobody is called the winner."""
    plan = replace(fake_plan("a?fail=load", "b?fail=load", loads=(LOAD,)), visit_trials=2)
    state, _ = World().run(plan)
    progress = Progress(state, LENS)
    assert [progress.status(one).word for one in state.cells.values()] == ["failed", "failed"]
    assert [progress.verdict(one) for one in state.cells.values()] == [None, None]


def test_a_trial_without_a_figure_does_not_end_a_race() -> None:
    """A request that failed leaves a gap among the figures of its trial number; the others are compared."""
    scripts = ("a?decode_tok_per_s=40&fail=error_event:2&realtime=0:Q8_0", "b?decode_tok_per_s=9&realtime=0:Q8_0")
    state, ended = World().run(replace(fake_plan(*scripts, loads=(LOAD,)), visit_trials=2))
    assert ended.outcome == "finished"
    progress = Progress(state, LENS)
    first, second = state.cells.values()
    assert sum(not one.ok for trial in (*first.warmups, *first.trials) for one in trial.samples) >= 1
    assert [progress.status(one).word for one in (first, second)] == ["done", "done"]


def test_a_finished_run_stays_finished_when_its_limits_are_edited() -> None:
    """What was precise enough for the limits of its day is done under narrower ones; an interrupted run goes on."""
    wide = replace(LOAD, precision_ratio=5.0)
    state, ended = World().run(fake_plan("a?noise=0.1&seed=3&realtime=0", loads=(wide,)))
    (one,) = state.cells.values()
    assert (ended.outcome, len(one.trials)) == ("finished", LOAD.min_trials)
    one.cell = replace(one.cell, load=replace(wide, precision_ratio=1e-6))
    status = Progress(state, LENS).status(one)
    assert (status.word, status.reason) == ("done", "4 trials, enough for the limits of that time")
    state.ended = None
    assert not Progress(state, LENS).status(one).over


@pytest.mark.parametrize(
    ("profile", "ttft_s", "said"),
    [
        ("interactive", 200, "200 s to the first token"),
        ("long_context", 200, "200 s to the first token"),
        ("long_context", 100, None),
        ("custom", 200, None),
        ("quality", 200, None),
    ],
)
def test_who_waits_how_long(profile: str, ttft_s: int, said: str | None) -> None:
    """A chat is given up sooner than a long text; whoever brings prompts wants all of them answered."""
    trials = [Trial(number, 1, (sample(ttft_ms=ttft_s * 1e3, gap_ms=20),)) for number in range(3)]
    assert unbearable(CellState(replace(cell(), profile=profile), trials)) == said
