"""Every metric against values computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtester.analysis.metrics import METRICS, MetricsCollector
from llmtester.analysis.state import CellState, Growth, Trial
from llmtester.analysis.summary import Estimate
from llmtester.domain.errors import RequestFailure
from llmtester.domain.records import Absent, Grade, Reading, Sample, ServerTimings
from tests.worlds import cell, sample


def cell_of(*samples: Sample, warmups: tuple[Sample, ...] = ()) -> CellState:
    """A cell with one sample a trial."""
    state = CellState(cell())
    state.trials = [Trial(number, 1, (one,)) for number, one in enumerate(samples)]
    state.warmups = [Trial(number, number + 1, (one,)) for number, one in enumerate(warmups)]
    return state


def value(name: str, *samples: Sample, warmups: tuple[Sample, ...] = ()) -> float:
    measured = METRICS[name].of_cell(cell_of(*samples, warmups=warmups))
    assert isinstance(measured, Estimate), measured
    return measured.value


def reason(name: str, *samples: Sample) -> str:
    measured = METRICS[name].of_cell(cell_of(*samples))
    assert isinstance(measured, Absent), measured
    return measured.reason


EVEN = [sample(ttft_ms=ttft, gap_ms=20.0, tok=101) for ttft in (90.0, 100.0, 130.0)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ttft_ms", 100.0),
        ("overhead_ms", 2.0),
        ("decode_tok_per_s", 50.0),
        ("server_decode_tok_per_s", 50.0),
        ("prefill_tok_per_s", 3 * 64 / 0.314),
        ("itl_p50_ms", 20.0),
        ("itl_p95_ms", 20.0),
        ("itl_max_ms", 20.0),
        ("e2e_ms", 2100.0),
        ("tokens_per_chunk", 1.0),
        ("prompt_tok", 64.0),
        ("completion_tok", 101.0),
        ("cached_ratio", 0.0),
        ("failed_ratio", 0.0),
    ],
)
def test_metric_equals_the_hand_computed_value(name: str, expected: float) -> None:
    """Three samples of 101 tokens, 20 ms apart."""
    assert value(name, *EVEN) == pytest.approx(expected)


def test_cold_ttft_is_the_first_warmup_of_each_start() -> None:
    """Two starts whose first answers took 300 and 500 ms."""
    assert value("ttft_cold_ms", *EVEN, warmups=(sample(ttft_ms=300), sample(ttft_ms=500))) == 400.0


def test_decode_is_a_ratio_of_sums() -> None:
    """100 tokens in 1 s and 300 in 6 s are 57 tok/s together, not the mean of 100 and 50."""
    fast, slow = sample(gap_ms=10, tok=101), sample(gap_ms=20, tok=301)
    assert value("decode_tok_per_s", fast, slow) == pytest.approx(400 / 7)


def test_end_token_brings_no_text() -> None:
    """An answer that ended by itself has one counted token that never arrived."""
    ended = replace(sample(gap_ms=20, tok=11), completion_tok=12, finish="stop")
    assert value("decode_tok_per_s", ended) == pytest.approx(50.0)
    assert value("tokens_per_chunk", ended) == 1.0


def test_bundled_tokens_do_not_inflate_the_speed() -> None:
    """20 tokens in 10 events over 9 gaps of 20 ms: 18 tokens in 180 ms."""
    bundled = replace(sample(gap_ms=20, tok=10), completion_tok=20)
    assert value("decode_tok_per_s", bundled) == pytest.approx(100.0)


def test_cached_prompts_are_refused() -> None:
    """A prompt that came from a cache says nothing about reading speed."""
    cached = replace(sample(), cached_tok=32)
    assert "32 of 64" in reason("ttft_ms", cached)
    assert "cache" in reason("prefill_tok_per_s", cached)
    assert "cache" in reason("overhead_ms", cached)


def test_a_cache_that_was_allowed_is_what_a_user_meets() -> None:
    """The second turn of a conversation has a waiting time, although most of it was read before."""
    second = replace(sample(ttft_ms=40), cached_tok=48, cache_allowed=True)
    assert value("ttft_ms", second) == 40.0
    assert value("cached_ratio", second) == 0.75


def test_spread_is_that_of_trials() -> None:
    """Waits of 90 and 110 ms spread by 14 % around 100, speeds of equal gaps not at all; one trial has no spread."""
    two = [sample(ttft_ms=wait) for wait in (90.0, 110.0)]
    assert value("ttft_spread_ratio", *two) == pytest.approx(2**0.5 / 10)
    assert value("decode_spread_ratio", *two) == 0.0
    assert reason("ttft_spread_ratio", two[0])


def test_what_is_asked_for_its_content_enters_no_time() -> None:
    """An untimed answer counts as right or wrong, and nowhere else."""
    right, wrong = Grade(1.0, "right"), Grade(0.5, "half")
    asked = [replace(sample(ttft_ms=1), timed=False, grade=grade) for grade in (right, right, right, wrong)]
    assert value("accuracy_ratio", sample(ttft_ms=100), *asked) == 0.75
    assert value("ttft_ms", sample(ttft_ms=100), *asked) == 100.0
    assert reason("decode_tok_per_s", *asked)


def test_growth_is_the_highest_reading_of_a_trial_less_its_first() -> None:
    """Memory rises by 5 and falls again, swap rises by 3; a single reading tells nothing."""
    memory, swap = (10, 15, 12), (100, 100, 103)
    readings = [Reading(0, 1, used, server_anonymous_bytes=own) for own, used in zip(memory, swap, strict=True)]
    state = cell_of(sample())
    state.trials[0].growth = Growth.over(readings)
    measured = MetricsCollector(state).collect()
    assert measured["memory_growth_bytes"] == Estimate(5.0, None, None, 1)
    assert measured["swap_growth_bytes"] == Estimate(3.0, None, None, 1)
    assert Growth.over(readings[:1]) is None


def test_failed_requests_count_only_as_failed() -> None:
    """A failure never enters a time, and always enters the share of failures."""
    failed = Sample("r", 0, 10, (), failure=RequestFailure.CUT, failure_detail="cut")
    assert value("ttft_ms", sample(ttft_ms=100), failed) == 100.0
    assert value("failed_ratio", sample(), failed) == 0.5
    assert "nothing was measured" in reason("ttft_ms", failed)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_trials_give_absent(name: str) -> None:
    """Nothing measured is absent with a reason, never zero."""
    assert reason(name)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("server_decode_tok_per_s", sample(server=None)),
        ("server_decode_tok_per_s", sample(server=ServerTimings(predicted_tok=1, predicted_ms=0.001))),
        ("overhead_ms", sample(server=None)),
        ("decode_tok_per_s", sample(token_source="estimate")),
        ("decode_tok_per_s", sample(tok=1)),
        ("itl_max_ms", sample(tok=1)),
        ("itl_p95_ms", sample(tok=20)),
        ("prompt_tok", sample(prompt_tok=None)),
        ("e2e_ms", Sample("r", 0, 10, ())),
        ("ttft_ms", Sample("r", 0, 10, ())),
        ("tokens_per_chunk", Sample("r", 0, 10, ())),
    ],
)
def test_not_computable_is_absent(name: str, broken: Sample) -> None:
    """Each thing that a server may leave out takes away exactly the metrics that need it."""
    assert reason(name, broken)


def test_collector_gives_every_metric_and_its_trials() -> None:
    """All rows by name, and per-trial values in order."""
    collector = MetricsCollector(cell_of(*EVEN))
    assert list(collector.collect()) == list(METRICS)
    assert collector.per_trial()["ttft_ms"] == (90.0, 100.0, 130.0)


def test_what_a_server_does_not_count_is_absent() -> None:
    """A server that tells neither its cache nor its prompts gives no share of nothing."""
    said = "the server does not say what came from its cache"
    assert reason("cached_ratio", replace(EVEN[0], cached_tok=None)) == said
    assert reason("cached_ratio", replace(EVEN[0], prompt_tok=None)) == said
