"""The marks of the dashboard, for terminals with and without Unicode."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The marks of a screen: ``full`` and ``hollow`` for bars, eight or so heights for curves."""

    full: str
    hollow: str
    bar: str
    rail: str
    heights: str
    running: str
    waiting: str
    skipped: str
    failed: str
    divider: str
    rule: str
    ellipsis: str


UNICODE = Glyphs("▮", "▯", "█", "░", "▁▂▃▄▅▆▇█", "►", "·", "-", "x", "│", "─", "…")
ASCII = Glyphs("#", ".", "#", "-", "_.-=+*%#", ">", ".", "-", "x", "|", "-", "~")
