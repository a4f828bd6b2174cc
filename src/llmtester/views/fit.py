"""Making text fit: columns of a terminal, and cuts in the middle, since names differ at both ends."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


def columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else _wide_columns(text)


@lru_cache(maxsize=4096)
def _wide_columns(text: str) -> int:
    """Remembered, because the parts of a dashboard are the same from frame to frame."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fitted(text: str, width: int, ellipsis: str = "…") -> str:
    """``text`` cut in the middle to at most ``width`` columns, since names differ at both ends."""
    if columns(text) <= width:
        return text
    keep = max(width - len(ellipsis), 0)
    head, tail = "", ""
    for step in range(len(text)):
        grown_head, grown_tail = text[: (step + 2) // 2], text[len(text) - (step + 1) // 2 :]
        if columns(grown_head) + columns(grown_tail) > keep:
            break
        head, tail = grown_head, grown_tail
    return head + ellipsis[:width] + tail


def padded(text: str, width: int, right: bool = False) -> str:
    gap = " " * max(width - columns(text), 0)
    return gap + text if right else text + gap
