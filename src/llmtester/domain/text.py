"""Making untrusted text safe to show and units readable. Used by everything that prints."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str, limit_characters: int = 200) -> str:
    """One line of ``text`` in which nothing can move a cursor, hide, or turn the reading direction.

    Control, format (bidirectional marks, zero-width), surrogate and unassigned characters become visible escapes such
    as ``\\x1b`` or ``\\u202e``; what exceeds ``limit_characters`` is cut and marked with an ellipsis.
    """
    shown = text[: limit_characters + 1]
    if not shown.isprintable():  # nearly every text is, and asking is a hundred times as fast as looking
        shown = "".join(
            char if unicodedata.category(char) not in _HIDDEN_CATEGORIES else _escaped(char) for char in shown
        )
    return shown if len(shown) <= limit_characters else shown[: limit_characters - 1] + "…"


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


STAMP_COLUMNS = 9
"""What a line of a log begins with, ``0:00:36  ``; what does not fit into the first line stands under its words."""
_BETWEEN_FIGURE_AND_UNIT = re.compile(r"(?<=\d) (?=[a-z])", re.IGNORECASE)


def folded(line: str, width_columns: int) -> str:
    """A line of a log in lines of at most ``width_columns``, broken between words, never between figure and unit."""
    import textwrap  # --help folds nothing

    kept = _BETWEEN_FIGURE_AND_UNIT.sub("\xa0", line).replace("  ", "\xa0\xa0", 1)
    parts = textwrap.wrap(kept, max(width_columns, 40), subsequent_indent=" " * STAMP_COLUMNS, break_on_hyphens=False)
    return "\n".join(parts).replace("\xa0", " ")


ALIKE_RATIO = 0.6
"""What ``difflib`` itself calls a close match."""


def nearest(wanted: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Those of ``known`` that a person may have meant by ``wanted``, best first, at most ``count``.

    A name that holds the word comes first, then one that is spelled alike, as a whole or in its beginning; whether
    letters are large does not matter.
    """
    from difflib import SequenceMatcher  # --help needs no likeness

    text = wanted.strip().lower()

    def likeness(name: str) -> float:
        lower = name.lower()
        if text in lower:
            return 1 + len(text) / len(lower)
        return max(SequenceMatcher(None, text, part).ratio() for part in (lower, lower[: len(text)]))

    scored = sorted(((likeness(name), name) for name in set(known) if text and name), key=lambda one: (-one[0], one[1]))
    return [name for score, name in scored if score >= ALIKE_RATIO][:count]


def human_bytes(size_bytes: float) -> str:
    """``1.5 GB``: decimal units, as disks and model hubs count them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size_bytes) >= factor:
            scaled = size_bytes / factor
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def human_duration(seconds: float) -> str:
    """``850 ms``, ``12 s``, ``4 min``, ``2 h 05 min``."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"  # as a whole number, which has no negative zero
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int, thing: str) -> str:
    """``1 cell``, ``2 cells``; for words that take a plain s."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
