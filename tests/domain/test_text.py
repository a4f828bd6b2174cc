"""Untrusted text made safe, units made readable, and the name that was meant."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.domain.text import counted, folded, human_bytes, human_duration, nearest, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Grüße, 你好", "plain, Grüße, 你好"),
        ("red \x1b[31m", "red \\x1b[31m"),
        ("left\u202eright", "left\\u202eright"),
        ("hidden\U000e0041", "hidden\\U000e0041"),
        ("two\nlines", "two\\x0alines"),
    ],
)
def test_what_moves_a_cursor_is_seen(text: str, shown: str) -> None:
    """Controls, direction marks and invisible characters become their codes; letters of any script stay."""
    assert printable(text) == shown


@given(st.text(), st.integers(1, 50))
def test_no_text_is_longer_than_its_limit_or_unprintable(text: str, limit: int) -> None:
    """Whatever comes in, one line of at most so many characters goes out."""
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" for char in shown)
    assert shown == text or not text.isprintable() or len(text) > limit


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2e6, "2.0 MB"), (123_456_789, "123 MB"), (-1.5e9, "-1.5 GB")],
)
def test_bytes_have_decimal_units(size_bytes: float, shown: str) -> None:
    """As disks count them, with two or three digits."""
    assert human_bytes(size_bytes) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-0.0001, "0 ms"),
        (0.85, "850 ms"),
        (1, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5340, "89 min"),
        (5400, "1 h 30 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_have_the_unit_that_a_person_would_use(seconds: float, shown: str) -> None:
    """Milliseconds below a second, then seconds, minutes, and hours with their minutes."""
    assert human_duration(seconds) == shown


def test_one_thing_has_no_plural() -> None:
    """One cell, two cells, no cells."""
    assert [counted(count, "cell") for count in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("STARTER", ["starter"]),
        ("qwen", ["qwen2.5-7b", "qwen2.5-14b-instruct"]),
        ("qwne2.5-7b", ["qwen2.5-7b"]),
        ("zebra", []),
        (" ", []),
    ],
)
def test_the_name_that_was_meant_is_found(wanted: str, found: list[str]) -> None:
    """Names that hold the word, the shortest first, then those spelled alike; nothing for a word unlike any."""
    assert nearest(wanted, ["qwen2.5-14b-instruct", "starter", "qwen2.5-7b", ""], 2)[: len(found) or 2] == found


LINE = "0:00:36  [4/6] other-model-with-a-long-name Q5_K_M interactive/short trial 1: first token 10.6 ms, 902 tok/s"


@given(st.integers(40, 120))
def test_a_folded_line_loses_nothing_and_keeps_figures_with_their_units(width_columns: int) -> None:
    """At any width the words are those of the line, no part is wider, and the rest stands under the first word."""
    parts = folded(LINE, width_columns).split("\n")
    assert " ".join(part.strip() for part in parts) == LINE
    assert max(map(len, parts)) <= width_columns
    assert all(part.startswith(" " * 9) for part in parts[1:])
    assert any("10.6 ms," in part for part in parts)
    assert any("902 tok/s" in part for part in parts)
