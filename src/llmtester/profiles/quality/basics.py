"""Questions that the smallest models can answer, and what everybody knows.

Without them a small model is at the level of guessing everywhere, and nothing can be lost that was never there.
"""

from __future__ import annotations

from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft
from llmtester.profiles.quality.words import (
    CAPITALS,
    COLOURED,
    COLOURS,
    COUNTS,
    NAMES,
    NUMBERS,
    OBJECTS,
    PLAIN_OPPOSITES,
    PLURALS,
    ROOMS,
    WEEKDAYS,
    YOUNG,
)

_ASKING = (
    "{0} asks: {1}",
    "{0} wants to know: {1}",
    "A question from {0}: {1}",
    "Please help {0}. {1}",
    "{0} has a question: {1}",
    "This is for {0}. {1}",
)
"""Who asks does not matter; it makes the same question a new one."""


def _asked(dice: Dice, question: str, right: str, others: list[str]) -> Draft:
    """An open question: the four words that are read as an answer are not shown, so guessing gets nothing right."""
    return Draft(
        dice.choice(_ASKING).format(dice.choice(NAMES), question),
        right,
        tuple(others),
        type="word",
        options=tuple(sorted([right, *others])),
        oracle=right,
        replies=tuple(others),
    )


def _others(dice: Dice, words: tuple[str, ...], right: str) -> list[str]:
    return dice.sample([word for word in words if word != right], 3)


def place(dice: Dice, level: int) -> Draft:
    thing, room = dice.choice(OBJECTS), dice.choice(ROOMS)
    return _asked(dice, f"The {thing} is in the {room}. Where is the {thing}?", room, _others(dice, ROOMS, room))


def colour(dice: Dice, level: int) -> Draft:
    thing, shade = dice.choice(OBJECTS), dice.choice(COLOURS)
    question = f"I have a {shade} {thing}. What colour is the {thing}?"
    return _asked(dice, question, shade, _others(dice, COLOURS, shade))


def following(dice: Dice, level: int) -> Draft:
    """The next number word, or the next day of the week."""
    if dice.below(3) == 0:
        day = dice.below(len(WEEKDAYS))
        right = WEEKDAYS[(day + 1) % len(WEEKDAYS)]
        rest = tuple(name for name in WEEKDAYS if name != WEEKDAYS[day])
        return _asked(dice, f"Which day comes after {WEEKDAYS[day]}?", right, _others(dice, rest, right))
    start = dice.between(1, 14)
    right = NUMBERS[start + 3]
    told = NUMBERS[start : start + 3]
    rest = tuple(word for word in NUMBERS if word not in told)
    return _asked(dice, f"Which number comes next: {', '.join(told)}?", right, _others(dice, rest, right))


def adding(dice: Dice, level: int) -> Draft:
    one, other = dice.between(1, 10 * level), dice.between(1, 9)
    total = one + other
    wrong = dict.fromkeys((total + 1, total - 1, total + 10, abs(one - other)))
    question = dice.choice(_ASKING).format(dice.choice(NAMES), f"What is {one} plus {other}?")
    others = [str(value) for value in wrong if value != total]
    return Draft(question, str(total), oracle=str(total), replies=tuple(others))


def capital(dice: Dice, level: int) -> Draft:
    country, town = dice.choice(CAPITALS)
    others = _others(dice, tuple(city for _, city in CAPITALS), town)
    return _asked(dice, f"What is the capital of {country}?", town, others)


def opposite(dice: Dice, level: int) -> Draft:
    pair, side = dice.choice(PLAIN_OPPOSITES), dice.below(2)
    right = pair[1 - side]
    words = tuple(word for other in PLAIN_OPPOSITES if other != pair for word in other)
    return _asked(dice, f"What is the opposite of {pair[side]}?", right, _others(dice, words, right))


def several(dice: Dice, level: int) -> Draft:
    one, many = dice.choice(PLURALS)
    wrong = [word for word in (f"{one}s", f"{one}es", f"{one}en") if word != many]
    return _asked(dice, f"What is the plural of {one}?", many, wrong)


def repeating(dice: Dice, level: int) -> Draft:
    words = tuple(dict.fromkeys((*OBJECTS, *ROOMS, *COLOURS)))
    word = dice.choice(words)
    return _asked(dice, f"Write this word again: {word}", word, _others(dice, words, word))


def usual_colour(dice: Dice, level: int) -> Draft:
    thing, shade = dice.choice(COLOURED)
    return _asked(dice, f"What colour is {thing}?", shade, _others(dice, COLOURS, shade))


def young(dice: Dice, level: int) -> Draft:
    animal, child = dice.choice(YOUNG)
    others = _others(dice, tuple(one for _, one in YOUNG), child)
    return _asked(dice, f"What is a young {animal} called?", child, others)


def how_many(dice: Dice, level: int) -> Draft:
    what, count = dice.choice(COUNTS)
    right = int(count)
    question = dice.choice(_ASKING).format(dice.choice(NAMES), f"How many {what}?")
    wrong = tuple(str(value) for value in (right + 1, right - 1, right + 10))
    return Draft(question, count, oracle=count, replies=wrong)


_CLOSING, _ROOM = "Answer with one word or number only.", 24

BASICS = Category(
    "basics",
    (
        ("place", place),
        ("colour", colour),
        ("repeating", repeating),
        ("following", following),
        ("adding", adding),
        ("several", several),
    ),
    _CLOSING,
    _ROOM,
)
KNOWLEDGE = Category(
    "knowledge",
    (
        ("capital", capital),
        ("opposite", opposite),
        ("colour", usual_colour),
        ("young", young),
        ("count", how_many),
    ),
    _CLOSING,
    _ROOM,
)
