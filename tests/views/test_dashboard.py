"""The live dashboard: whole screens, any size, any terminal, any name."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from llmtester.analysis.progress import Progress
from llmtester.analysis.time_left import TimeLeft
from llmtester.domain import events
from llmtester.domain.records import Instant
from llmtester.domain.text import printable
from llmtester.domain.work import Cell, Plan
from llmtester.views.board import Board, usual_lens
from llmtester.views.dashboard import follow
from llmtester.views.fit import columns
from llmtester.views.screen import screen
from tests.worlds import World, fake_plan

from . import journals, summaries

SCREENS = Path(__file__).parent / "screens"
UPDATE = "UPDATE_SCREENS"


def board_of(stream: Iterable[events.Event]) -> Board:
    board = Board()
    for event in stream:
        board.apply(event)
    return board


def shown(board: Board, width: int, height: int, **options: Any) -> list[str]:
    return ["".join(span.text for span in line).rstrip() for line in screen(board, width, height, **options)]


@pytest.mark.parametrize(
    ("name", "width", "height", "ascii_only"),
    [("narrow", 80, 24, False), ("middle", 120, 32, False), ("wide", 200, 40, False), ("ascii", 80, 24, True)],
)
def test_the_screen_is_the_one_on_file(name: str, width: int, height: int, ascii_only: bool) -> None:
    """A run under way at three widths and without Unicode, line by line. `UPDATE_SCREENS=1` rewrites them."""
    text = "\n".join(shown(board_of(journals.run()), width, height, ascii_only=ascii_only)) + "\n"
    path = SCREENS / f"{name}.txt"
    if os.environ.get(UPDATE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert text.isascii() or not ascii_only


@given(st.integers(40, 260), st.integers(12, 70), st.integers(1, 12), st.integers(1, 9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_terminal_and_run_fits(width: int, height: int, models: int, quants: int, ascii_only: bool) -> None:
    """No line is wider and no screen higher than the terminal, however many models there are."""
    board = board_of(journals.run(models, quants, done=min(3, models * quants - 1)))
    lines = shown(board, width, height, ascii_only=ascii_only)
    assert len(lines) <= height
    assert all(columns(line) <= width for line in lines)


def test_the_running_target_stays_in_sight() -> None:
    """Of a matrix that does not fit, the part around what runs now is shown, and what is hidden is counted."""
    board = board_of(journals.run(30, 9, done=200))
    lines = shown(board, 80, 24)
    assert any("►" in line and "Now" not in line for line in lines)
    assert any("more models" in line and "more quantizations" in line for line in lines)


def test_ratings_do_not_rest_on_colour() -> None:
    """Words and marks say everything: bars for ratings, a legend, and the words failed and skipped."""
    text = "\n".join(shown(board_of(journals.run()), 80, 24))
    for mark in ("▮▮▮▮ 8", "▮▮▮▯ 2", "x failed", "- skipped", "► 0/1", "▮▮▮▮ excellent"):
        assert mark in text


def test_time_left_is_the_forecast_and_runs_down() -> None:
    """What the forecast says, as a range in whole minutes; between two thoughts it runs down with the clock."""
    board = board_of(journals.run())
    left = board.time_left_s()
    assert left is not None
    shortest_s, expected_s, longest_s = TimeLeft(
        board.state, Progress(board.state, usual_lens(board.state.plan))
    ).estimate_s()
    assert left == (shortest_s, longest_s)
    assert shortest_s < expected_s < longest_s
    assert " min left" in shown(board, 80, 24)[0]
    at_ns = board.state.last_ns + 3 * journals.SECOND
    board.apply(events.Pulse(at_ns, None, 0, journals.reading(at_ns, 0)))
    assert board.time_left_s() == pytest.approx((shortest_s - 3, longest_s - 3))


def test_nothing_is_known_before_the_plan() -> None:
    """An empty journal is a waiting screen, not a crash."""
    assert any("Waiting for the plan" in line for line in shown(Board(), 80, 24))
    assert Board().time_left_s() is None


@pytest.mark.parametrize("poison", summaries.POISON)
def test_a_hostile_name_is_text_on_the_screen(poison: str) -> None:
    """No name, reason or finding moves a cursor or breaks a line."""
    target = journals.targets(1, 1)[0]
    target = replace(target, model=replace(target.model, name=poison, quantization=poison))
    cell = Cell(target, poison, replace(summaries.LOADS[0], name=poison))
    started = events.RunStarted(0, Instant(0, 0), poison, Plan((cell,)), summaries.MACHINE, {}, poison)
    board = board_of([started, events.TrialStarted(1, cell.key, 0)])
    board_with_skip = board_of([started, events.CellSkipped(1, cell.key, poison)])
    for lines in (shown(board, 80, 24), shown(board_with_skip, 200, 24)):
        for line in lines:
            assert printable(line, 1000) == line


def terminal(width: int = 100, height: int = 30, **options: Any) -> Console:
    sink = io.TextIOWrapper(io.BytesIO(), encoding=options.pop("encoding", "utf-8"))
    return Console(file=sink, width=width, height=height, **options)


def written(console: Console) -> str:
    console.file.seek(0)
    return console.file.read()


def test_a_terminal_gets_frames_and_keeps_the_last() -> None:
    """The display uses a screen of its own, leaves it, and leaves the final state behind."""
    console = terminal(force_terminal=True, color_system="truecolor", legacy_windows=False)
    follow(iter([*journals.run(2, 2, done=2, end=True), None]), console)
    text = written(console)
    assert "\x1b[?1049h" in text
    last = text.split("\x1b[?1049l")[-1]
    assert "finished" in last
    assert "3 of 4 cells" in last or "4 of 4 cells" in last


def test_no_color_means_no_colour() -> None:
    """With NO_COLOR set, style codes may be bold or dim but never a colour."""
    console = terminal(force_terminal=True, no_color=True, legacy_windows=False)
    follow(iter([*journals.run(2, 2, done=2, end=True), None]), console)
    codes = re.findall(r"\x1b\[([\d;]*)m", written(console))
    assert codes
    assert not any(3 <= int(part or 0) // 10 <= 4 for code in codes for part in code.split(";"))


def test_an_old_terminal_gets_ascii() -> None:
    """A code page without blocks is no reason to fail."""
    console = terminal(force_terminal=True, encoding="cp1252", color_system=None, legacy_windows=False)
    follow(iter([*journals.run(2, 2, done=2, end=True), None]), console)
    assert "####" in written(console)


def test_a_resized_terminal_gets_frames_of_its_new_size() -> None:
    """Every frame asks for the size anew."""
    console = terminal(width=120, force_terminal=True, color_system=None, legacy_windows=False)

    def stream() -> Iterator[events.Event | None]:
        yield from journals.run(3, 3, done=2)
        yield None
        console.width = 60
        yield events.RunEnded(10**12, "interrupted")
        yield None

    follow(stream(), console)
    last = written(console).split("\x1b[?1049l")[-1]
    assert all(columns(line) <= 60 for line in re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", last).splitlines())
    assert "interrupted" in last


def test_a_pipe_gets_one_plain_line_an_event() -> None:
    """Without a terminal there is no cursor code, and every trial is a line."""
    console = terminal(force_terminal=False, color_system=None, width=40)
    follow(iter([*journals.run(2, 2, done=2, end=True), None]), console)
    text = written(console)
    assert "\x1b" not in text
    assert text.count(" trial ") == 15
    assert text.rstrip().endswith("run finished")


def test_an_end_that_was_resumed_is_no_end() -> None:
    """A journal of an interrupted and resumed run is followed past its first end."""
    first = list(journals.run(2, 2, done=1))
    at_ns = first[-1].at_ns
    stream = [
        *first,
        events.RunEnded(at_ns, "interrupted"),
        events.RunResumed(at_ns + 1, Instant(at_ns + 1, 0), summaries.MACHINE, "0.1.0"),
        None,
        events.RunEnded(at_ns + 2, "finished"),
        None,
    ]
    console = terminal(force_terminal=True, color_system=None, legacy_windows=False)
    follow(iter(stream), console)
    assert "finished" in written(console).split("\x1b[?1049l")[-1]


def test_a_run_that_died_says_how_to_go_on() -> None:
    """When the writer is gone without an end, the last words are the command that resumes."""
    console = terminal(force_terminal=True, color_system=None, legacy_windows=False)
    follow(journals.run(2, 2, done=1), console)
    assert "llmtester run --resume 20261124T201500-3f9a" in written(console)


def test_what_the_race_decided_is_news() -> None:
    """A configuration that ended early says so, with the reason."""
    plan = replace(fake_plan("slow?decode_tok_per_s=40&noise=0.01&realtime=0", "fast?realtime=0"), visit_trials=3)
    world = World()
    world.run(plan)
    text = "\n".join(shown(board_of(world.events), 120, 30))
    assert "decided" in text
    assert "slower than fast F16" in text
