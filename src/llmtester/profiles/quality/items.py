"""One question with everything that is needed to ask it and to judge an answer exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from llmtester.profiles.quality.dice import Dice

AnswerType: TypeAlias = Literal["number", "word", "text", "date", "list", "set", "json", "rules"]
Rule: TypeAlias = tuple[str, str]
"""A checker of ``rules`` and its argument, both as text."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question. ``answer`` is canonical; ``oracle`` is a whole reply that is right, ``distractors`` are whole replies
    that are wrong in a plausible way. ``options`` are the only words allowed as a ``word``; ``rules`` belong to
    instructions. ``template`` names the pattern: items of one pattern are not independent."""

    id: str
    category: str
    template: str
    level: int
    prompt: str
    type: AnswerType
    answer: str
    oracle: str
    distractors: tuple[str, ...]
    max_tok: int
    options: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a family makes: an item without its place in a set."""

    prompt: str
    answer: str
    distractors: tuple[str, ...] = ()
    type: AnswerType = "number"
    options: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    oracle: str = ""
    replies: tuple[str, ...] = ()


Family: TypeAlias = Callable[[Dice, int], Draft]


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of question: its families by template name, the words that ask for the answer, and the room for it."""

    name: str
    families: tuple[tuple[str, Family], ...]
    closing: str
    max_tok: int


def generate(category: Category, count: int, seed: int) -> Iterator[Item]:
    """``count`` different questions: families and levels 1 to 3 take turns, equal arguments give equal items.

    A question that came before is drawn again.
    """
    dice = Dice(seed)
    seen: set[str] = set()
    for number in range(count):
        template, family = category.families[number % len(category.families)]
        level = 1 + (number // len(category.families)) % 3
        draft = family(dice, level)
        while draft.prompt in seen:
            draft = family(dice, level)
        seen.add(draft.prompt)
        yield _item(category, template, level, number, draft)


def _item(category: Category, template: str, level: int, number: int, draft: Draft) -> Item:
    wrong = tuple(dict.fromkeys(text for text in draft.distractors if text != draft.answer))
    return Item(
        id=f"{category.name}.{template}.{number}",
        category=category.name,
        template=template,
        level=level,
        prompt=f"{draft.prompt}\n\n{category.closing}".strip() if category.closing else draft.prompt,
        type=draft.type,
        answer=draft.answer,
        oracle=draft.oracle or f"Answer: {draft.answer}",
        distractors=(*(f"Answer: {text}" for text in wrong), *draft.replies),
        max_tok=category.max_tok,
        options=draft.options,
        rules=draft.rules,
    )


def set_hash(items: Sequence[Item], version: int) -> str:
    """64 hexadecimal digits: SHA-256 of the canonical JSON of the items in order and the version of the generators."""
    text = json.dumps(
        {"version": version, "items": [asdict(item) for item in items]},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def read_item(data: dict[str, Any]) -> Item:
    """The item that ``asdict`` turned into ``data``. Raises ``ValueError`` naming what is missing, unknown or wrong."""
    known = {entry.name for entry in fields(Item)}
    needed = known - {"options", "rules", "distractors", "oracle", "level", "template"}
    if missing := sorted(needed - data.keys()):
        raise ValueError(f"the question has no {', '.join(missing)}")
    if unknown := sorted(data.keys() - known):
        raise ValueError(f"the question has the unknown key {unknown[0]}")
    if data["type"] not in AnswerType.__args__:  # type: ignore[attr-defined]  # a Literal lists its values
        raise ValueError(f"{data['type']!r} is no type of answer: {', '.join(AnswerType.__args__)}")  # type: ignore[attr-defined]  # as above
    for name in ("id", "category", "prompt", "answer"):
        if not isinstance(data[name], str) or not data[name].strip():
            raise ValueError(f"{name} must be text")
    if not isinstance(data["max_tok"], int) or data["max_tok"] < 1:
        raise ValueError("max_tok must be a whole number above 0")
    item = Item(**{"level": 1, "template": data["category"], "oracle": "", "distractors": (), **data})
    return replace(
        item,
        oracle=item.oracle or f"Answer: {item.answer}",
        distractors=tuple(item.distractors),
        options=tuple(item.options),
        rules=tuple((str(name), str(argument)) for name, argument in item.rules),
    )
