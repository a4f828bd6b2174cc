"""Charts as inline SVG that stretches: horizontal places are percentages, so text keeps its size on every screen.

Everything returned is ``Markup``; every text in it is escaped. Colours come from the classes of the style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10, sqrt

from markupsafe import Markup, escape

from llmtester.domain.text import human_bytes
from llmtester.views.chart_kinds import Plot, Point, Row, Rows, Series
from llmtester.views.fit import columns, fitted
from llmtester.views.numbers import DASH, number, quantity

TRACK_HEIGHT = 22
PLOT_HEIGHT = 330
LEFT, RIGHT, TOP, BOTTOM = 9.0, 98.0, 14.0, 288.0
"""The frame of a plot: percent of the width on the sides, pixels above and below."""

NAME_LIMIT = 30
NAMES_LIMIT = 6
"""Names in one plot; more of them hide the points, and every point tells its own."""

LABEL_WIDTH_OF_CHARACTER = 1.6
"""Percent of the width that one character of a label takes on the narrowest chart for which labels are placed."""


def ticks(top: float, wanted_count: int = 5) -> list[float]:
    """Round numbers from zero up to ``top``: steps of 1, 2 or 5 times a power of ten."""
    raw = top / wanted_count
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.75)
    return [step * place for place in range(floor(top / step + 1e-9) + 1)]


def scale_number(value: float) -> str:
    """A round number of a scale, without needless digits."""
    return f"{value:,.10g}"


def track(chart: Rows, row: Row) -> Markup:
    """The picture of one row: dots, interval and median of a strip; a bar with its limit; or a range."""
    draw = {"strip": _strip, "bar": _bar, "range": _range}[chart.kind]
    return _svg("track", TRACK_HEIGHT, told(chart, row), draw(chart, row))


def told(chart: Rows, row: Row) -> str:
    """One row in words, for those who do not see the picture."""
    unit = chart.axis.unit
    parts = [f"{row.label}: {quantity(row.value, unit)}"]
    if row.low is not None and row.high is not None:
        joint = "to" if chart.kind == "range" else "95 % interval from"
        parts.append(
            f"to {quantity(row.high, unit)}"
            if chart.kind == "range"
            else f"{joint} {quantity(row.low, unit)} to {quantity(row.high, unit)}"
        )
    if row.dots:
        parts.append(f"{len(row.dots)} trials")
    if row.reference is not None:
        parts.append(f"{chart.reference_label}: {quantity(row.reference, unit)}")
    return ", ".join(parts)


def shown_value(chart: Rows, row: Row) -> str:
    """The figure beside a row: its value, or both ends of a range."""
    if chart.kind == "range" and row.high is not None:
        return f"{number(row.value)}{DASH}{quantity(row.high, chart.axis.unit)}"
    return quantity(row.value, chart.axis.unit)


def axis(chart: Rows) -> Markup:
    """The scale under the rows."""
    top, middle = chart.top, 9.0

    def parts() -> Iterator[str]:
        for value in ticks(top, 4):
            place = value / top * 100
            anchor = "start" if place < 2 else "end" if place > 96 else "middle"
            shown = human_bytes(value) if chart.axis.unit == "bytes" else scale_number(value)
            yield f'<text class="t" x="{place:.2f}%" y="{middle + 5}" text-anchor="{anchor}">{escape(shown)}</text>'

    return _svg("scale", 18, "", parts())


def _strip(chart: Rows, row: Row) -> Iterator[str]:
    middle = TRACK_HEIGHT / 2
    yield f'<line class="rail" x1="0" x2="100%" y1="{middle}" y2="{middle}"/>'
    if row.low is not None and row.high is not None:
        low, high = _percent(chart, row.low), _percent(chart, row.high)
        yield f'<rect class="ci" x="{low}%" width="{max(high - low, 0.2):.2f}%" y="{middle - 5}" height="10" rx="3"/>'
    for order, dot in enumerate(row.dots):
        height = middle + (-2.5, 2.5, 0)[order % 3]
        yield (
            f'<circle class="dot" cx="{_percent(chart, dot)}%" cy="{height}" r="2.6">'
            f"<title>{escape(quantity(dot, chart.axis.unit))}</title></circle>"
        )
    place = _percent(chart, row.value)
    yield f'<line class="mid" x1="{place}%" x2="{place}%" y1="{middle - 8}" y2="{middle + 8}"/>'


def _bar(chart: Rows, row: Row) -> Iterator[str]:
    middle = TRACK_HEIGHT / 2
    yield f'<line class="rail" x1="0" x2="100%" y1="{middle}" y2="{middle}"/>'
    yield f'<rect class="bar" x="0" width="{_percent(chart, row.value)}%" y="{middle - 4}" height="8" rx="2"/>'
    if row.reference is not None:
        place = _percent(chart, row.reference)
        yield f'<line class="ref" x1="{place}%" x2="{place}%" y1="{middle - 8}" y2="{middle + 8}"/>'
    if chart.limit is not None:
        place = _percent(chart, chart.limit)
        yield f'<line class="limit" x1="{place}%" x2="{place}%" y1="0" y2="{TRACK_HEIGHT}"/>'


def _range(chart: Rows, row: Row) -> Iterator[str]:
    middle = TRACK_HEIGHT / 2
    low = _percent(chart, row.low if row.low is not None else row.value)
    high = _percent(chart, row.high if row.high is not None else row.value)
    yield f'<line class="rail" x1="0" x2="100%" y1="{middle}" y2="{middle}"/>'
    yield f'<rect class="ci" x="{low}%" width="{max(high - low, 0.2):.2f}%" y="{middle - 3}" height="6" rx="3"/>'
    yield f'<circle class="dot" cx="{_percent(chart, row.value)}%" cy="{middle}" r="4"/>'
    yield f'<circle class="end" cx="{high}%" cy="{middle}" r="3"/>'


def _percent(chart: Rows, value: float) -> float:
    return round(min(max(value / chart.top, 0.0), 1.0) * 100, 2)


def spark(values: Sequence[float], unit: str) -> Markup:
    """The trials of one metric in order as dots in a small frame; empty for fewer than two."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    extent = (high - low) or 1.0
    step = 100 / len(values)
    dots = (
        f'<circle cx="{(place + 0.5) * step:.1f}%" cy="{15 - (value - low) / extent * 12:.1f}" r="2"/>'
        for place, value in enumerate(values)
    )
    told = f"{len(values)} trials in order, {number(low)} to {quantity(high, unit)}"
    return _svg("spark", 18, told, dots)


def plot(chart: Plot) -> Markup:
    """Lines and points over two axes; names beside them where there is room, the recommended ones first."""
    return _svg("plot-still", PLOT_HEIGHT, f"{chart.title}. The values are in the table of all results.", _plot(chart))


def _plot(chart: Plot) -> Iterator[str]:
    for value in ticks(chart.top):
        y = _y(chart, value)
        yield f'<line class="rail" x1="{LEFT}%" x2="{RIGHT}%" y1="{y}" y2="{y}"/>'
        yield f'<text class="t" x="{LEFT - 1}%" y="{y + 4}" text-anchor="end">{escape(scale_number(value))}</text>'
    for value in ticks(chart.right):
        x = _x(chart, value)
        yield f'<text class="t" x="{x}%" y="{BOTTOM + 18}" text-anchor="middle">{escape(scale_number(value))}</text>'
    yield f'<line class="base" x1="{LEFT}%" x2="{RIGHT}%" y1="{BOTTOM}" y2="{BOTTOM}"/>'
    yield (
        f'<text class="t" x="{(LEFT + RIGHT) / 2}%" y="{BOTTOM + 37}" text-anchor="middle">'
        f"{escape(', '.join(filter(None, (chart.x.title, chart.x.unit))))}</text>"
    )
    order = sorted(chart.series, key=lambda line: ("", "tie", "winner").index(line.standing))
    for line in order:
        kind = escape(line.standing or "other")
        if chart.curve:
            yield _curve(chart, line)
            continue
        for first, second in pairwise(line.points):
            yield (
                f'<line class="join {kind}" x1="{_x(chart, first.x)}%" y1="{_y(chart, first.y)}" '
                f'x2="{_x(chart, second.x)}%" y2="{_y(chart, second.y)}"/>'
            )
    for line in order if not chart.curve else ():
        for point in line.points:
            yield from _point(chart, point)
    yield from _names(chart)


def _curve(chart: Plot, line: Series) -> str:
    """Many points as one line that stretches with the frame."""
    width, height = 1000, BOTTOM - TOP
    places = " ".join(
        f"{point.x / chart.right * width:.0f},{height - point.y / chart.top * height:.1f}" for point in line.points
    )
    return (
        f'<svg x="{LEFT}%" y="{TOP}" width="{RIGHT - LEFT}%" height="{height}" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none"><polyline class="join {escape(line.standing or "other")}" fill="none" '
        f'vector-effect="non-scaling-stroke" points="{places}"/></svg>'
    )


def _point(chart: Plot, point: Point) -> Iterator[str]:
    x, kind = _x(chart, point.x), point.standing or "other"
    told = f"{point.label}: {quantity(point.y, chart.y.unit)} at {quantity(point.x, chart.x.unit)}"
    if point.low is not None and point.high is not None:
        yield (
            f'<line class="whisker {kind}" x1="{x}%" x2="{x}%" '
            f'y1="{_y(chart, point.low)}" y2="{_y(chart, point.high)}"/>'
        )
        told += f" (95 % interval {number(point.low)}{DASH}{number(point.high)})"
    if point.also:
        told += f"; {point.also}"
    place = f'cx="{x}%" cy="{_y(chart, point.y)}" r="{radius(point):.1f}"'
    kind += " faded" if point.faded else ""
    yield f'<circle class="pt {kind}" {place}><title>{escape(told)}</title></circle>'


def radius(point: Point) -> float:
    """Pixels; the area of the dot grows with its weight where it has one."""
    if point.weight is not None:
        return 4.0 + 9.0 * sqrt(min(max(point.weight, 0.0), 1.0))
    return 5.5 if point.standing == "winner" else 4.0


def _names(chart: Plot) -> Iterator[str]:
    for name in placed_names(chart):
        x, y = _x(chart, name.point.x), _y(chart, name.point.y)
        dx, anchor = (-9, "end") if name.to_left else (9, "start")
        yield (
            f'<text class="tl {escape(name.standing or "other")}" x="{x}%" y="{y - 7}" dx="{dx}" '
            f'text-anchor="{anchor}">{escape(name.text)}</text>'
        )


@dataclass(frozen=True, slots=True)
class Name:
    """A series' name beside one of its points."""

    text: str
    point: Point
    standing: str
    to_left: bool


def placed_names(chart: Plot) -> list[Name]:
    """Names where they do not collide, as far as can be told without a font; the recommended ones first."""
    taken: list[tuple[float, float, float]] = []
    placed: list[Name] = []
    for line in sorted(chart.series, key=lambda line: ("winner", "tie", "").index(line.standing)):
        point = next((point for point in line.points if point.standing == line.standing), line.points[0])
        x, y = _x(chart, point.x), _y(chart, point.y)
        text = fitted(line.label, NAME_LIMIT)
        width = columns(text) * LABEL_WIDTH_OF_CHARACTER
        to_left = x + width > RIGHT
        start = x - width if to_left else x
        if len(placed) == NAMES_LIMIT or any(
            abs(y - other) < 15 and start < end and begin < start + width for begin, end, other in taken
        ):
            continue
        taken.append((start, start + width, y))
        placed.append(Name(text, point, line.standing, to_left))
    return placed


def _x(chart: Plot, value: float) -> float:
    return round(LEFT + value / chart.right * (RIGHT - LEFT), 2)


def _y(chart: Plot, value: float) -> float:
    return round(BOTTOM - value / chart.top * (BOTTOM - TOP), 1)


def _svg(kind: str, height: int, told: str, parts: Iterator[str] | Sequence[str]) -> Markup:
    role = f'role="img" aria-label="{escape(told)}"' if told else 'aria-hidden="true"'
    return Markup(f'<svg class="{kind}" height="{height}" {role}>{"".join(parts)}</svg>')  # noqa: S704 - built above from numbers and escaped texts
