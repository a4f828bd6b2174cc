"""Tables of models for a terminal. Every name in them is untrusted text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, printable

PIPE_WIDTH = 160
"""Columns where no terminal says how many it has; Rich would take 80 and cut names."""
WHOLE_CHARACTERS = 32
"""A cell up to this long is not broken: a name is there to be typed. What has no room wraps in the last column."""
_STYLES = {"fits": "green", "tight": "yellow", "does not fit": "red"}


_GAP, _EDGES = 2, 2
"""Columns of the terminal between two of the table, and at its edges."""


@dataclass(frozen=True, slots=True)
class Column:
    """``spare`` is left out where a terminal has no room for it; ``llmtester models info`` says it too."""

    title: str
    right: bool = False
    spare: bool = False


def show_table(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table on standard output; a verdict in a cell gets its colour, its word stays readable without.

    On a narrow terminal spare columns are left out, from the left, until titles and words of the others stay whole.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        highlight=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    columns, rows = _with_room(columns, [[printable(cell) for cell in row] for row in rows], console.width)
    for place, column in enumerate(columns):
        whole = _is_whole(place, columns, rows)
        table.add_column(
            Text(column.title), justify="right" if column.right else "left", overflow="fold", no_wrap=whole
        )
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console.print(table)


def _with_room(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> tuple[Sequence[Column], Sequence[Sequence[str]]]:
    """The table without the spare columns that it has no room for."""
    while _width(columns, rows) > width:
        spare = next((place for place, column in enumerate(columns) if column.spare), None)
        if spare is None:
            break
        columns = [*columns[:spare], *columns[spare + 1 :]]
        rows = [[*row[:spare], *row[spare + 1 :]] for row in rows]
    return columns, rows


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """How wide the table is if no title and no word is broken."""
    width = _GAP * (len(columns) - 1) + _EDGES
    for place, column in enumerate(columns):
        cells = [row[place] for row in rows]
        parts = cells if _is_whole(place, columns, rows) else [word for cell in cells for word in cell.split()]
        width += max(map(len, (column.title, *parts)))
    return width


def _is_whole(place: int, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    return place < len(columns) - 1 and all(len(row[place]) <= WHOLE_CHARACTERS for row in rows)


def size(size_bytes: int | None) -> str:
    return human_bytes(size_bytes) if size_bytes is not None else "unknown"


def tokens(count: int | None) -> str:
    """``8k``, ``32k``, ``500``."""
    if count is None:
        return "unknown"
    return f"{count // 1024}k" if count >= 1024 and count % 1024 == 0 else str(count)


def word(verdict: str | Absent) -> str:
    return "unknown" if isinstance(verdict, Absent) else verdict


def parameters(count: int | None) -> str:
    """``135M``, ``7.6B``."""
    if count is None:
        return "unknown"
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"
