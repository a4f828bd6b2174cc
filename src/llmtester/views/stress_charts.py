"""What continuous work did over time: speed, temperature, frequency, power and memory of a stress run."""

from __future__ import annotations

from llmtester.analysis.summary import Curve, StressResult
from llmtester.domain.text import printable
from llmtester.views.chart_kinds import LABEL_LIMIT, Axis, Plot, Point, Series
from llmtester.views.outline import Outline

POINTS_LIMIT = 180
"""Points of one curve: half an hour at one a ten seconds, and more than a screen can tell apart."""

CURVES = (
    ("speed_tok_per_s", "Speed under continuous work", Axis("Writing speed", "tok/s", "level is good"), 1.0),
    ("temperature_c", "Temperature under continuous work", Axis("Temperature", "°C", "lower is better"), 1.0),
    ("frequency_mhz", "Clock under continuous work", Axis("Clock frequency", "MHz", "level is good"), 1.0),
    ("power_w", "Power under continuous work", Axis("Power", "W", "lower is better"), 1.0),
    ("memory_bytes", "Memory under continuous work", Axis("Memory of the server", "GB", "level is good"), 1e9),
)
"""Field of ``StressResult``, title, axis, and what its values are divided by for the axis."""


def over_time(outline: Outline) -> list[Plot]:
    """One plot a quantity that was measured, one line a stress run."""
    found = []
    for field, title, axis, divisor in CURVES:
        series = tuple(
            line for one in outline.summary.stress if (line := _line(outline, one, getattr(one, field), divisor))
        )
        if series:
            lead = " ".join(dict.fromkeys(one.sentence for one in outline.summary.stress if one.sentence))
            name = field.rpartition("_")[0].replace("_tok_per", "")
            found.append(
                Plot(f"stress-{name}", title, printable(lead, 300), Axis("Time", "min"), axis, series, curve=True)
            )
    return found


def _line(outline: Outline, one: StressResult, curve: Curve, divisor: float) -> Series | None:
    if len(curve) < 2:
        return None
    label = printable(outline.labels.get(one.target, one.target), LABEL_LIMIT)
    standing = outline.standing(one.target)
    points = tuple(
        Point(label, point.at_s / 60, point.value / divisor, standing) for point in thinned(curve, POINTS_LIMIT)
    )
    return Series(label, standing, points)


def thinned(curve: Curve, limit_count: int) -> Curve:
    """At most ``limit_count`` points: the lowest and the highest of each stretch, so that no dip is lost."""
    if len(curve) <= limit_count:
        return curve
    stretches = limit_count // 2
    kept = []
    for place in range(stretches):
        part = curve[place * len(curve) // stretches : (place + 1) * len(curve) // stretches]
        ends = {min(part, key=lambda point: point.value), max(part, key=lambda point: point.value)}
        kept += sorted(ends, key=lambda point: point.at_s)
    return tuple(kept)
