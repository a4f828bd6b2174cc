"""The live dashboard: follows the events of a run, in a process of its own, and redraws about once a second."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmtester.domain.events import Event
from llmtester.domain.text import folded, printable
from llmtester.views.board import Board, LensOf, usual_lens
from llmtester.views.plain_log import PlainState, plain_line
from llmtester.views.screen import screen
from llmtester.views.text import STYLES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

FRAME_S = 1.0
"""Between two frames: each costs some 10 ms of the cores that do the inference."""

BUSY_FRAME_S = 3.0
"""Between two frames while events pour in without a pause."""


def follow(events: Iterator[Event | None], console: Console, lens_of: LensOf = usual_lens) -> None:
    """Show a run until it has ended or its events end. ``None`` among the events means that there is nothing new yet.

    On a terminal a full screen, redrawn in place, and the last frame left behind; elsewhere one plain line an event.
    ``lens_of`` says which metrics decide for a profile; without it every profile is judged by the rated metrics.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        _draw(events, console, Board(lens_of))
    else:
        _print(events, console)


def _print(events: Iterator[Event | None], console: Console) -> None:
    state = PlainState()
    for event in events:
        line = plain_line(event, state) if event is not None else None
        if line is not None:
            if console.is_terminal:  # Rich takes every terminal without a cursor for one of 80 columns
                line = folded(line, shutil.get_terminal_size().columns)
            console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _draw(events: Iterator[Event | None], console: Console, board: Board) -> None:
    from rich.live import Live

    drawn_s = float("-inf")
    with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        for event in events:
            if event is not None:
                board.apply(event)
            elif board.state.ended:
                break
            if time.monotonic() - drawn_s >= (FRAME_S if event is None else BUSY_FRAME_S):
                live.update(frame(board, console), refresh=True)
                drawn_s = time.monotonic()
    last = frame(board, console)
    last.rstrip()
    console.print(last)
    if not board.state.ended:
        from rich.text import Text

        run_id = printable(board.state.run_id)
        console.print(
            Text(f"The run stopped without an end. Go on with: llmtester run --resume {run_id}"), soft_wrap=True
        )


def frame(board: Board, console: Console) -> Text:
    """One frame for the present size, colours and encoding of the console."""
    from rich.text import Text

    ascii_only = not (console.encoding or "").lower().startswith("utf")
    lines = screen(board, console.width, console.height - 1, ascii_only=ascii_only)
    shown = Text(no_wrap=True, overflow="crop", end="")
    for place, line in enumerate(lines):
        if place:
            shown.append("\n")
        for span in line:
            shown.append(span.text, style=STYLES[span.role])
    shown.append("\n")
    return shown
