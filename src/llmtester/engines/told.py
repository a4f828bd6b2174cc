"""What a server told, as the type that it should have. A wrong type, or a number that nothing has, counts as not told.

Servers that somebody else runs are not ours to trust: what is taken here ends in a journal and in formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 1 << 40
"""More tokens, or milliseconds, than any answer has: 35 years."""


def mapping(value: object) -> Mapping[str, Any]:
    """The object, empty if it is none. JSON objects are ``dict``; asking for ``Mapping`` costs four times as much."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def count(value: object) -> int | None:
    """A whole number from 0 to ``MOST``."""
    told = number(value)
    return int(told) if told is not None and told == int(told) else None


def number(value: object) -> float | None:
    """A number from 0 to ``MOST``."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST
    return value if fits else None  # type: ignore[return-value]  # ``fits`` says that it is one
