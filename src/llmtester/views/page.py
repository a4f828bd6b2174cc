"""The answers at the top of the report page, ready for the template: no markup here, and no formula."""

from __future__ import annotations

from dataclasses import dataclass

from llmtester.analysis.advice_rules import LONG_CONTEXT, QUALITY
from llmtester.analysis.summary import Advice, CellSummary, Estimate, Rating, TargetSummary
from llmtester.domain.text import counted, human_bytes, printable
from llmtester.views.depth_page import LIMITS
from llmtester.views.numbers import finite, interval, number
from llmtester.views.outline import Outline, question_of


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One big number: ``text`` with its ``unit``, what it is, and its spread in words. ``value`` is exact."""

    text: str
    unit: str
    title: str
    spread: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """The advice for one use. Texts are untrusted; ``target`` is the number of the winner's details."""

    use: str
    verdict: str
    certainty: str
    basis: str
    why: tuple[str, ...]
    cautions: tuple[str, ...]
    changes: tuple[str, ...]
    winner: str
    target: int | None
    ties: tuple[str, ...]
    runner_up: str
    rating: str
    figures: tuple[KeyFigure, ...]
    measured_with: str
    meaning: str
    floor: str
    next_command: str
    command: str
    modelfile: str


def cards(outline: Outline) -> tuple[Card, ...]:
    """One card per advice; the first is the answer at the top of the page."""
    return tuple(_card(outline, advice) for advice in outline.summary.advice)


def _card(outline: Outline, advice: Advice) -> Card:
    basis = outline.basis(advice)
    target = outline.targets.get(advice.winner or (basis[0].target if basis else ""))
    meaning = basis[0].meaning if basis and basis[0].profile != QUALITY else ""
    rating = advice.rating if advice.rating is not Rating.NOT_RATED or target is None else target.rating
    return Card(
        use=advice.use,
        verdict=advice.verdict,
        certainty=advice.certainty,
        basis=advice.basis,
        why=tuple(reason for reason in advice.why if reason != meaning),
        cautions=advice.cautions,
        changes=advice.changes,
        winner=outline.labels.get(advice.winner, "") if advice.winner else "",
        target=outline.numbers.get(advice.winner) if advice.winner else None,
        ties=tuple(outline.labels.get(key, key) for key in advice.ties),
        runner_up=outline.labels.get(advice.runner_up or "", ""),
        rating=rating.value,
        figures=tuple(_key_figures(outline, advice, basis[0], target)) if basis else (),
        measured_with=question_of(basis[0]).explained if basis else "",
        meaning=meaning,
        floor=advice.floor,
        next_command=advice.next_command,
        command=printable(advice.command, 4000),
        modelfile=advice.modelfile,
    )


FIGURES_LIMIT = 3


def _key_figures(outline: Outline, advice: Advice, cell: CellSummary, target: TargetSummary | None) -> list[KeyFigure]:
    """The value that decided first, then speed, wait and memory, as far as they were measured."""
    usable = next((one for one in outline.summary.usable_context if target and one.target == target.key), None)
    found = []
    if usable and isinstance(usable.context_tok, Estimate) and LONG_CONTEXT in advice.profiles:
        tok = usable.context_tok.value
        found.append(KeyFigure(number(tok), "tokens", "Usable context", LIMITS[usable.ended_by], repr(tok)))
    for name in dict.fromkeys((advice.metric, "decode_tok_per_s", "ttft_ms")):
        estimate, info = outline.estimate(cell, name), outline.metrics.get(name)
        if estimate and info:
            seconds = info.unit == "ms" and estimate.value >= 1000
            scale, unit = (1e3, "s") if seconds else (1.0, info.unit)
            found.append(_key_figure(estimate, scale, unit, info.title))
    right = outline.contender_of[target.key].right_ratio if target else None
    if isinstance(right, Estimate) and QUALITY in advice.profiles:
        found.append(_key_figure(right, 0.01, "%", "Right answers", "question"))
    peak = finite(target.memory_peak_bytes) if target else None
    if peak:
        text, _, unit = human_bytes(peak.value).partition(" ")
        limit = outline.summary.machine.memory_limit_bytes or outline.summary.machine.memory_bytes
        memory = KeyFigure(text, unit, "Memory at most", f"of {human_bytes(limit)}", repr(peak.value))
        found = [memory, *found] if advice.metric == "memory_peak_bytes" else [*found[:FIGURES_LIMIT], memory]
    return found


def _key_figure(estimate: Estimate, scale: float, unit: str, title: str, count: str = "trial") -> KeyFigure:
    scaled = Estimate(
        estimate.value / scale,
        None if estimate.low is None else estimate.low / scale,
        None if estimate.high is None else estimate.high / scale,
        estimate.trials_count,
    )
    trials = counted(estimate.trials_count, count)
    spread = f"{interval(scaled)} in {trials}" if interval(scaled) else f"{trials}, too few for an interval"
    return KeyFigure(number(scaled.value), unit, title, spread, repr(estimate.value))
