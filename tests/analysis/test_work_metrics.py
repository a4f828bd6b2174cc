"""Metrics of whole cells against values computed by hand."""

from __future__ import annotations

import pytest

from llmtester.analysis import stress, work_metrics
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.readings import Thinned
from llmtester.analysis.state import CellState, Trial
from llmtester.analysis.summary import Estimate
from llmtester.domain.records import Absent, Grade, Reading, Sample
from llmtester.domain.work import Load
from tests.worlds import cell, sample

DOCUMENTS = Load("1-at-once", 640, 200)
WORK = Load("sustained", 64, 128, duration_s=240, trial_s=60)


def page(sent_s: float, *, right: int = 4, tok: int = 11, gap_ms: float = 100.0) -> Sample:
    """A document that was sent at a time: its answer took 100 ms for the first token and a gap for each further one."""
    answered = sample(ttft_ms=100, gap_ms=gap_ms, tok=tok)
    ended_ns = round(sent_s * 1e9) + answered.ended_ns
    grade = Grade(right / 4, "some", facts_asked_count=4, facts_right_count=right)
    return sample(ttft_ms=100, gap_ms=gap_ms, tok=tok, sent_ns=round(sent_s * 1e9), ended_ns=ended_ns, grade=grade)


def documents() -> CellState:
    """Two trials of five documents: each takes 1.1 s and begins 2 s after the one before; one is half wrong."""
    state = CellState(cell(load=DOCUMENTS))
    for trial in range(2):
        rights = [4, 4, 4, 4, 2 if trial else 4]
        samples = tuple(page(2.0 * index, right=right) for index, right in enumerate(rights))
        state.trials.append(Trial(trial, 1, samples, began_s=10.0 * trial))
    return state


def work() -> CellState:
    """Four minutes of 10 tok/s, and from the second minute on 9; a reading a second, memory that grows by 1 kB/s."""
    state = CellState(cell(load=WORK))
    for minute in range(4):
        speed = 10.0 if minute == 0 else 9.0
        count = int(60 * speed)
        state.trials.append(
            Trial(minute, 1, (sample(ttft_ms=0, gap_ms=1000 / speed, tok=count),), began_s=60.0 * minute)
        )
    for second in range(240):
        state.watched.add(float(second), Reading(second, 10**9, 0, server_anonymous_bytes=10**8 + 1000 * second))
    return state


EXPECTED = {
    "throughput_tok_per_s": (documents, 5 * 11 / 9.1),
    "documents_per_hour": (documents, 5 * 3600 / 9.1),
    "document_s": (documents, 1.1),
    "document_spread_ratio": (documents, 0.0),
    "facts_ratio": (documents, 38 / 40),
    "speed_change_ratio": (documents, 0.0),
    "memory_change_bytes": (work, 160_000.0),
    "sustained_tok_per_s": (work, 9.0),
    "sustained_ratio": (work, 0.9),
    "memory_growth_bytes_per_hour": (work, 3_600_000.0),
}


@pytest.mark.parametrize("name", [row.info.name for row in work_metrics.ROWS])
def test_metric_equals_the_hand_computed_value(name: str) -> None:
    """Each row is what its formula gives by hand."""
    made, expected = EXPECTED[name]
    measured = METRICS[name].of_cell(made())
    assert isinstance(measured, Estimate), measured
    assert measured.value == pytest.approx(expected, rel=2e-3, abs=1e-9)


@pytest.mark.parametrize("name", [row.info.name for row in work_metrics.ROWS])
def test_nothing_measured_is_absent(name: str) -> None:
    """A cell without trials, and a chat for what only documents or long work tell, have no value."""
    assert isinstance(METRICS[name].of_cell(CellState(cell(load=DOCUMENTS))), Absent)
    chat = CellState(cell(), trials=[Trial(0, 1, (sample(),))])
    assert isinstance(METRICS[name].of_cell(chat), Absent) == (name != "throughput_tok_per_s")


def test_facts_of_one_document_count_as_one_piece_of_evidence() -> None:
    """Twenty documents of which half are wholly wrong tell as much as twenty facts, not as eighty."""
    state = CellState(cell(load=DOCUMENTS))
    state.trials.append(Trial(0, 1, tuple(page(2.0 * i, right=4 * (i % 2)) for i in range(20))))
    together = METRICS["facts_ratio"].of_cell(state)
    assert isinstance(together, Estimate)
    low, high = work_metrics.wilson(10, 20)
    assert (together.low, together.high) == pytest.approx((low, high), abs=0.02)
    assert work_metrics.facts_counts(state) == (40, 80)


def test_a_trend_needs_some_documents() -> None:
    """One document fewer than a trend needs tells none; memory needs three readings and energy a meter."""
    state = CellState(cell(load=DOCUMENTS))
    least = work_metrics.TREND_LEAST_DOCUMENTS
    state.trials.append(Trial(0, 1, tuple(page(2.0 * index) for index in range(least - 1))))
    assert METRICS["speed_change_ratio"].of_cell(state) == Absent("too few documents were worked on")
    state.trials.append(Trial(1, 1, (page(100.0),)))
    assert isinstance(METRICS["speed_change_ratio"].of_cell(state), Estimate)


def test_energy_is_shared_by_all_tokens() -> None:
    """40 J a second of processor and GPU over four minutes, for the 2,220 tokens that were written then."""
    state = work()
    state.watched = Thinned()
    for second in range(240):
        state.watched.add(float(second), Reading(second, 10**9, 0, cpu_energy_j=30.0, gpu_energy_j=10.0))
    spent = stress.result(state).energy_j_per_tok
    assert isinstance(spent, Estimate)
    assert spent.value == pytest.approx(240 * 40 / (600 + 3 * 540))
    assert isinstance(stress.result(work()).energy_j_per_tok, Absent)


def short_work(seconds: float, tok: int = 200) -> CellState:
    """Work at 10 tok/s that was ended after so long."""
    answer = sample(ttft_ms=0, gap_ms=1000 * seconds / tok, tok=tok)
    return CellState(cell(load=WORK), [Trial(0, 1, (answer,), began_s=0.0)])


def test_work_that_ended_in_its_first_minute_says_so() -> None:
    """There is a first speed, but nothing that it could be compared with, nor a trend in one slice."""
    found = stress.result(short_work(20.0))
    assert isinstance(found.first_minute_tok_per_s, Estimate)
    assert found.first_minute_tok_per_s.value == pytest.approx(10, rel=0.02)
    assert found.sustained_tok_per_s == Absent("the work lasted no longer than the first minute")
    assert found.sustained_ratio == found.sustained_tok_per_s
    assert found.steady_from_s == Absent("the work was too short to tell when it became steady")
    assert found.sentence == "The work lasted no longer than the first minute."
    moment = stress.result(short_work(5.0))
    assert moment.drift_ratio == Absent("the work was too short to have a trend")


def test_work_that_was_cut_short_in_its_first_minute_says_why() -> None:
    """The reason for the end comes before the lack of figures."""
    state = short_work(20.0)
    state.skipped = "the processor reached 90 °C"
    assert stress.result(state).sentence == "After 20 s of continuous work the processor reached 90 °C."


def test_answers_of_one_token_have_no_speed() -> None:
    """What has no gap between two tokens adds nothing to the speed over time, and does not count as slow."""
    state = work()
    before = stress.speeds(state).sustained
    state.trials[2].samples = (*state.trials[2].samples, sample(tok=1))
    assert stress.speeds(state).sustained == before
    alone = CellState(cell(load=WORK), [Trial(0, 1, (sample(tok=1),))])
    assert stress.speeds(alone).first_minute == Absent("no continuous work was measured")


def test_a_trial_without_requests_takes_no_time() -> None:
    """A trial that sent nothing has lasted for nothing."""
    assert Trial(0, 1, ()).wall_s == 0.0
