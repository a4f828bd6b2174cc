"""What goes wrong in long free answers: loops, garbage, empty answers, another script, no end."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Mapping
from functools import lru_cache

from llmtester.analysis.summary import Stability
from llmtester.domain.records import Absent, Sample

LONGEST_PERIOD_TOK = 64
SHORTEST_LOOP_TOK = 24
LOOP_REPEATS = 3
"""A tail is a loop when it repeats a piece of at most 64 words three times or more, over 24 words at least."""

REPEATED_RATIO = 0.5
COMPRESSED_RATIO = 0.12
"""Ordinary prose of this length compresses to 35-60 %; below this share it says the same again and again."""

GARBAGE_RATIO = 0.05
SCRIPT_SHIFT_RATIO = 0.3
SHORTEST_TEXT_CHARACTERS = 200


@lru_cache(maxsize=4096)
def loops(text: str) -> bool:
    """Whether the text repeats itself at its end, in most of its four-word pieces, or so much that it hardly needs
    space when compressed."""
    said = text.split()
    for period in range(1, min(LONGEST_PERIOD_TOK, len(said) // LOOP_REPEATS) + 1):
        length = max(LOOP_REPEATS * period, SHORTEST_LOOP_TOK)
        tail = said[-length:]
        if len(tail) == length and all(tail[i] == tail[i - period] for i in range(period, length)):
            return True
    pieces = [tuple(said[i : i + 4]) for i in range(len(said) - 3)]
    if len(pieces) >= SHORTEST_LOOP_TOK and 1 - len(set(pieces)) / len(pieces) > REPEATED_RATIO:
        return True
    data = text.encode()
    return len(data) >= SHORTEST_TEXT_CHARACTERS and len(zlib.compress(data, 9)) / len(data) < COMPRESSED_RATIO


def garbage(text: str) -> bool:
    """Whether control, unassigned and replacement characters make up a noticeable share."""
    odd = sum(
        char == "\ufffd" or unicodedata.category(char) in {"Cc", "Cn", "Co"} for char in text if char not in "\n\t\r"
    )
    return bool(text) and odd / len(text) > GARBAGE_RATIO


def foreign_ratio(text: str) -> float:
    """Share of the letters that are not Latin; all our requests are in languages written in Latin letters."""
    letters = [char for char in text if char.isalpha()]
    return (
        sum(not unicodedata.name(char, "").startswith("LATIN") for char in letters) / len(letters) if letters else 0.0
    )


def measure(reference: Mapping[str, Sample], candidate: Mapping[str, Sample]) -> Stability | Absent:
    """Counts over the texts that both answered."""
    names = [name for name, sample in candidate.items() if sample.ok and name in reference and reference[name].ok]
    if not names:
        return Absent("no free text was written by both models")
    told, said = [reference[name] for name in names], [candidate[name] for name in names]
    return Stability(
        asked_count=len(names),
        looping_count=sum(loops(sample.text) for sample in said),
        reference_looping_count=sum(loops(sample.text) for sample in told),
        garbage_count=sum(garbage(sample.text) for sample in said),
        empty_count=sum(not sample.text.strip() for sample in said),
        reference_empty_count=sum(not sample.text.strip() for sample in told),
        foreign_count=sum(
            foreign_ratio(one.text) - foreign_ratio(other.text) > SCRIPT_SHIFT_RATIO
            for one, other in zip(said, told, strict=True)
        ),
        unended_count=sum(sample.finish == "length" for sample in said),
        reference_unended_count=sum(sample.finish == "length" for sample in told),
    )
