"""What one cell means for a person who knows nothing about inference: a sentence for each kind of work."""

from __future__ import annotations

from collections.abc import Mapping

from llmtester.analysis import ratings, stress, work_metrics
from llmtester.analysis.endurance import is_continuous
from llmtester.analysis.state import CellState
from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.text import human_duration

PILE_COUNT = 30
"""A pile of documents that one can imagine."""


def meaning(cell: CellState, metrics: Mapping[str, Measured]) -> str:
    """One sentence about a cell that has trials."""
    if is_continuous(cell):
        return stress.result(cell).sentence
    speed = metrics.get("documents_per_hour")
    if isinstance(speed, Estimate):
        right, asked = work_metrics.facts_counts(cell)
        pile = human_duration(PILE_COUNT * 3600 / speed.value)
        return f"{PILE_COUNT} documents of a page take about {pile}; {right} of {asked} facts are found right."
    return ratings.meaning(metrics, cell.cell.load.prompt_tok)
