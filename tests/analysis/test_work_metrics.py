"""Metrics of whole cells against values computed by hand."""

from __future__ import annotations

import pytest

from llmtester.analysis import work_metrics
from llmtester.analysis.metrics import METRICS
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
