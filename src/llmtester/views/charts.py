"""The charts of a report as values: what is drawn, independent of how. ``svg`` and ``figures`` draw them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from llmtester.analysis.summary import CellSummary, MetricInfo
from llmtester.domain.text import printable
from llmtester.views.numbers import finite, quantity
from llmtester.views.outline import Outline, Question, question_of

ROWS_LIMIT = 30
"""Rows of one chart; a longer list is read in the table, not in a picture."""

LADDER_LIMIT = 7
"""Rows of the small chart beside the answer."""

LABEL_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Axis:
    title: str
    unit: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One target in a list chart. ``dots`` are single observations; ``reference`` is a second value to compare."""

    label: str
    standing: str
    value: float
    low: float | None = None
    high: float | None = None
    dots: tuple[float, ...] = ()
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of targets with one value each. ``limit`` is a line that no value should cross."""

    id: str
    kind: Literal["strip", "bar", "range"]
    title: str
    lead: str
    axis: Axis
    rows: tuple[Row, ...]
    left_out_count: int = 0
    limit: float | None = None
    limit_label: str = ""
    reference_label: str = ""

    @property
    def top(self) -> float:
        """The end of the axis, which starts at zero."""
        values = [row.value for row in self.rows] + [row.high or 0.0 for row in self.rows]
        values += [dot for row in self.rows for dot in row.dots] + [row.reference or 0.0 for row in self.rows]
        return max([*values, self.limit or 0.0, 1e-9]) * 1.04


@dataclass(frozen=True, slots=True)
class Point:
    label: str
    x: float
    y: float
    standing: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, in the order of ``x``, with a name to write beside them."""

    label: str
    standing: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over two numeric axes, both starting at zero."""

    id: str
    title: str
    lead: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]

    @property
    def right(self) -> float:
        return max((point.x for line in self.series for point in line.points), default=1.0) * 1.06

    @property
    def top(self) -> float:
        return max((max(p.y, p.high or 0.0) for line in self.series for p in line.points), default=1.0) * 1.08


Chart: TypeAlias = Rows | Plot

_HINTS = {"higher": "longer is better", "lower": "shorter is better", "neither": ""}


def strips(outline: Outline) -> list[Rows]:
    """For each headline metric: every trial of every target as a dot, with the median and its interval."""
    if not outline.questions:
        return []
    question = outline.questions[0]
    return [
        chart
        for name in ("decode_tok_per_s", "ttft_ms", "prefill_tok_per_s", "e2e_ms")
        if name in outline.metrics and (chart := _strip(outline, question, outline.metrics[name]))
    ]


def ladder(outline: Outline) -> Rows | None:
    """The first strip cut to what fits beside the answer; ``None`` if there is nothing to compare."""
    first = next(iter(strips(outline)), None)
    if first is None or len(first.rows) < 2:
        return None
    rows, left_out = _cut(list(first.rows), LADDER_LIMIT)
    return replace(first, id="ladder", rows=rows, left_out_count=first.left_out_count + left_out)


def _strip(outline: Outline, question: Question, info: MetricInfo) -> Rows | None:
    found = []
    for cell in _of(outline, question):
        estimate = outline.estimate(cell, info.name)
        if estimate:
            dots = cell.per_trial.get(info.name, ())
            found.append(
                Row(
                    _label(outline, cell),
                    outline.standing(cell.target),
                    estimate.value,
                    estimate.low,
                    estimate.high,
                    dots,
                )
            )
    if not found:
        return None
    found.sort(key=lambda row: row.value, reverse=info.better != "lower")
    hint = {"higher": "further right is better", "lower": "further left is better", "neither": ""}[info.better]
    rows, left_out = _cut(found)
    return Rows(
        f"strip-{info.name.replace('_', '-')}",
        "strip",
        info.title,
        f"Each dot is one trial, the upright line the median, the bar its 95 % interval. {question.explained}.",
        Axis(info.title, info.unit, hint),
        rows,
        left_out,
    )


def plots(outline: Outline) -> list[Chart]:
    """The charts that explain: those for which this run has data, in the order in which they are shown."""
    makers: Sequence[Callable[[Outline], Chart | None]] = (speed_by_size, speed_at_depth, memory, gaps)
    return [chart for make in makers if (chart := make(outline))]


def speed_by_size(outline: Outline) -> Plot | None:
    """Writing speed against file size: quantizations of one model are joined by a line."""
    info = outline.metrics.get("decode_tok_per_s")
    if not outline.questions or info is None:
        return None
    question = outline.questions[0]
    models: dict[str, list[Point]] = {}
    for cell in _of(outline, question):
        target, estimate = outline.targets.get(cell.target), outline.estimate(cell, info.name)
        if target and estimate and target.model.size_bytes > 0:
            point = Point(
                _label(outline, cell),
                target.model.size_bytes / 1e9,
                estimate.value,
                outline.standing(cell.target),
                estimate.low,
                estimate.high,
            )
            models.setdefault(target.model.name, []).append(point)
    if sum(len(points) for points in models.values()) < 2:
        return None
    series = tuple(
        Series(printable(name, LABEL_LIMIT), _best(points), tuple(sorted(points, key=lambda point: point.x)))
        for name, points in models.items()
    )
    return Plot(
        "speed-by-size",
        "Speed against file size",
        "Every token needs the whole model read once, so larger files write more slowly. "
        "Points of one model at different quantizations are joined.",
        Axis("File size", "GB"),
        Axis(info.title, info.unit, "higher is better"),
        series,
    )


def memory(outline: Outline) -> Rows | None:
    """Peak memory of each target against what the machine has."""
    limit = float(outline.summary.machine.memory_limit_bytes or outline.summary.machine.memory_bytes)
    found = []
    for target in outline.ranked_targets():
        peak = finite(target.memory_peak_bytes)
        if peak:
            expected = finite(target.memory_expected_bytes)
            label = printable(outline.labels[target.key], LABEL_LIMIT)
            standing = outline.standing(target.key)
            found.append(Row(label, standing, peak.value, reference=expected.value if expected else None))
    if not found:
        return None
    found.sort(key=lambda row: row.value)
    rows, left_out = _cut(found)
    return Rows(
        "memory",
        "bar",
        "Memory",
        f"The most that the server held at once, model file included. This machine has {quantity(limit, 'bytes')}.",
        Axis("Peak memory", "bytes", _HINTS["lower"]),
        rows,
        left_out,
        limit=limit,
        limit_label="all memory",
        reference_label="expected before the start",
    )


def gaps(outline: Outline) -> Rows | None:
    """How evenly tokens arrive: the median gap, and the one that 95 of 100 stay under."""
    half, most = outline.metrics.get("itl_p50_ms"), outline.metrics.get("itl_p95_ms")
    if not outline.questions or half is None or most is None:
        return None
    question = outline.questions[0]
    found = []
    for cell in _of(outline, question):
        middle, upper = outline.estimate(cell, half.name), outline.estimate(cell, most.name)
        if middle and upper:
            low, high = sorted((middle.value, upper.value))
            found.append(Row(_label(outline, cell), outline.standing(cell.target), middle.value, low, high))
    if not found:
        return None
    found.sort(key=lambda row: row.high or row.value)
    rows, left_out = _cut(found)
    return Rows(
        "gaps",
        "range",
        "How evenly it writes",
        f"From the median gap between two tokens to the gap that 95 of 100 stay under. {question.explained}.",
        Axis("Gap between tokens", half.unit, "shorter and further left is better"),
        rows,
        left_out,
    )


def speed_at_depth(outline: Outline) -> Plot | None:
    """Writing speed against the length of the prompt, where a profile has loads of several lengths."""
    info = outline.metrics.get("decode_tok_per_s")
    if info is None:
        return None
    profile = outline.questions[0].profile if outline.questions else ""
    series = []
    for target in outline.ranked_targets():
        points = {
            cell.load.prompt_tok: Point(
                printable(outline.labels[target.key], LABEL_LIMIT),
                float(cell.load.prompt_tok),
                estimate.value,
                outline.standing(target.key),
                estimate.low,
                estimate.high,
            )
            for cell in outline.cells_of[target.key]
            if cell.profile == profile and (estimate := outline.estimate(cell, info.name))
        }
        if len(points) > 1:
            ordered = tuple(points[length] for length in sorted(points))
            series.append(Series(ordered[0].label, outline.standing(target.key), ordered))
    if not series:
        return None
    return Plot(
        "speed-at-depth",
        "Speed with longer prompts",
        "A longer conversation or document makes every further token a little dearer.",
        Axis("Prompt", "tokens"),
        Axis(info.title, info.unit, "higher is better"),
        tuple(series[:ROWS_LIMIT]),
    )


def _of(outline: Outline, question: Question) -> list[CellSummary]:
    return [cell for cell in outline.ranked_cells() if question_of(cell) == question]


def _label(outline: Outline, cell: CellSummary) -> str:
    return printable(outline.labels.get(cell.target, cell.target), LABEL_LIMIT)


def _best(points: Sequence[Point]) -> str:
    standings = {point.standing for point in points}
    return "winner" if "winner" in standings else "tie" if "tie" in standings else ""


def _cut(rows: list[Row], limit_count: int = ROWS_LIMIT) -> tuple[tuple[Row, ...], int]:
    """The first rows, and always those that the advice is about; and how many were left out."""
    if len(rows) <= limit_count:
        return tuple(rows), 0
    named = [row for row in rows if row.standing]
    room = limit_count - len(named)
    others = {id(row) for row in [row for row in rows if not row.standing][: max(room, 0)]}
    kept = [row for row in rows if row.standing or id(row) in others]
    return tuple(kept), len(rows) - len(kept)
