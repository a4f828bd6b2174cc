"""The fixed set of questions that results are compared on, and sets that a user brings.

``data/quality_tests.json`` is written by ``python -m llmtester.profiles.quality.question_set`` and holds what the
generators made, so that a result says with its hash which questions it rests on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable
from llmtester.profiles.quality.arithmetic import ARITHMETIC
from llmtester.profiles.quality.basics import BASICS, KNOWLEDGE
from llmtester.profiles.quality.instructions import INSTRUCTIONS
from llmtester.profiles.quality.items import Category, Item, generate, read_item, set_hash
from llmtester.profiles.quality.logic import LOGIC
from llmtester.profiles.quality.quick import COUNTING, LANGUAGE, LOOKUP, ORDER
from llmtester.profiles.quality.reading import READING
from llmtester.profiles.quality.structured import STRUCTURED

VERSION = 2
"""1: without basics, short questions with lists of words and little room; small models were nowhere above guessing."""

SEED = 20261124
STANDARD_FILE = Path(__file__).with_name("data") / "quality_tests.json"
SCHEMA = "llmtester/questions/1"

WRITTEN: tuple[Category, ...] = (ARITHMETIC, READING, LOGIC, INSTRUCTIONS, STRUCTURED)
SHORT: tuple[Category, ...] = (BASICS, KNOWLEDGE, LOOKUP, ORDER, COUNTING, LANGUAGE)
COUNTS: Mapping[str, int] = {"basics": 30, "knowledge": 30}
USUAL_COUNT = 24
"""Items a category: enough together to find a loss of 5 to 7 in 100 (facts in docs/quality.md)."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Items in the order of asking, and the hash that names them."""

    items: tuple[Item, ...]
    hash: str


def make() -> QuestionSet:
    """The standard set from its generators. Categories take turns, so that any beginning is a fair sample."""
    rows = [
        list(generate(category, COUNTS.get(category.name, USUAL_COUNT), SEED + number))
        for number, category in enumerate((*WRITTEN, *SHORT))
    ]
    items = tuple(item for turn in zip_longest(*rows) for item in turn if item is not None)
    return QuestionSet(items, set_hash(items, VERSION))


@cache
def standard() -> QuestionSet:
    """The set that is shipped. Raises ``ValueError`` if the file is not what its hash says."""
    data = json.loads(STANDARD_FILE.read_text(encoding="utf-8"))
    items = tuple(read_item(item) for item in data["items"])
    if set_hash(items, data["version"]) != data["hash"]:
        raise ValueError(f"{STANDARD_FILE.name} does not match its hash")
    return QuestionSet(items, data["hash"])


def load(path: Path) -> QuestionSet:
    """The user's questions: ``{"items": [...], "extends_standard": true}``; the same keys as ``Item``.

    Raises ``ConfigurationError`` naming the item that cannot be used.
    """
    shown = printable(str(path))
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the questions {shown} cannot be read",
            why=error.strerror or str(error),
            fix="correct profiles.quality.questions, or leave it out",
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"the questions {shown} are no JSON", why=printable(str(error)), fix=_EXAMPLE
        ) from error
    listed = data.get("items") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ConfigurationError(f"the questions {shown} hold no list called items", fix=_EXAMPLE)
    own = [_read(shown, number, item) for number, item in enumerate(listed)]
    if data.get("extends_standard"):
        own = [*standard().items, *own]
    names = [item.id for item in own]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(
            f"the questions {shown} use the id {printable(twice[0])} twice", fix="give every question an id of its own"
        )
    return QuestionSet(tuple(own), set_hash(own, 0))


_EXAMPLE = (
    'write for example {"items": [{"id": "mine.1", "category": "mine", "type": "number", "prompt": "What is 2 + 2?", '
    '"answer": "4", "max_tok": 40}]}'
)


def _read(shown: str, number: int, data: Any) -> Item:
    try:
        if not isinstance(data, dict):
            raise ValueError("it is no object")
        return read_item(data)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"question {number + 1} of {shown} cannot be used", why=printable(str(error)), fix=_EXAMPLE
        ) from error


def as_text(questions: QuestionSet, version: int) -> str:
    """The file of a set: one item a line, so that a change shows as one line."""
    head = json.dumps({"schema": SCHEMA, "version": version, "hash": questions.hash})[1:-1]
    rows: Sequence[str] = [
        json.dumps(asdict(item), ensure_ascii=False, separators=(",", ":")) for item in questions.items
    ]
    return "{" + head + ', "items": [\n' + ",\n".join(rows) + "\n]}\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # a text file on every system
    sys.stdout.write(as_text(make(), VERSION))
