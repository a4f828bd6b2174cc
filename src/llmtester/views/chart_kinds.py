"""What a chart is, independent of how it is drawn: ``svg`` and ``figures`` draw these values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LABEL_LIMIT = 60
"""Characters of a name in a chart."""


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
    """``low`` and ``high``: 95 % interval of ``y``. ``weight``: 0 to 1, drawn as the size. ``faded``: beaten by
    another. ``also`` is told beside the two values."""

    label: str
    x: float
    y: float
    standing: str
    low: float | None = None
    high: float | None = None
    weight: float | None = None
    faded: bool = False
    also: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, in the order of ``x``, with a name to write beside them."""

    label: str
    standing: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over two numeric axes, both starting at zero. ``curve``: so many points that only the line is drawn."""

    id: str
    title: str
    lead: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    curve: bool = False

    @property
    def right(self) -> float:
        return (max((point.x for line in self.series for point in line.points), default=0.0) or 1.0) * 1.06

    @property
    def top(self) -> float:
        return (max((max(p.y, p.high or 0.0) for line in self.series for p in line.points), default=0.0) or 1.0) * 1.08


Chart: TypeAlias = Rows | Plot
