"""What a plan is expected to cost, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtester.analysis import costs
from llmtester.analysis.costs import Hardware
from llmtester.domain.work import Load, WeightsRead
from tests.worlds import cell

LOAD = Load("short", prompt_tok=64, output_tok=100, requests_per_trial=2, min_trials=5, max_trials=5)
WORK = replace(LOAD, duration_s=600.0, trial_s=60.0)
HARDWARE = Hardware(cores_count=4, memory_bytes=16 * 10**9)


def test_a_journal_grows_by_requests_and_tokens() -> None:
    """Ten requests of 100 tokens: ten samples, ten seconds of telemetry and 1,000 moments, for each of two cells."""
    one = 10 * (costs.SAMPLE_BYTES + costs.PULSE_BYTES + 100 * costs.TOKEN_BYTES)
    assert costs.journal_bytes([cell(load=LOAD)] * 2, None) == 2 * one
    assert costs.journal_bytes([], None) == 0


def test_a_trial_of_continuous_work_lasts_as_long_as_it_is_meant_to() -> None:
    """No speed shortens it; without a length of its own a trial is all of the work."""
    assert costs.trial_s(cell(load=WORK), HARDWARE) == 60.0
    assert costs.trial_s(cell(load=replace(WORK, trial_s=None)), HARDWARE) == 600.0
    usual_s = costs.trial_s(cell(load=LOAD), HARDWARE)
    assert costs.trial_s(cell(load=replace(LOAD, requests_per_trial=6)), HARDWARE) == pytest.approx(3 * usual_s)


def test_what_a_token_reads_is_what_it_costs() -> None:
    """A mixture of experts writes as fast as the experts that are asked, not as its whole file; without a header all
    of it counts."""
    whole = cell(load=LOAD)
    model = replace(whole.target.model, parameters_count=8 * 10**9, size_bytes=8 * 10**9)
    asked = replace(model, read_per_token=(WeightsRead("Q8_0", 10**9, 10**9), WeightsRead("F32", 10**6, 4 * 10**6)))
    assert (costs.weights_read(model), costs.bytes_read(model)) == (8e9, 8 * 10**9)
    assert (costs.weights_read(asked), costs.bytes_read(asked)) == (1_001_000_000, 1_004_000_000)
    few_s, all_s = (
        costs.trial_s(replace(whole, target=replace(whole.target, model=one)), HARDWARE) for one in (asked, model)
    )
    assert all_s / few_s == pytest.approx(8, rel=0.01)
