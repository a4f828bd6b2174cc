"""One frame of the dashboard as lines of text: pure, so that tests compare whole screens.

Two layouts: everything beneath each other up to ``SIDE_BY_SIDE`` columns, the grid beside the rest above. Meaning never
rests on colour: ratings are bars of four, states have marks, and every mark is in the legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil
from typing import TypeVar

from llmtester.analysis.summary import Rating
from llmtester.domain.text import human_duration, printable
from llmtester.views import panels
from llmtester.views.board import Board, Square
from llmtester.views.fit import columns, fitted, padded
from llmtester.views.glyphs import ASCII, UNICODE, Glyphs
from llmtester.views.numbers import number
from llmtester.views.text import RATING_ROLES, Line, Span

T = TypeVar("T")

SIDE_BY_SIDE = 140
"""Columns from which the grid stands beside the other panels."""

SQUARE_WIDTH = 11
NAME_WIDTH = 30


BARS = {Rating.EXCELLENT: 4, Rating.GOOD: 3, Rating.ACCEPTABLE: 2, Rating.POOR: 1}


def screen(board: Board, width: int, height: int, *, ascii_only: bool = False) -> list[Line]:
    """At most ``height`` lines of at most ``width`` columns. Texts from outside are made safe."""
    glyphs = ASCII if ascii_only else UNICODE
    head = _head(board, width, glyphs)
    if width >= SIDE_BY_SIDE:
        side_width = width * 2 // 5
        left_width = width - side_width - 3
        room = height - len(head) - 2
        left = _grid(board, left_width, room, glyphs)
        right = [*panels.now(board, side_width, glyphs), (), *panels.machine(board, side_width, glyphs), ()]
        right += panels.news(board, side_width, max(room - len(right), 1), glyphs)
        body = _beside(left, right[:room], left_width, glyphs)
    else:
        below = [*panels.now(board, width, glyphs), *panels.machine(board, width, glyphs)]
        news = panels.news(board, width, 4, glyphs)
        room = height - len(head) - len(below) - len(news) - 5
        body = [*_grid(board, width, room, glyphs), (), *below, (), *news]
    lines = [*head, (), *body, _hint(board)]
    safe = [_clipped(line, width, glyphs) for line in lines[:height]]
    return [_as_ascii(line) for line in safe] if ascii_only else safe


def _head(board: Board, width: int, glyphs: Glyphs) -> list[Line]:
    state = board.state
    counts = board.counts()
    over = sum(counts[word] for word in ("done", "failed", "skipped"))
    share = board.share()
    title = f"llmtester  {printable(state.run_id, 40)}"
    timing = f"{human_duration(state.elapsed_s)} so far{_left(board)}"
    gap = " " * max(width - columns(title) - columns(timing), 2)
    told = f" {share:4.0%}  {over} of {len(board.squares)} cells"
    told += "".join(f", {counts[word]} {word}" for word in ("failed", "skipped") if counts[word])
    long = max(width - columns(told) - 1, 8)
    filled = round(long * share)
    return [
        (Span(title, "verdict"), Span(gap), Span(timing)),
        (Span(glyphs.bar * filled, "good"), Span(glyphs.rail * (long - filled), "muted"), Span(told)),
    ]


def _left(board: Board) -> str:
    """``, 12 to 18 min left``; rounded up, since early is a nicer surprise than late."""
    if board.state.ended:
        return f", {board.state.ended.outcome}"
    left = board.time_left_s()
    if left is None:
        return ""
    low, high = left
    if high < 90:
        return f", about {human_duration(max(high, 1))} left"
    low_min, high_min = ceil(low / 60), ceil(high / 60)
    if high_min > 90 or low_min == high_min:
        shown = [human_duration(low_min * 60), human_duration(high_min * 60)]
        return f", about {shown[1]} left" if shown[0] == shown[1] else f", {shown[0]} to {shown[1]} left"
    return f", {low_min} to {high_min} min left"


def _grid(board: Board, width: int, room: int, glyphs: Glyphs) -> list[Line]:
    """Models down, quantizations across; the part around the running target where it is too large."""
    layout, running = board.layout, board.running
    if not layout.rows:
        return [(Span("Waiting for the plan.", "muted"),)]
    shown_columns = _around(
        layout.quantizations,
        running.target.model.quantization if running else None,
        (width - NAME_WIDTH) // SQUARE_WIDTH,
    )
    names = list(layout.rows)
    active = board.active_target
    here = next((name for name in names if active in layout.rows[name].values()), None)
    shown_rows = _around(names, here, max(room - 2, 3))
    head = padded("", NAME_WIDTH) + "".join(
        padded(fitted(printable(name, 40), SQUARE_WIDTH - 1, glyphs.ellipsis), SQUARE_WIDTH) for name in shown_columns
    )
    lines: list[Line] = [(Span(head, "muted"),)]
    for name in shown_rows:
        label = printable(name[0], 200) + (f" ({name[1] + 1})" if name[1] else "")
        label = padded(fitted(label, NAME_WIDTH - 2, glyphs.ellipsis), NAME_WIDTH)
        squares = [_square(board, layout.rows[name].get(column), glyphs) for column in shown_columns]
        lines.append((Span(label, "verdict" if name == here else "plain"), *squares))
    hidden = [
        f"{len(everything) - len(shown)} more {word}"
        for everything, shown, word in (
            (names, shown_rows, "models"),
            (layout.quantizations, shown_columns, "quantizations"),
        )
        if len(everything) > len(shown)
    ]
    return [*lines, _legend(width, hidden, glyphs)]


def _around(names: Sequence[T], here: T | None, count: int) -> list[T]:
    """``count`` neighbours of ``here`` in order, ``here`` among them; the first ones if nothing runs."""
    count = max(count, 1)
    if len(names) <= count:
        return list(names)
    middle = names.index(here) if here is not None else 0
    first = min(max(middle - count // 2, 0), len(names) - count)
    return list(names[first : first + count])


def _square(board: Board, target: str | None, glyphs: Glyphs) -> Span:
    """All cells of one target in one square: running, else the worst rating and the first speed, else why not."""
    if target is None:
        return Span(" " * SQUARE_WIDTH)
    squares = [board.squares[key] for key in board.layout.cells[target]]
    over = sum(square.status.over for square in squares)
    if target == board.active_target:
        return Span(padded(f"{glyphs.running} {over}/{len(squares)}", SQUARE_WIDTH), "verdict")
    rated = [square for square in squares if square.rating in BARS]
    if rated:
        worst = min(rated, key=lambda square: BARS[square.rating])
        bars = glyphs.full * BARS[worst.rating] + glyphs.hollow * (4 - BARS[worst.rating])
        speed = next((square.speed_tok_per_s for square in rated if square.speed_tok_per_s is not None), None)
        more = "" if over == len(squares) else "+"
        return Span(
            padded(f"{bars} {number(speed) if speed is not None else ''}{more}", SQUARE_WIDTH),
            RATING_ROLES[worst.rating],
        )
    return _unrated(squares, glyphs)


def _unrated(squares: Sequence[Square], glyphs: Glyphs) -> Span:
    statuses: set[str] = {square.status.word for square in squares}
    if "failed" in statuses:
        return Span(padded(f"{glyphs.failed} failed", SQUARE_WIDTH), "bad")
    if statuses == {"skipped"}:
        return Span(padded(f"{glyphs.skipped} skipped", SQUARE_WIDTH), "muted")
    return Span(padded(glyphs.waiting, SQUARE_WIDTH), "muted")


def _legend(width: int, hidden: Sequence[str], glyphs: Glyphs) -> Line:
    marks = [
        *(f"{glyphs.full * count}{glyphs.hollow * (4 - count)} {rating.value}" for rating, count in BARS.items()),
        f"{glyphs.running} running",
        f"{glyphs.waiting} waiting",
        "number: tok/s",
    ]
    text = "  ".join([*hidden, *marks])
    while columns(text) > width and len(marks) > 1:
        marks.pop()
        text = "  ".join([*hidden, *marks])
    return (Span(text, "muted"),)


def _hint(board: Board) -> Line:
    if board.state.ended:
        return ()
    return (Span("Ctrl-C stops after the request under way; nothing measured is lost.", "muted"),)


def _beside(left: Sequence[Line], right: Sequence[Line], left_width: int, glyphs: Glyphs) -> list[Line]:
    joined = []
    for one, other in zip_longest(left, right, fillvalue=()):
        used = sum(columns(span.text) for span in one)
        joined.append((*one, Span(" " * max(left_width - used, 0)), Span(f" {glyphs.divider} ", "muted"), *other))
    return joined


def _clipped(line: Line, width: int, glyphs: Glyphs) -> Line:
    """The line without what exceeds the width."""
    kept, room = [], width
    for span in line:
        if room <= 0:
            break
        text = span.text if columns(span.text) <= room else fitted(span.text, room, glyphs.ellipsis)
        kept.append(Span(text, span.role))
        room -= columns(text)
    return tuple(kept)


def _as_ascii(line: Line) -> Line:
    return tuple(Span(span.text.encode("ascii", "replace").decode(), span.role) for span in line)
