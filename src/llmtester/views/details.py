"""Everything about one model file: sentences, figures, servers, commands, and why it failed if it did."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmtester.analysis.advice_rules import INTERACTIVE
from llmtester.analysis.contenders import Contender
from llmtester.analysis.lay_terms import in_words
from llmtester.analysis.serving import redacted
from llmtester.analysis.summary import CellSummary, Estimate, TargetSummary
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, printable
from llmtester.domain.work import ModelRef
from llmtester.views.numbers import finite, measured, number
from llmtester.views.outline import STATUS_WORDS, Outline, question_of
from llmtester.views.tables import Figure, doubt_of, figure

LOG_LINES_LIMIT = 40
LOG_LINE_LIMIT = 400
FIGURES_LIMIT_CELLS = 400
"""In a larger run the figures of a model are only in the table of all results, where they can be filtered."""

TRIALS_SHOWN = ("decode_tok_per_s", "ttft_ms")
"""Metrics whose trials are drawn in the details of a model."""


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric of one file over the questions that it was asked; ``trials`` are drawn for the first."""

    name: str
    title: str
    unit: str
    figures: tuple[Figure, ...]
    trials: tuple[float, ...]
    outliers: str


@dataclass(frozen=True, slots=True)
class Server:
    """One way in which the file was served: for which profiles, with which facts and which command."""

    title: str
    facts: tuple[tuple[str, str], ...]
    command: str
    log: str


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one model file."""

    number: int
    label: str
    standing: str
    rating: str
    lead: str
    asked: tuple[str, ...]
    meanings: tuple[tuple[str, str, str], ...]
    lines: tuple[MetricLine, ...]
    facts: tuple[tuple[str, str], ...]
    servers: tuple[Server, ...]
    failure: str
    failure_fix: str


def details(outline: Outline) -> tuple[Detail, ...]:
    """One per model file, in the order of ``ranked_contenders``."""
    return tuple(_detail(outline, place, one) for place, one in enumerate(outline.ranked_contenders))


def _detail(outline: Outline, place: int, one: Contender) -> Detail:
    order = {question: rank for rank, question in enumerate(outline.questions)}
    cells = sorted(one.cells, key=lambda cell: order[question_of(cell)])
    with_values = [cell for cell in cells if any(isinstance(value, Estimate) for value in cell.metrics.values())]
    failed = next((target for target in one.targets if target.failure), None)
    return Detail(
        number=place,
        label=printable(outline.labels[one.key], 100),
        standing=outline.standing(one.key),
        rating=outline.rating_of(one).value,
        lead=_lead(outline, with_values, one),
        asked=tuple(question_of(cell).label for cell in with_values),
        meanings=tuple(_meanings(cells)),
        lines=tuple(_lines(outline, with_values)) if len(outline.summary.cells) <= FIGURES_LIMIT_CELLS else (),
        facts=tuple(_facts(one.model)),
        servers=tuple(_server(outline, target, len(one.targets) > 1) for target in one.targets),
        failure=failed.failure if failed else "",
        failure_fix=failed.failure_fix if failed else "",
    )


def _meanings(cells: Sequence[CellSummary]) -> Iterator[tuple[str, str, str]]:
    """Question, status and sentence; cells of one profile that say the same are told once."""
    told: dict[tuple[str, str, str], list[CellSummary]] = {}
    for cell in cells:
        told.setdefault((cell.profile, STATUS_WORDS[cell.status], _sentence(cell)), []).append(cell)
    for (profile, status, sentence), same in told.items():
        yield (question_of(same[0]).label if len(same) == 1 else profile), status, sentence


def _sentence(cell: CellSummary) -> str:
    enough = in_words(cell.suits) if cell.profile == INTERACTIVE else ""
    said = " ".join(filter(None, (cell.meaning or cell.reason or "No result.", enough)))
    because = f" Rated {cell.rating.value} because of: {cell.rating_because}." if cell.rating_because else ""
    ended = f" ({cell.reason})" if cell.status == "done" and cell.reason and cell.meaning else ""
    return f"{said}{because}{ended}"


def _lead(outline: Outline, cells: Sequence[CellSummary], one: Contender) -> str:
    """The figures in the closed line of a model."""
    if not cells:
        return "not measured"
    parts = [
        measured(estimate, outline.metrics[name].unit)
        for name in TRIALS_SHOWN
        if (estimate := outline.estimate(cells[0], name))
    ]
    peak = finite(one.memory(cells[0].profile))
    return " · ".join([*parts, *([human_bytes(peak.value)] if peak else [])])


def _lines(outline: Outline, cells: Sequence[CellSummary]) -> list[MetricLine]:
    return [
        MetricLine(
            info.name,
            info.title,
            info.unit,
            tuple(figure(cell.metrics.get(info.name), doubt=doubt_of(cell, info.name, notes=True)) for cell in cells),
            cells[0].per_trial.get(info.name, ()) if info.name in TRIALS_SHOWN else (),
            _outliers(cells, info.name),
        )
        for info in (outline.shown_metrics if cells else ())
    ]


def _outliers(cells: Sequence[CellSummary], metric: str) -> str:
    """Which trials do not belong to the rest; they are in the figures all the same."""
    found = [
        f"{question_of(cell).label}: trial {', '.join(str(number + 1) for number in numbers)}"
        for cell in cells
        if (numbers := cell.outliers.get(metric, ()))
    ]
    return f"outliers, kept: {'; '.join(found)}" if found else ""


def _facts(model: ModelRef) -> list[tuple[str, str]]:
    return [
        ("File", model.path),
        ("File size", human_bytes(model.size_bytes)),
        ("Architecture", model.architecture or "not stated"),
        ("Parameters", f"{number(model.parameters_count / 1e9)} billion" if model.parameters_count else "not stated"),
        ("Bits per weight", number(model.bits_per_weight) if model.bits_per_weight else "not stated"),
        ("Licence", model.licence or "not stated"),
        ("Content", model.fingerprint),
    ]


def _server(outline: Outline, target: TargetSummary, several: bool) -> Server:
    settings, facts = target.settings, target.facts
    profiles = ", ".join(dict.fromkeys(cell.profile for cell in outline.cells_of[target.key]))
    found = [
        ("Engine", target.engine),
        ("Context per slot", f"{number(settings.context_tok)} tokens"),
        ("Slots", str(settings.slots)),
        ("Starts", str(target.starts_count)),
        ("Time to load", _or_reason(target.load_s, "s")),
        ("Peak memory", _or_reason(target.memory_peak_bytes, "bytes")),
        *([("Memory left", target.memory_meaning)] if target.memory_meaning else []),
        ("Expected memory", _or_reason(target.memory_expected_bytes, "bytes")),
    ]
    if facts:
        found.append(("Build", facts.build))
        found += [
            (f"Buffer, {buffer.device}", f"{buffer.purpose}: {human_bytes(buffer.size_bytes)}")
            for buffer in facts.buffers
        ]
        if facts.system_info:
            found.append(("Features", facts.system_info))
    return Server(
        title=f"Server for {profiles}" if several and profiles else "Server and memory",
        facts=tuple(found),
        command=printable(shlex.join(redacted(facts.command)), 4000) if facts else "",
        log="\n".join(printable(line, LOG_LINE_LIMIT) for line in target.log_tail[-LOG_LINES_LIMIT:]),
    )


def _or_reason(value: Estimate | Absent, unit: str) -> str:
    return value.reason if isinstance(value, Absent) else measured(value, unit)
