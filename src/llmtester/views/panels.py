"""The panels of the dashboard beside the grid: what runs now, how the machine is, what is new."""

from __future__ import annotations

from collections.abc import Sequence

from llmtester.analysis.progress import CellStatus
from llmtester.domain.text import human_bytes, printable
from llmtester.views.board import Board
from llmtester.views.fit import columns, fitted, padded
from llmtester.views.glyphs import Glyphs
from llmtester.views.numbers import number
from llmtester.views.text import Line, Role, Span

LABEL_WIDTH = 12
FIGURE_WIDTH = 38
"""What is said takes this much before its curve or gauge begins."""

CURVE_WIDTH = 30


def now(board: Board, width: int, glyphs: Glyphs) -> list[Line]:
    running, cell = board.state.running, board.running
    if running is None or cell is None:
        ended = board.state.ended
        what = f"The run {ended.outcome}." if ended else "Between two trials: a server starts, or the next is chosen."
        return [_labelled("Now", what if not ended or ended.outcome == "finished" else "The run was interrupted.")]
    load = cell.load
    trial = "warm-up" if running.warmup else f"trial {running.trial + 1} of {load.min_trials} to {load.max_trials}"
    asked = f"{printable(cell.profile, 30)}/{printable(load.name, 30)}"
    label = fitted(
        printable(cell.target.model.label, 120), max(width - LABEL_WIDTH - columns(asked) - 28, 16), glyphs.ellipsis
    )
    rate = board.rates_tok_per_s[-1] if board.rates_tok_per_s else None
    said = [f"{number(rate)} tok/s now"] if rate is not None else []
    said.append(f"{running.arrived_count} tokens so far" if running.arrived_count else "no token yet")
    lines = [
        _labelled("Now", f"{label}, {asked}, {trial}"),
        _labelled(
            "writing",
            padded(", ".join(said), FIGURE_WIDTH),
            _curve(board.rates_tok_per_s, _curve_room(width), glyphs),
        ),
    ]
    if board.waits_ms:
        waited = f"{number(board.waits_ms[-1] / 1e3)} s to the first token, last trial"
        lines.append(
            _labelled(
                "waiting",
                padded(waited, FIGURE_WIDTH),
                _curve(board.waits_ms, _curve_room(width), glyphs),
            )
        )
    return lines


def machine(board: Board, width: int, glyphs: Glyphs) -> list[Line]:
    reading, facts_of_machine = board.state.reading, board.state.machine
    if reading is None or facts_of_machine is None:
        return []
    total = facts_of_machine.memory_limit_bytes or facts_of_machine.memory_bytes
    used = max(total - reading.memory_available_bytes, 0)
    long = max(_curve_room(width), 8)
    filled = min(round(long * used / total), long) if total else 0
    gauge = glyphs.bar * filled + glyphs.rail * (long - filled)
    tight: Role = "bad" if used > 0.95 * total else "middling" if used > 0.85 * total else "plain"
    lines = [
        _labelled("memory", padded(f"{human_bytes(used)} of {human_bytes(total)} used", FIGURE_WIDTH), gauge, tight)
    ]
    facts = []
    if reading.server_rss_bytes is not None:
        facts.append(f"server {human_bytes(reading.server_rss_bytes)}")
    if reading.swap_used_bytes:
        facts.append(f"swap {human_bytes(reading.swap_used_bytes)}")
    if reading.frequency_mhz is not None:
        facts.append(f"{reading.frequency_mhz / 1e3:.1f} GHz")
    if reading.other_cpu_ratio is not None:
        facts.append(f"other programs {reading.other_cpu_ratio:.0%}")
    if facts:
        lines.append(_labelled("", ", ".join(facts)))
    if reading.temperature_c is not None:
        curve = _curve(board.temperatures_c, _curve_room(width), glyphs)
        lines.append(_labelled("heat", padded(f"{reading.temperature_c:.0f} degrees Celsius", FIGURE_WIDTH), curve))
    return lines


def news(board: Board, width: int, room: int, glyphs: Glyphs) -> list[Line]:
    """The latest doubts, failures, skips and decisions of the race, one line each."""
    said: list[tuple[str, str, Role]] = [
        ("doubt", finding.evidence, "middling") for finding in reversed(board.findings)
    ]
    notable = [
        (key, square.status)
        for key, square in board.squares.items()
        if square.status.word in ("failed", "skipped") or (square.status.word == "done" and square.status.reason)
    ]
    groups: dict[CellStatus, list[str]] = {}
    for key, status in notable:
        groups.setdefault(status, []).append(board.state.cells[key].cell.target.model.label)
    for status, labels in reversed(groups.items()):
        names = list(dict.fromkeys(labels))
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        said.append(
            (
                "decided" if status.word == "done" else status.word,
                f"{printable(names[0], 50)}{more}: {status.reason}",
                "bad" if status.word == "failed" else "muted",
            )
        )
    return [
        _labelled(word, fitted(printable(text, 400), width - LABEL_WIDTH, glyphs.ellipsis), "", role)
        for word, text, role in list(dict.fromkeys(said))[:room]
    ]


def _curve_room(width: int) -> int:
    """Columns beside what is said."""
    return min(width - LABEL_WIDTH - FIGURE_WIDTH - 2, CURVE_WIDTH)


def _labelled(label: str, text: str, curve: str = "", role: Role = "plain") -> Line:
    return (Span(padded(label, LABEL_WIDTH), "muted"), Span(text, role), Span(f"  {curve}" if curve else "", "good"))


def _curve(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """The last values as a line of bars of growing height, scaled from the lowest to the highest of them."""
    shown = list(values)[-width:] if width > 0 else []
    if len(shown) < 2:
        return ""
    low, extent = min(shown), max(shown) - min(shown)
    top = len(glyphs.heights) - 1
    return "".join(glyphs.heights[round((value - low) / extent * top) if extent else top // 2] for value in shown)
