"""One row per cell for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from llmtester.analysis.summary import CellSummary, Measured, Summary, TargetSummary
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
        targets = {target.key: target for target in summary.targets}
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow([text_cell(name) for name in columns(summary)])
        for cell in summary.cells:
            writer.writerow(_row(summary, cell, targets.get(cell.target)))
        return buffer.getvalue().encode("utf-8", "backslashreplace")


def _row(summary: Summary, cell: CellSummary, target: TargetSummary | None) -> list[str]:
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
