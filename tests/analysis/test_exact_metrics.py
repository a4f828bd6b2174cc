"""Every row of the metric table on the fake engine with scripted times, against values computed by hand.

All scripted times are whole multiples of 1/64 s, so that no rounding stands between script and result: equal means
equal. One trial sends two requests of 128 prompt tokens and 61 written ones, one after the other. Reading goes at 1024
tok/s (125 ms) after 15.625 ms of overhead, writing at 8 tok/s (125 ms a token, 7.5 s for the 60 after the first). Each
request leaks 1 MB.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from llmtester.analysis import work_metrics
from llmtester.analysis.metrics import METRICS, MetricsCollector
from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.errors import RequestFailure
from llmtester.domain.records import Absent, Grade
from llmtester.domain.work import Load
from tests.worlds import World, fake_plan

SCRIPT = "exact?prefill_tok_per_s=1024&overhead_ms=15.625&decode_tok_per_s=8&leak_mb=1&realtime=0"
LOAD = Load("short", prompt_tok=128, output_tok=61, requests_per_trial=2, min_trials=5, max_trials=5)

BY_HAND: dict[str, float] = {
    "ttft_ms": 15.625 + 125.0,
    "ttft_cold_ms": 15.625 + 125.0,
    "decode_tok_per_s": 8.0,
    "server_decode_tok_per_s": 8.0,
    "prefill_tok_per_s": 1024.0,
    "overhead_ms": 15.625,
    "itl_p50_ms": 125.0,
    "itl_p95_ms": 125.0,
    "itl_max_ms": 125.0,
    "e2e_ms": 15.625 + 125.0 + 60 * 125.0,
    "tokens_per_chunk": 1.0,
    "prompt_tok": 128.0,
    "completion_tok": 61.0,
    "cached_ratio": 0.0,
    "memory_growth_bytes": 1e6,
    "swap_growth_bytes": 0.0,
    "ttft_spread_ratio": 0.0,
    "decode_spread_ratio": 0.0,
    "failed_ratio": 0.0,
    "accuracy_ratio": 0.75,
}
"""``accuracy_ratio`` with three of four answers graded as right, see below; a chat grades nothing."""


@cache
def measured() -> dict[str, Measured]:
    """All metrics of the one cell of a whole run."""
    state, _ = World().run(fake_plan(SCRIPT, loads=(LOAD,)))
    (cell,) = state.cells.values()
    for trial, marks in zip(cell.trials, ((1, 1), (1, 0)), strict=False):
        trial.samples = tuple(
            replace(sample, grade=Grade(float(mark), "graded"))
            for sample, mark in zip(trial.samples, marks, strict=True)
        )
    return MetricsCollector(cell).collect()


def test_every_metric_has_a_value_by_hand() -> None:
    """A new row of the table comes with its value computed by hand, here."""
    elsewhere = {row.info.name for row in work_metrics.ROWS}  # tests/analysis/test_work_metrics.py
    assert set(BY_HAND) | elsewhere == set(METRICS)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_metric_equals_its_value_by_hand(name: str) -> None:
    """Exactly, not nearly; with scripted times the interval has no width either."""
    found = measured()[name]
    assert isinstance(found, Estimate), found
    assert found.value == BY_HAND[name]
    if found.low is not None and found.high is not None and name != "accuracy_ratio":
        assert (found.low, found.high) == (found.value, found.value)


def test_mean_of_ratios_is_never_mixed_with_ratio_of_means() -> None:
    """A slow long answer and a fast short one: speeds weigh by tokens in the value, in each trial and in the interval.

    10 tokens in 1 s and 30 in 6 s are 40 in 7 s, 5.714 tok/s. The mean of the ratios would be 7.5.
    """
    state, _ = World().run(fake_plan("a?ttft_ms=125&decode_tok_per_s=8&realtime=0", loads=(LOAD,)))
    (cell,) = state.cells.values()
    for trial in cell.trials:
        fast, slow = trial.samples
        trial.samples = (
            replace(fast, arrivals_ns=tuple(10**8 * (1 + at) for at in range(11)), completion_tok=11),
            replace(slow, arrivals_ns=tuple(2 * 10**8 * (1 + at) for at in range(31)), completion_tok=31),
        )
    metric = METRICS["decode_tok_per_s"]
    found = metric.of_cell(cell)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(40 / 7, rel=1e-12)
    assert (found.low, found.high) == (pytest.approx(40 / 7), pytest.approx(40 / 7))
    assert metric.of_trial(cell.trials[0].samples) == pytest.approx(40 / 7, rel=1e-12)


def test_a_failed_request_changes_only_the_share_of_failures() -> None:
    """One of ten requests fails: every other metric keeps its value to the digit."""
    state, _ = World().run(fake_plan(SCRIPT, loads=(LOAD,)))
    (cell,) = state.cells.values()
    first, second = cell.trials[0].samples
    cell.trials[0].samples = (first, replace(second, arrivals_ns=(), failure=RequestFailure.CUT))
    found = MetricsCollector(cell).collect()
    assert found["failed_ratio"] == Estimate(0.1, None, None, 5)
    for name, value in BY_HAND.items():
        one = found[name]
        if name not in {"failed_ratio", "accuracy_ratio"}:
            assert isinstance(one, Estimate)
            assert one.value == value


def test_what_a_chat_does_not_have_is_absent() -> None:
    """Nothing graded is no share of right answers, not 0."""
    state, _ = World().run(fake_plan(SCRIPT, loads=(LOAD,)))
    (cell,) = state.cells.values()
    assert isinstance(METRICS["accuracy_ratio"].of_cell(cell), Absent)
