"""Charts as Plotly figures: plain dicts, written into the page as JSON and drawn there.

A colour is the name of a custom property of the page after ``$`` (``$accent``); the page resolves it for its theme.
Plotly reads a small HTML dialect in texts, so every text is entity-encoded first.
"""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import Any

from llmtester.views.chart_kinds import Axis, Chart, Plot, Point, Rows
from llmtester.views.fit import fitted
from llmtester.views.numbers import number, quantity
from llmtester.views.svg import placed_names, radius

LABEL_LIMIT = 26
ROW_HEIGHT = 26

_COLOUR = {"winner": "$accent", "tie": "$accent", "": "$mark"}
_SYMBOL = {"winner": "circle", "tie": "circle-open", "": "circle"}


def figure(chart: Chart) -> dict[str, Any]:
    """``{"data": [...], "layout": {...}}`` for ``Plotly.react``."""
    return _plot(chart) if isinstance(chart, Plot) else _rows(chart)


def _axis(axis: Axis) -> dict[str, Any]:
    unit = f", {axis.unit}" if axis.unit else ""
    return {
        "title": {"text": escape(axis.title + unit), "font": {"color": "$muted", "size": 12}, "standoff": 8},
        "rangemode": "tozero",
        "gridcolor": "$line",
        "zerolinecolor": "$line",
        "tickfont": {"color": "$muted", "size": 11},
        "automargin": True,
        "fixedrange": False,
    }


def _layout(height: int, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 48, "r": 12, "t": 12, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "$ink", "family": "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif"},
        "hoverlabel": {"bgcolor": "$surface", "bordercolor": "$line", "font": {"color": "$ink", "size": 12}},
        "showlegend": False,
        "dragmode": False,
        "xaxis": x,
        "yaxis": y,
    }


def _told(point: Point, chart: Plot) -> str:
    lines = [f"<b>{escape(point.label)}</b>", escape(quantity(point.y, chart.y.unit))]
    if point.low is not None and point.high is not None:
        lines.append(escape(f"95 % interval {number(point.low)} to {number(point.high)}"))
    lines.append(escape(f"{chart.x.title}: {quantity(point.x, chart.x.unit)}"))
    lines += [escape(point.also)] if point.also else []
    return "<br>".join(lines)


def _short(value: float) -> float:
    """Six digits: more than a picture can show, and half the characters."""
    return float(f"{value:.6g}")


def _traces(chart: Plot) -> list[tuple[str, str, tuple[Point, ...]]]:
    """Name, standing and points of each line; lines of one point are drawn as one cloud a standing."""
    order = ("", "tie", "winner").index
    lines = sorted(chart.series, key=lambda line: order(line.standing))
    if any(len(line.points) > 1 for line in lines):
        return [(line.label, line.standing, line.points) for line in lines]
    return [
        ("", standing, tuple(line.points[0] for line in group))
        for standing, group in groupby(lines, key=lambda line: line.standing)
    ]


def _curve(chart: Plot, name: str, standing: str, points: tuple[Point, ...]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": escape(name),
        "x": [_short(point.x) for point in points],
        "y": [_short(point.y) for point in points],
        "hovertemplate": f"<b>{escape(name)}</b><br>%{{y}} {escape(chart.y.unit)}<br>%{{x:.1f}} "
        f"{escape(chart.x.unit)}<extra></extra>",
        "line": {"color": _COLOUR[standing], "width": 2 if standing == "winner" else 1},
    }


def _scatter(chart: Plot, name: str, standing: str, points: tuple[Point, ...]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if name else "markers",
        "name": escape(name),
        "x": [_short(point.x) for point in points],
        "y": [_short(point.y) for point in points],
        "hovertext": [_told(point, chart) for point in points],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [0 if point.high is None else _short(point.high - point.y) for point in points],
            "arrayminus": [0 if point.low is None else _short(point.y - point.low) for point in points],
            "color": _COLOUR[standing],
            "thickness": 1,
            "width": 3,
        },
        "line": {"color": _COLOUR[standing], "width": 2 if standing == "winner" else 1},
        "marker": {
            "color": [_COLOUR[point.standing] for point in points],
            "symbol": ["circle-open" if point.faded else _SYMBOL[point.standing] for point in points],
            "size": [round(2 * radius(point), 1) for point in points],
        },
    }


def _plot(chart: Plot) -> dict[str, Any]:
    draw = _curve if chart.curve else _scatter
    data = [draw(chart, *trace) for trace in _traces(chart)]
    layout = _layout(330, _axis(chart.x), _axis(chart.y))
    layout["annotations"] = [
        {
            "x": _short(name.point.x),
            "y": _short(name.point.y),
            "text": escape(name.text),
            "showarrow": False,
            "xanchor": "right" if name.to_left else "left",
            "xshift": -8 if name.to_left else 8,
            "yshift": 9,
            "font": {"color": "$accent" if name.standing else "$muted", "size": 12},
        }
        for name in placed_names(chart)
    ]
    return {"data": data, "layout": layout}


def _rows(chart: Rows) -> dict[str, Any]:
    """A list chart: the first row on top, labels by number so that equal names stay apart."""
    rows = tuple(reversed(chart.rows))
    places = list(range(len(rows)))
    scale = 1e9 if chart.axis.unit == "bytes" else 1.0
    unit = "GB" if chart.axis.unit == "bytes" else chart.axis.unit
    texts = [f"<b>{escape(row.label)}</b><br>{escape(quantity(row.value, chart.axis.unit))}" for row in rows]
    colours = [_COLOUR[row.standing] for row in rows]
    common = {"y": places, "hovertext": texts, "hovertemplate": "%{hovertext}<extra></extra>", "orientation": "h"}
    if chart.kind == "range":
        data: list[dict[str, Any]] = [
            {
                **common,
                "type": "bar",
                "base": [(row.low or 0) / scale for row in rows],
                "x": [((row.high or row.value) - (row.low or 0)) / scale for row in rows],
                "width": 0.28,
                "marker": {"color": colours, "opacity": 0.35},
            },
            {
                **common,
                "type": "scatter",
                "mode": "markers",
                "x": [row.value / scale for row in rows],
                "marker": {"color": colours, "size": 9},
            },
        ]
    else:
        data = [{**common, "type": "bar", "x": [row.value / scale for row in rows], "marker": {"color": colours}}]
    if any(row.reference is not None for row in rows):
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "y": places,
                "x": [None if row.reference is None else row.reference / scale for row in rows],
                "hovertext": [
                    f"<b>{escape(row.label)}</b><br>{escape(chart.reference_label)}: "
                    f"{escape(quantity(row.reference or 0.0, chart.axis.unit))}"
                    for row in rows
                ],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {"color": "$ink", "symbol": "line-ns-open", "size": 12, "line": {"width": 2}},
            }
        )
    y = _axis(Axis("", ""))
    labels = [escape(fitted(row.label, LABEL_LIMIT)) for row in rows]
    y.update(
        {
            "ticklabelstandoff": 8,
            "tickvals": places,
            "ticktext": labels,
            "showgrid": False,
            "zeroline": False,
            "rangemode": "normal",
        }
    )
    layout = _layout(70 + ROW_HEIGHT * len(rows), _axis(Axis(chart.axis.title, unit)), y)
    layout["bargap"] = 0.45
    if chart.limit is not None:
        line = {"color": "$poor", "width": 1.5, "dash": "dot"}
        x = chart.limit / scale
        layout["shapes"] = [
            {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}
        ]
    return {"data": data, "layout": layout}
