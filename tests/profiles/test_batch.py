"""Documents with known facts, the reading of answers, and whole batches on a scripted server."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.meanings import meaning
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.summary import Estimate
from llmtester.domain.errors import NotMeasurable
from llmtester.domain.work import Cell, Plan, ServerSettings, Target
from llmtester.engines.fake import FakeEngine
from llmtester.profiles import extraction
from llmtester.profiles.batch import BatchOptions, BatchProfile
from llmtester.profiles.documents import FACTS_COUNT, KINDS, document
from tests.worlds import World, bench


@given(seed=st.integers(0, 2**64 - 1), number=st.integers(0, 99), as_json=st.booleans())
def test_the_perfect_answer_has_every_fact(seed: int, number: int, as_json: bool) -> None:
    """For every document and both forms, the perfect answer gets every point, and every fact is in the text."""
    page = document(seed, number)
    grade = extraction.grade(page, extraction.perfect(page, as_json=as_json))
    assert (grade.outcome, grade.facts_right_count, grade.facts_asked_count) == ("all", FACTS_COUNT, FACTS_COUNT)
    for fact in page.facts:
        assert fact.value in page.text or fact.kind == "number", fact


def test_documents_are_equal_for_equal_seeds_and_of_all_kinds() -> None:
    """The same seed gives the same page, another one another page; thirty documents are of ten kinds."""
    assert document(5, 3) == document(5, 3) != document(6, 3)
    assert {document(1, number).kind for number in range(30)} == set(KINDS)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ('Here it is:\n```json\n{"order": 123456, "ordered": "The Lamp"}\n```', 2),
        ("- **order**: 123456\n- ordered: lamp.\n", 2),
        ('<think>order: 9</think>{"order": "123456 or 7", "ordered": "lamp"}', 1),
        ('{"order": {"value": 123456}, "ordered": "a lamp"}', 1),
        ("order: 123,456\nordered: lamp, I think", 1),
        ("I cannot find it.", 0),
        ("", 0),
    ],
)
def test_answers_are_read_in_the_forms_that_models_use(answer: str, right: int) -> None:
    """Fences, bullets, emphasis and thinking do no harm; hedged numbers and remarks beside a fact do."""
    from llmtester.profiles.documents import Document, Fact

    page = Document("complaint", "", (Fact("order", "", "123456", "number"), Fact("ordered", "", "lamp")))
    grade = extraction.grade(page, answer)
    assert grade.facts_right_count == right
    assert (grade.outcome == "unreadable") == (right == 0)


def batch_plan(script: str, options: BatchOptions) -> tuple[Plan, BatchProfile]:
    profile = BatchProfile(options)
    (ref,) = FakeEngine().catalogue([script])
    loads = profile.loads(None)
    target = Target("fake", ref, ServerSettings(slots=max(load.concurrency for load in loads)))
    return Plan(tuple(Cell(target, "batch", load) for load in loads)), profile


def run(script: str, options: BatchOptions | None = None) -> list:
    """The cells of a finished batch in virtual time, one for each load."""
    plan, profile = batch_plan(script, options or BatchOptions())
    world = World()
    world.profiles["batch"] = profile
    state, ended = world.run(plan)
    assert ended.outcome == "finished"
    return [state.cells[cell.key] for cell in plan.cells]


def value(cell, name: str) -> Estimate:
    found = METRICS[name].of_cell(cell)
    assert isinstance(found, Estimate), found
    return found


def test_a_batch_is_counted_exactly() -> None:
    """With scripted times, documents an hour, time for a document and facts are what they must be."""
    cells = run("sure?ttft_ms=500&decode_tok_per_s=20&skill=1&scaling=0.5")
    one, two, four = cells
    samples = [sample for trial in one.trials for sample in trial.samples]
    assert len(samples) == 30
    busy_s = sum(0.5 + (sample.completion_tok - 1) / 20 for sample in samples)
    assert value(one, "documents_per_hour").value == pytest.approx(30 * 3600 / busy_s)
    assert value(one, "facts_ratio").value == 1.0
    assert value(one, "facts_ratio").low < 0.95, "thirty documents, not 120 facts, are what it rests on"
    assert abs(value(one, "speed_change_ratio").value) < 1e-6
    assert value(two, "documents_per_hour").value > 1.2 * value(one, "documents_per_hour").value
    assert value(four, "throughput_tok_per_s").value > value(two, "throughput_tok_per_s").value
    assert "120 of 120 facts" in meaning(one, {name: metric.of_cell(one) for name, metric in METRICS.items()})


def test_a_server_that_slows_down_shows_it() -> None:
    """A speed that falls by 20 % over the documents is found, with an interval that holds the truth."""
    cell = run(
        "tired?ttft_ms=10&decode_tok_per_s=50&skill=1&drift_ratio=0.2&drift_requests=29&noise=0.01",
        BatchOptions(concurrencies=(1,)),
    )[0]
    change = value(cell, "speed_change_ratio")
    assert change.low <= -0.2 <= change.high
    assert change.high < -0.15


def test_half_the_facts_are_half_the_facts() -> None:
    """What a model does not know counts as wrong, and the sentence tells both numbers."""
    cell = run("guess?ttft_ms=10&decode_tok_per_s=500&skill=0.5", BatchOptions(concurrencies=(1,)))[0]
    share = value(cell, "facts_ratio")
    assert 0.2 < share.value < 0.8
    assert share.high - share.low > 0.25, "facts of one document stand or fall together"


def test_requests_are_fresh_and_want_slots() -> None:
    """No two loads share the beginning of a prompt; a server with one slot refuses two at a time."""
    profile = BatchProfile()
    one, two, _ = profile.loads(None)
    served = bench(None)
    first = asyncio.run(profile.requests(one, 0, 1, served))
    assert json.loads(first[0].oracle).keys() == {fact.key for fact in document(0, 0).facts}
    assert len({request.messages[0].content[:20] for request in first}) == len(first)
    with pytest.raises(NotMeasurable, match="1 at a time"):
        asyncio.run(profile.requests(two, 0, 1, served))
    assert profile.loads(512) == ()
    assert len(BatchProfile(quick=True).loads(None)) == 1
