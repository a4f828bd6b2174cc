"""What the report page says about long documents: how far each file reads, and what every step towards there cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtester.analysis.summary import ContextLimit, ContextStep, UsableContext
from llmtester.domain.text import printable
from llmtester.views.numbers import finite
from llmtester.views.outline import Outline
from llmtester.views.tables import Figure, figure

LIMITS: Mapping[ContextLimit, str] = {
    "speed": "too slow beyond",
    "memory": "memory ends beyond",
    "retrieval": "loses facts beyond",
    "model": "trained for no more",
    "failure": "the server fails beyond",
    "unfinished": "the run did not get further",
    "longest": "nothing longer was asked",
}
"""What ended the climb, in words."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One depth; ``verdict`` says whether it held."""

    depth: str
    wait: Figure
    reading: Figure
    writing: Figure
    found: Figure
    growth: Figure
    verdict: str
    held: bool


@dataclass(frozen=True, slots=True)
class DepthRow:
    """How far one file reads. ``steps`` in rising order; labels and sentences are untrusted."""

    target: int
    label: str
    standing: str
    rating: str
    usable: Figure
    ended: str
    sentence: str
    steps: tuple[StepRow, ...]


def depth_rows(outline: Outline) -> tuple[DepthRow, ...]:
    """The deepest first; empty if the long context profile was not run."""

    def deepest(one: UsableContext) -> float:
        found = finite(one.context_tok)
        return found.value if found else 0.0

    return tuple(
        DepthRow(
            target=outline.numbers.get(one.target, -1),
            label=printable(outline.labels.get(one.target, one.target), 100),
            standing=outline.standing(one.target),
            rating=one.rating.value,
            usable=figure(one.context_tok, "tokens"),
            ended=LIMITS[one.ended_by],
            sentence=one.sentence,
            steps=tuple(_step(step) for step in one.steps),
        )
        for one in sorted(outline.summary.usable_context, key=deepest, reverse=True)
    )


def _step(step: ContextStep) -> StepRow:
    found = finite(step.accuracy_ratio)
    exact = figure(step.accuracy_ratio)
    return StepRow(
        depth=f"{step.context_tok:,}",
        wait=figure(step.ttft_ms, "ms"),
        reading=figure(step.prefill_tok_per_s),
        writing=figure(step.decode_tok_per_s),
        found=Figure(f"{found.value:.0%}" if found else exact.text, "", exact.exact, 0, exact.reason),
        growth=figure(step.memory_growth_bytes, "bytes"),
        verdict=step.because if step.limit else "held",
        held=step.limit is None,
    )
