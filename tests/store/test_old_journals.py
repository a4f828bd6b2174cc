"""Journals of every schema that was ever written are frozen here and must still be read and reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate
from llmtester.store import journal, schema
from tests.worlds import LENS

FOLDER = Path(__file__).parents[1] / "data" / "journals"


def test_there_is_a_journal_of_every_schema() -> None:
    """Raising the schema without freezing a sample of the old one is not possible."""
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == {f"schema-{n}" for n in range(1, schema.SCHEMA + 1)}


@pytest.mark.parametrize("version", range(1, schema.SCHEMA + 1))
def test_old_journals_say_what_they_said(version: int) -> None:
    """The frozen run has one good model, one that did not load and one whose server died twice."""
    recorded = journal.read(FOLDER / f"schema-{version}.jsonl")
    assert recorded.damage is None
    summary = summarise(RunState(recorded.events), LENS)
    assert [cell.status for cell in summary.cells] == ["done", "failed", "failed"]
    assert summary.cells[0].metrics["ttft_ms"] == Estimate(20.0, 20.0, 20.0, 5)
    assert summary.outcome == "finished"
