"""One row per cell for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from llmtester.analysis.summary import CellSummary, Measured, Summary
from llmtester.domain.records import Absent
from llmtester.domain.text import printable

FORMULA_STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    *"\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}",
)
"""First characters that make a spreadsheet evaluate a text (OWASP, CSV injection), full-width forms included."""

TEXT_LIMIT = 32_000
"""Characters kept of one text; a cell of a spreadsheet holds 32,767."""

IDENTITY = (
    "run_id",
    "cell",
    "engine",
    "model",
    "quantization",
    "model_size_bytes",
    "parameters_count",
    "context_tok",
    "slots",
    "profile",
    "load",
    "planned_prompt_tok",
    "planned_output_tok",
    "concurrency",
    "status",
    "reason",
    "rating",
    "rating_because",
    "meaning",
    "trials_count",
    "samples_ok_count",
    "samples_failed_count",
    "load_s",
    "memory_peak_bytes",
    "memory_expected_bytes",
    "quality_rating",
    "questions_right_count",
    "questions_asked_count",
    "usable_context_tok",
)


def text_cell(text: str) -> str:
    """``text`` on one line with everything hidden made visible, and never evaluated: a leading ``'`` where needed."""
    safe = printable(text, TEXT_LIMIT)
    return "'" + safe if safe.lstrip().startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else safe


def columns(summary: Summary) -> tuple[str, ...]:
    """The header: identity, then per metric its value and the ends of its 95 % interval. Units are in the names."""
    metrics = (
        name for info in summary.metrics for name in (info.name, f"{info.name}_ci95_low", f"{info.name}_ci95_high")
    )
    return (*IDENTITY, *metrics)


class CsvExporter:
    """``results.csv``: UTF-8, comma, CRLF (RFC 4180). A value that is absent is an empty field."""

    suffix = "results.csv"

    def render(self, summary: Summary) -> bytes:
        context = _Context(summary)
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow([text_cell(name) for name in columns(summary)])
        for cell in summary.cells:
            writer.writerow(_row(context, cell))
        return buffer.getvalue().encode("utf-8", "backslashreplace")


class _Context:
    """What a row needs beside its cell, by target."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.targets = {target.key: target for target in summary.targets}
        self.quality = {one.target: one for one in summary.quality}
        self.usable = {one.target: one for one in summary.usable_context}

    def questions(self, target: str) -> tuple[int, int] | tuple[None, None]:
        """Right answers and questions asked, over all kinds."""
        one = self.quality.get(target)
        if one is None or isinstance(one.tasks, Absent):
            return None, None
        kinds = one.tasks.categories
        return sum(kind.correct_count for kind in kinds), sum(kind.asked_count for kind in kinds)


def _row(context: _Context, cell: CellSummary) -> list[str]:
    summary, target = context.summary, context.targets.get(cell.target)
    judged, usable = context.quality.get(cell.target), context.usable.get(cell.target)
    row: list[str | int | float | None] = [
        summary.run_id,
        cell.key,
        target.engine if target else None,
        target.model.name if target else None,
        target.model.quantization if target else None,
        target.model.size_bytes if target else None,
        target.model.parameters_count if target else None,
        target.settings.context_tok if target else None,
        target.settings.slots if target else None,
        cell.profile,
        cell.load.name,
        cell.load.prompt_tok,
        cell.load.output_tok,
        cell.load.concurrency,
        cell.status,
        cell.reason,
        cell.rating.value,
        cell.rating_because,
        cell.meaning,
        cell.trials_count,
        cell.samples_ok_count,
        cell.samples_failed_count,
        _value(target.load_s) if target else None,
        _value(target.memory_peak_bytes) if target else None,
        _value(target.memory_expected_bytes) if target else None,
        judged.rating.value if judged else None,
        *context.questions(cell.target),
        _value(usable.context_tok) if usable else None,
    ]
    for info in summary.metrics:
        row += _estimate(cell.metrics.get(info.name))
    return [_field(value) for value in row]


def _field(value: str | float | None) -> str:
    if value is None:
        return ""
    return text_cell(value) if isinstance(value, str) else repr(value)


def _value(value: Measured) -> float | None:
    return None if isinstance(value, Absent) else value.value


def _estimate(value: Measured | None) -> Iterator[float | None]:
    if value is None or isinstance(value, Absent):
        yield from (None, None, None)
    else:
        yield from (value.value, value.low, value.high)
