"""What the report page says, section by section, ready for the template: no markup here, and no formula."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmtester.analysis.summary import Advice, CellSummary, Estimate, Rating, TargetSummary
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, human_duration, printable
from llmtester.views.numbers import finite, interval, measured, number
from llmtester.views.outline import STATUS_WORDS, Outline, Question, question_of
from llmtester.views.tables import Figure, figure

LOG_LINES_LIMIT = 40
LOG_LINE_LIMIT = 400
TRIALS_SHOWN = ("decode_tok_per_s", "ttft_ms")
"""Metrics whose trials are drawn in the details of a model."""


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
    """The advice for one use."""

    use: str
    verdict: str
    certainty: str
    why: tuple[str, ...]
    winner: str
    target: int | None
    ties: tuple[str, ...]
    rating: str
    figures: tuple[KeyFigure, ...]
    measured_with: str
    meaning: str


def cards(outline: Outline) -> tuple[Card, ...]:
    """One card per advice; the first is the answer at the top of the page."""
    numbers = {target.key: place for place, target in enumerate(outline.ranked_targets())}
    return tuple(_card(outline, advice, numbers) for advice in outline.summary.advice)


def _card(outline: Outline, advice: Advice, numbers: dict[str, int]) -> Card:
    basis = outline.basis(advice)
    target = outline.targets.get(advice.winner or (basis[0].target if basis else ""))
    meaning = basis[0].meaning if basis else ""
    return Card(
        use=advice.use,
        verdict=advice.verdict,
        certainty=advice.certainty,
        why=tuple(reason for reason in advice.why if reason != meaning),
        winner=outline.labels.get(advice.winner, "") if advice.winner else "",
        target=numbers.get(advice.winner) if advice.winner else None,
        ties=tuple(outline.labels.get(key, key) for key in advice.ties),
        rating=target.rating.value if target else Rating.NOT_RATED.value,
        figures=tuple(_key_figures(outline, basis[0], target)) if basis else (),
        measured_with=question_of(basis[0]).explained if basis else "",
        meaning=meaning,
    )


def _key_figures(outline: Outline, cell: CellSummary, target: TargetSummary | None) -> list[KeyFigure]:
    found = []
    for name in ("decode_tok_per_s", "ttft_ms"):
        estimate, info = outline.estimate(cell, name), outline.metrics.get(name)
        if estimate and info:
            seconds = info.unit == "ms" and estimate.value >= 1000
            scale, unit = (1e3, "s") if seconds else (1.0, info.unit)
            found.append(_key_figure(estimate, scale, unit, info.title))
    peak = finite(target.memory_peak_bytes) if target else None
    if peak:
        text, _, unit = human_bytes(peak.value).partition(" ")
        limit = outline.summary.machine.memory_limit_bytes or outline.summary.machine.memory_bytes
        found.append(KeyFigure(text, unit, "Memory at most", f"of {human_bytes(limit)}", repr(peak.value)))
    return found


def _key_figure(estimate: Estimate, scale: float, unit: str, title: str) -> KeyFigure:
    scaled = Estimate(
        estimate.value / scale,
        None if estimate.low is None else estimate.low / scale,
        None if estimate.high is None else estimate.high / scale,
        estimate.trials_count,
    )
    trials = f"{estimate.trials_count} trial" + ("" if estimate.trials_count == 1 else "s")
    spread = f"{interval(scaled)} in {trials}" if interval(scaled) else f"{trials}, too few for an interval"
    return KeyFigure(number(scaled.value), unit, title, spread, repr(estimate.value))


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric of one target over the questions that it was asked; ``trials`` are drawn for the first."""

    name: str
    title: str
    unit: str
    figures: tuple[Figure, ...]
    trials: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one target."""

    number: int
    label: str
    standing: str
    rating: str
    lead: str
    asked: tuple[str, ...]
    meanings: tuple[tuple[str, str, str], ...]
    lines: tuple[MetricLine, ...]
    facts: tuple[tuple[str, str], ...]
    command: str
    failure: str
    failure_fix: str
    log: str


def details(outline: Outline) -> tuple[Detail, ...]:
    """One per target, in the order of ``ranked_targets``."""
    return tuple(_detail(outline, place, target) for place, target in enumerate(outline.ranked_targets()))


def _detail(outline: Outline, place: int, target: TargetSummary) -> Detail:
    order = {question: rank for rank, question in enumerate(outline.questions)}
    cells = sorted(outline.cells_of[target.key], key=lambda cell: order[question_of(cell)])
    with_values = [cell for cell in cells if any(isinstance(value, Estimate) for value in cell.metrics.values())]
    return Detail(
        number=place,
        label=printable(outline.labels[target.key], 100),
        standing=outline.standing(target.key),
        rating=target.rating.value,
        lead=_lead(outline, with_values, target),
        asked=tuple(question_of(cell).label for cell in with_values),
        meanings=tuple((question_of(cell).label, STATUS_WORDS[cell.status], _sentence(cell)) for cell in cells),
        lines=tuple(_lines(outline, with_values)),
        facts=tuple(_facts(target)),
        command=printable(shlex.join(target.facts.command), 4000) if target.facts else "",
        failure=target.failure,
        failure_fix=target.failure_fix,
        log="\n".join(printable(line, LOG_LINE_LIMIT) for line in target.log_tail[-LOG_LINES_LIMIT:]),
    )


def _sentence(cell: CellSummary) -> str:
    said = cell.meaning or cell.reason or "No result."
    because = f" Rated {cell.rating.value} because of: {cell.rating_because}." if cell.rating_because else ""
    return f"{said}{because}"


def _lead(outline: Outline, cells: Sequence[CellSummary], target: TargetSummary) -> str:
    """The figures in the closed line of a model."""
    if not cells:
        return "not measured"
    parts = [
        measured(estimate, outline.metrics[name].unit)
        for name in TRIALS_SHOWN
        if (estimate := outline.estimate(cells[0], name))
    ]
    peak = finite(target.memory_peak_bytes)
    return " · ".join([*parts, *([human_bytes(peak.value)] if peak else [])])


def _lines(outline: Outline, cells: Sequence[CellSummary]) -> list[MetricLine]:
    return [
        MetricLine(
            info.name,
            info.title,
            info.unit,
            tuple(figure(cell.metrics.get(info.name)) for cell in cells),
            cells[0].per_trial.get(info.name, ()) if info.name in TRIALS_SHOWN else (),
        )
        for info in (outline.shown_metrics if cells else ())
    ]


def _facts(target: TargetSummary) -> list[tuple[str, str]]:
    model, settings = target.model, target.settings
    found = [
        ("File", model.path),
        ("File size", human_bytes(model.size_bytes)),
        ("Architecture", model.architecture or "not stated"),
        ("Parameters", f"{number(model.parameters_count / 1e9)} billion" if model.parameters_count else "not stated"),
        ("Bits per weight", number(model.bits_per_weight) if model.bits_per_weight else "not stated"),
        ("Licence", model.licence or "not stated"),
        ("Content", model.fingerprint),
        ("Engine", target.engine),
        ("Context per slot", f"{number(settings.context_tok)} tokens"),
        ("Starts", str(target.starts_count)),
        ("Time to load", _or_reason(target.load_s, "s")),
        ("Peak memory", _or_reason(target.memory_peak_bytes, "bytes")),
        ("Expected memory", _or_reason(target.memory_expected_bytes, "bytes")),
    ]
    if target.facts:
        found.append(("Build", target.facts.build))
        found += [
            (f"Buffer, {buffer.device}", f"{buffer.purpose}: {human_bytes(buffer.size_bytes)}")
            for buffer in target.facts.buffers
        ]
        if target.facts.system_info:
            found.append(("Features", target.facts.system_info))
    return found


def _or_reason(value: Estimate | Absent, unit: str) -> str:
    return value.reason if isinstance(value, Absent) else measured(value, unit)


def settings_rows(outline: Outline) -> list[tuple[str, str, str]]:
    """Name, value and origin of every setting."""
    rows = []
    for name, entry in outline.summary.settings.items():
        known: dict[str, Any] = entry if isinstance(entry, dict) else {"value": entry}
        value = json.dumps(known.get("value"), ensure_ascii=False, default=str)
        rows.append((name, value, str(known.get("origin", "not recorded"))))
    return rows


def machine_rows(outline: Outline) -> list[tuple[str, str]]:
    machine = outline.summary.machine
    return [
        ("System", f"{machine.system} ({machine.architecture})"),
        ("Processor", machine.cpu_model),
        ("Cores", f"{machine.physical_cores} physical, {machine.logical_cores} logical"),
        ("Cores this program may use", number(machine.cpu_limit_cores)),
        ("Memory", human_bytes(machine.memory_bytes)),
        ("Memory this program may use", human_bytes(machine.memory_limit_bytes)),
        ("Swap", human_bytes(machine.swap_bytes)),
        ("Graphics", ", ".join(machine.gpus) or "none found"),
        ("Power", machine.power_source or "not known"),
        ("Frequency governor", machine.governor or "not known"),
        ("Python", machine.python_version),
    ]


def run_rows(outline: Outline) -> list[tuple[str, str]]:
    summary = outline.summary
    engines = sorted({f"{target.engine} {target.facts.build}" for target in summary.targets if target.facts})
    return [
        ("Run", summary.run_id),
        ("Plan", summary.plan_digest),
        ("llmtester", summary.version),
        ("Time spent", human_duration(summary.duration_s)),
        ("Resumed", f"{summary.resumed_count} times" if summary.resumed_count else "never"),
        ("Engines", ", ".join(engines[:12]) or "none started"),
    ]


def gap_names(outline: Outline, cells: Sequence[CellSummary], limit_count: int = 12) -> str:
    """The targets and questions of unmeasured cells, shortened."""
    names = list(dict.fromkeys(outline.labels.get(cell.target, cell.target) for cell in cells))
    shown = ", ".join(printable(name, 80) for name in names[:limit_count])
    return shown + (f" and {len(names) - limit_count} more" if len(names) > limit_count else "")


def asked_labels(questions: Sequence[Question]) -> tuple[str, ...]:
    return tuple(printable(question.explained, 120) for question in questions)
