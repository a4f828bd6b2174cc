"""The matrix of models and quantizations and the table of all results, ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log

from llmtester.analysis.summary import CellSummary, Estimate, Measured, MetricInfo, TargetSummary
from llmtester.domain.records import Absent
from llmtester.domain.text import printable
from llmtester.views.numbers import DASH, interval, measured
from llmtester.views.outline import HEADLINE_METRICS, SEVERITY_RANK, STATUS_WORDS, Outline, Question, question_of

LEVELS = 5


def levels(values: Sequence[float], better: str) -> list[int]:
    """1 (worst) to 5 (best) for each value, by equal steps between the extremes, of ratios where all are positive.

    0 for all where no direction is better or all are equal.
    """
    if better == "neither" or not values or min(values) == max(values):
        return [0] * len(values)
    scaled = [log(value) for value in values] if min(values) > 0 else list(values)
    low, extent = min(scaled), max(scaled) - min(scaled)
    ranks = [min(floor((value - low) / extent * LEVELS), LEVELS - 1) if extent else 0 for value in scaled]
    return [LEVELS - rank if better == "lower" else rank + 1 for rank in ranks]


@dataclass(frozen=True, slots=True)
class Column:
    """A metric as a column. ``brief`` columns are shown before the reader asks for all."""

    info: MetricInfo
    brief: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """One value in a table: text for people, exact value and interval for programs, ``level`` 0 to 5 for the colour.

    ``doubt`` is the severity of the worst finding that touches the value, ``doubted`` what it is, in words.
    """

    text: str
    spread: str
    exact: str
    level: int
    reason: str
    doubt: str = ""
    doubted: str = ""


@dataclass(frozen=True, slots=True)
class ResultRow:
    key: str
    target: int
    question: int
    label: str
    asked: str
    standing: str
    rating: str
    status: str
    trials_count: int
    figures: dict[str, Figure]
    memory: Figure


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """A square of the matrix. ``target`` is ``None`` where the combination is not in the plan."""

    target: int | None
    figure: Figure | None
    rating: str
    standing: str


@dataclass(frozen=True, slots=True)
class Matrix:
    quantizations: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    info: MetricInfo
    question: Question


def columns(outline: Outline) -> tuple[Column, ...]:
    return tuple(Column(info, info.name in HEADLINE_METRICS) for info in outline.shown_metrics)


def figure(value: Measured | None, unit: str = "", level: int = 0, doubt: tuple[str, str] = ("", "")) -> Figure:
    """``value`` for a table. The exact numbers are written so that they read back equal."""
    if value is None or isinstance(value, Absent):
        return Figure(DASH, "", "", 0, value.reason if value else "not measured")
    exact = " ".join(repr(number) for number in (value.value, value.low, value.high) if number is not None)
    return Figure(measured(value, unit), interval(value, unit), exact, level, "", *doubt)


def doubt_of(cell: CellSummary, metric: str, *, notes: bool = False) -> tuple[str, str]:
    """Severity and name of the worst finding of ``cell`` that touches ``metric``; empty texts if there is none."""
    found = [finding for finding in cell.findings if (notes or finding.severity != "note") and finding.touches(metric)]
    if not found:
        return ("", "")
    worst = min(found, key=lambda finding: SEVERITY_RANK[finding.severity])
    return (worst.severity, printable(worst.code, 40).replace("_", " "))


def result_rows(outline: Outline, shown: Sequence[Column]) -> tuple[ResultRow, ...]:
    """One row a cell, in the order of ``ranked_cells``."""
    asked = {question: place for place, question in enumerate(outline.questions)}
    heat = _heat(outline, shown)
    rows = []
    for cell in outline.ranked_cells():
        target = outline.targets.get(cell.target)
        rows.append(
            ResultRow(
                key=printable(cell.key, 160),
                target=outline.numbers.get(cell.target, -1),
                question=asked[question_of(cell)],
                label=printable(outline.labels.get(cell.target, cell.target), 80),
                asked=printable(question_of(cell).label, 60),
                standing=outline.standing(cell.target),
                rating=cell.rating.value,
                status=STATUS_WORDS[cell.status],
                trials_count=cell.trials_count,
                figures={
                    name: figure(
                        cell.metrics.get(name), level=heat.get((cell.key, name), 0), doubt=doubt_of(cell, name)
                    )
                    for name in (column.info.name for column in shown)
                },
                memory=figure(target.memory_peak_bytes if target else None, "bytes"),
            )
        )
    return tuple(rows)


def _heat(outline: Outline, shown: Sequence[Column]) -> dict[tuple[str, str], int]:
    """The level of each value among all cells that answer the same question."""
    found: dict[tuple[str, str], int] = {}
    groups: dict[Question, list[CellSummary]] = {}
    for cell in outline.summary.cells:
        groups.setdefault(question_of(cell), []).append(cell)
    for column in shown:
        name = column.info.name
        for cells in groups.values():
            with_value = [(cell, value) for cell in cells if isinstance(value := cell.metrics.get(name), Estimate)]
            ranks = levels([value.value for _, value in with_value], column.info.better)
            found.update({(cell.key, name): rank for (cell, _), rank in zip(with_value, ranks, strict=True)})
    return found


def matrix(outline: Outline, shown: Sequence[Column], rows: Sequence[ResultRow]) -> Matrix | None:
    """Models down, quantizations across, the first shown metric inside; ``None`` where nothing was measured."""
    if not shown or not rows:
        return None
    by_target = {row.target: row for row in rows if row.question == 0}
    quantizations = _quantizations(outline.summary.targets)
    grid: dict[tuple[str, int], dict[str, MatrixCell]] = {}
    for one in outline.contenders:
        number = outline.numbers[one.key]
        row = by_target.get(number)
        cell = MatrixCell(
            number,
            row.figures[shown[0].info.name] if row else None,
            row.rating if row else "not rated",
            outline.standing(one.key),
        )
        _place(grid, one.targets[0], cell)
    ordered = sorted(grid.items(), key=lambda item: (_size(outline, item[0][0]), item[0]))
    empty = MatrixCell(None, None, "", "")
    return Matrix(
        tuple(printable(quantization, 24) for quantization in quantizations),
        tuple(
            (_row_label(name, number_of_row), tuple(cells.get(quantization, empty) for quantization in quantizations))
            for (name, number_of_row), cells in ordered
        ),
        shown[0].info,
        outline.questions[0],
    )


def _place(grid: dict[tuple[str, int], dict[str, MatrixCell]], target: TargetSummary, cell: MatrixCell) -> None:
    """Into the first row of its model where the square is free: the same file may be run with several settings."""
    number_of_row = 0
    while target.model.quantization in grid.setdefault((target.model.name, number_of_row), {}):
        number_of_row += 1
    grid[target.model.name, number_of_row][target.model.quantization] = cell


def _row_label(name: str, number_of_row: int) -> str:
    shown = printable(name, 60)
    return f"{shown} (variant {number_of_row + 1})" if number_of_row else shown


def _size(outline: Outline, name: str) -> float:
    sizes = [
        target.model.parameters_count or target.model.size_bytes
        for target in outline.summary.targets
        if target.model.name == name
    ]
    return float(min(sizes))


def _quantizations(targets: Sequence[TargetSummary]) -> list[str]:
    """From the smallest to the largest, by bits a weight where known, else by size."""
    weight: dict[str, float] = {}
    for target in targets:
        bits = target.model.bits_per_weight
        size = bits if bits is not None else 8.0 * target.model.size_bytes / (target.model.parameters_count or 1e30)
        weight[target.model.quantization] = max(weight.get(target.model.quantization, 0.0), size)
    return sorted(weight, key=lambda name: (weight[name], name))
