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


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    right: bool = False


def show_table(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table on standard output; a verdict in a cell gets its colour, its word stays readable without."""
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
    for place, column in enumerate(columns):
        whole = place < len(columns) - 1 and all(len(row[place]) <= WHOLE_CHARACTERS for row in rows)
        table.add_column(
            Text(column.title), justify="right" if column.right else "left", overflow="fold", no_wrap=whole
        )
    for row in rows:
        table.add_row(*(Text(printable(cell), style=_STYLES.get(cell, "")) for cell in row))
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)


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
