"""The charts of a report as values: speed, memory, evenness. Those of quality and stress are beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from llmtester.analysis.advice_rules import QUALITY
from llmtester.analysis.summary import CellSummary, MetricInfo
from llmtester.domain.text import printable
from llmtester.views.chart_kinds import LABEL_LIMIT, Axis, Chart, Plot, Point, Row, Rows, Series
from llmtester.views.numbers import finite, quantity
from llmtester.views.outline import Outline, Question, question_of
from llmtester.views.quality_charts import changed_by_bits, right_by_bits, tradeoff
from llmtester.views.stress_charts import over_time

ROWS_LIMIT = 30
"""Rows of one chart; a longer list is read in the table, not in a picture."""

LADDER_LIMIT = 7
"""Rows of the small chart beside the answer."""


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
    makers: Sequence[Callable[[Outline], Chart | None]] = (
        tradeoff,
        speed_by_size,
        right_by_bits,
        changed_by_bits,
        memory,
        gaps,
        speed_at_depth,
    )
    return [*(chart for make in makers if (chart := make(outline))), *over_time(outline)]


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
            label = printable(outline.server_label(target), LABEL_LIMIT)
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
    """Writing speed against the length of the prompt, for the profile that asks with the most lengths."""
    info = outline.metrics.get("decode_tok_per_s")
    lengths: dict[str, set[int]] = {}
    for cell in outline.summary.cells:
        if cell.profile != QUALITY and outline.estimate(cell, "decode_tok_per_s"):
            lengths.setdefault(cell.profile, set()).add(cell.load.prompt_tok)
    profile = max(lengths, key=lambda name: len(lengths[name]), default="")
    if info is None or not profile:
        return None
    series = []
    for one in outline.ranked_contenders:
        label, standing = printable(outline.labels[one.key], LABEL_LIMIT), outline.standing(one.key)
        points = {
            cell.load.prompt_tok: Point(
                label, float(cell.load.prompt_tok), estimate.value, standing, estimate.low, estimate.high
            )
            for cell in one.cells_of(profile)
            if (estimate := outline.estimate(cell, info.name))
        }
        if len(points) > 1:
            series.append(Series(label, standing, tuple(points[length] for length in sorted(points))))
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
