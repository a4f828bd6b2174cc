"""Facts to hide in a long text and questions that only who has read it can answer.

Three kinds, after the ideas of needle in a haystack and of RULER (arXiv 2404.06654), with sentences of our own: a
**needle** is a fact unlike all others; a **key** is one of several facts that differ in a name alone; a **chain** says
in three places what must be put together. Every answer is a number that occurs once, so that it can be checked exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llmtester.profiles.prompts import Planted, mix
from llmtester.profiles.prose import chooser, seeded
from llmtester.profiles.vocabulary import FIRST_NAMES, LAST_NAMES

NEEDLES = (
    ("The safe behind the counter opens with the combination {number}.", "Which combination opens the safe?"),
    ("Anyone who needs the night porter dials {number}.", "Which number does one dial for the night porter?"),
    ("The ferry that sank in the bay had the registration {number}.", "Which registration did the sunken ferry have?"),
)
NEEDLE_DEPTHS = (0.1, 0.5, 0.9)
KEY = ("The parcel for {name} weighs {number} grams.", "How many grams does the parcel for {name} weigh?")
KEY_DEPTHS = (0.05, 0.25, 0.4, 0.55, 0.65, 0.8)
KEYS_ASKED = (1, 3, 5)
CHAIN_FIRST = "The {first} box holds {number} coins."
CHAIN_NEXT = "The {next} box holds exactly as many coins as the {first} box."
CHAIN_QUESTION = "How many coins does the {last} box hold?"
CHAIN_DEPTHS = ((0.15, 0.45, 0.7), (0.3, 0.6, 0.85))
COLOURS = ("red", "green", "blue", "yellow", "black", "white", "brown", "purple")
FIRST_NUMBER, LAST_NUMBER = 2000, 9999
"""Four digits, and none of them a year of the prose."""

ANSWER_ONLY = "Answer with the number only."
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+")


@dataclass(frozen=True, slots=True)
class Question:
    """``id`` says kind and depth in per cent, ``key.55``; ``answer`` is a number in digits."""

    id: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Haystack:
    """What is planted, and what is asked. The first three questions are one of each kind."""

    planted: tuple[Planted, ...]
    questions: tuple[Question, ...]


def haystack(seed: int) -> Haystack:
    """Equal seeds give equal facts."""
    random = seeded(mix(seed, "facts"))
    choose = chooser(random)
    numbers = _distinct(lambda: str(FIRST_NUMBER + int(random.random() * (LAST_NUMBER - FIRST_NUMBER + 1))))
    names = _distinct(lambda: f"{choose(FIRST_NAMES)} {choose(LAST_NAMES)}")
    colours = _distinct(lambda: choose(COLOURS))
    planted: list[Planted] = []
    by_kind: list[list[Question]] = []
    by_kind.append([])
    for depth, (fact, question) in zip(NEEDLE_DEPTHS, NEEDLES, strict=True):
        number = next(numbers)
        planted.append(Planted(depth, fact.format(number=number)))
        by_kind[-1].append(_question("needle", depth, question, number))
    by_kind.append([])
    for index, depth in enumerate(KEY_DEPTHS):
        name, number = next(names), next(numbers)
        planted.append(Planted(depth, KEY[0].format(name=name, number=number)))
        if index in KEYS_ASKED:
            by_kind[-1].append(_question("key", depth, KEY[1].format(name=name), number))
    by_kind.append([])
    for depths in CHAIN_DEPTHS:
        boxes, number = [next(colours) for _ in depths], next(numbers)
        planted.append(Planted(depths[0], CHAIN_FIRST.format(first=boxes[0], number=number)))
        for depth, before, box in zip(depths[1:], boxes, boxes[1:], strict=False):
            planted.append(Planted(depth, CHAIN_NEXT.format(next=box, first=before)))
        by_kind[-1].append(_question("chain", depths[-1], CHAIN_QUESTION.format(last=boxes[-1]), number))
    return Haystack(tuple(planted), tuple(_in_turn(by_kind)))


def is_right(answer: str, expected: str) -> bool:
    """Whether the first number with as many digits as the expected one is that number; ``4,817`` is read as 4817."""
    found = (match.replace(",", "") for match in _NUMBER.findall(answer))
    return next((number for number in found if len(number) >= len(expected)), None) == expected


def _question(kind: str, depth: float, text: str, answer: str) -> Question:
    return Question(f"{kind}.{round(depth * 100)}", f"{text} {ANSWER_ONLY}", answer)


def _distinct(draw: Callable[[], str]) -> Iterator[str]:
    """What ``draw`` gives, without what was given before."""
    seen: set[str] = set()
    while True:
        value = draw()
        if value not in seen:
            seen.add(value)
            yield value


def _in_turn(groups: Sequence[Sequence[Question]]) -> Iterator[Question]:
    for place in range(max(len(group) for group in groups)):
        yield from (group[place] for group in groups if place < len(group))
