"""Questions with one word as the answer and nothing else: many of them in little time."""

from __future__ import annotations

from itertools import pairwise

from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft
from llmtester.profiles.quality.words import (
    CAUSES,
    CLASSES,
    COLOURS,
    GOODS,
    NAMES,
    NUMBER_VALUES,
    NUMBER_WORDS,
    OBJECTS,
    OPPOSITES,
    PLURALS,
    ROOMS,
    TRAITS,
    WEEKDAYS,
)


def _open(question: str, right: str, others: list[str]) -> Draft:
    """The words that can be meant stand in the question; a list of them would only be repeated by small models."""
    return Draft(
        question,
        right,
        tuple(others),
        type="word",
        options=tuple(sorted([right, *others])),
        oracle=right,
        replies=tuple(others),
    )


def _closed(dice: Dice, question: str, right: str, others: list[str]) -> Draft:
    options = dice.shuffled([right, *others])
    return _open(f"{question}\nChoose one word: {', '.join(options)}.", right, others)


def where_is(dice: Dice, level: int) -> Draft:
    names, rooms = dice.sample(NAMES, 4), dice.sample(ROOMS, 4)
    asked = dice.below(4)
    told = ". ".join(f"{name} is in the {room}" for name, room in zip(names, rooms, strict=True))
    return _open(f"{told}. Where is {names[asked]}?", rooms[asked], [room for room in rooms if room != rooms[asked]])


def who_carries(dice: Dice, level: int) -> Draft:
    names, things = dice.sample(NAMES, 4), dice.sample(OBJECTS, 4)
    asked = dice.below(4)
    told = ". ".join(f"{name} carries the {thing}" for name, thing in zip(names, things, strict=True))
    return _open(f"{told}. Who carries the {things[asked]}?", names[asked], [n for n in names if n != names[asked]])


def row_of(dice: Dice, level: int) -> Draft:
    goods, colours = dice.sample(GOODS, 4), dice.sample(COLOURS, 4)
    asked = dice.below(4)
    rows = "\n".join(f"{good}: {colour}" for good, colour in zip(goods, colours, strict=True))
    return _open(
        f"{rows}\nWhich colour is listed for {goods[asked]}?",
        colours[asked],
        [c for c in colours if c != colours[asked]],
    )


def in_order(dice: Dice, level: int) -> Draft:
    names = dice.sample(NAMES, 4)
    place = dice.below(4)
    told = ", then ".join(names)
    words = ("first", "second", "third", "last")
    return _open(
        f"They arrive one by one: {told}. Who arrives {words[place]}?",
        names[place],
        [n for n in names if n != names[place]],
    )


def greatest(dice: Dice, level: int) -> Draft:
    names, numbers = dice.sample(NAMES, 4), dice.sample(range(10, 99), 4)
    told = ". ".join(f"{name} has {number} points" for name, number in zip(names, numbers, strict=True))
    most = dice.below(2) == 0
    right = names[numbers.index(max(numbers) if most else min(numbers))]
    return _open(f"{told}. Who has the {'most' if most else 'fewest'} points?", right, [n for n in names if n != right])


def chain(dice: Dice, level: int) -> Draft:
    more, most, least = dice.choice(TRAITS)
    names = dice.sample(NAMES, 4)
    told = ". ".join(f"{one} is {more} than {other}" for one, other in pairwise(names))
    high = dice.below(2) == 0
    right = names[0] if high else names[-1]
    return _open(f"{told}. Who is the {most if high else least}?", right, [n for n in names if n != right])


def change(dice: Dice, level: int) -> Draft:
    name, goods = dice.choice(NAMES), dice.choice(GOODS)
    total, part = dice.between(9, 20), dice.between(1, 8)
    right = total - part
    return _number(dice, f"{name} has {total} {goods} and gives {part} away. How many are left?", right)


def weekday(dice: Dice, level: int) -> Draft:
    name, start, days = dice.choice(NAMES), dice.below(7), dice.between(2, 6 if level < 3 else 13)
    right = WEEKDAYS[(start + days) % 7]
    others = dice.sample([day for day in WEEKDAYS if day != right], 3)
    return _closed(
        dice, f"{name} leaves on {WEEKDAYS[start]} and comes back {days} days later. Which day is that?", right, others
    )


def half(dice: Dice, level: int) -> Draft:
    name, goods, right = dice.choice(NAMES), dice.choice(GOODS), dice.between(3, 17)
    return _number(dice, f"{name} has {2 * right} {goods} and sells half of them. How many are left?", right)


def _number(dice: Dice, question: str, right: int) -> Draft:
    near = [value for value in range(max(0, right - 3), right + 4) if value != right]
    wrong = tuple(str(value) for value in dice.sample(near, 3))
    return Draft(question, str(right), wrong, oracle=str(right), replies=wrong)


def odd_one(dice: Dice, level: int) -> Draft:
    (_, members), (_, strangers) = dice.sample(CLASSES, 2)
    kept, stranger = dice.sample([word for word in members if word not in strangers], 3), dice.choice(strangers)
    return _closed(dice, "Three of these words belong together. Which one does not?", stranger, kept)


def belongs(dice: Dice, level: int) -> Draft:
    kinds = dice.sample(CLASSES, 4)
    examples = dice.sample(kinds[0][1], 3)
    return _closed(
        dice,
        f"What are {', '.join(examples[:2])} and {examples[2]} examples of?",
        kinds[0][0],
        [name for name, _ in kinds[1:]],
    )


def opposite(dice: Dice, level: int) -> Draft:
    pairs = dice.sample(OPPOSITES, 4)
    side = dice.below(2)
    name = dice.choice(NAMES)
    question = f'{name} looks for the word that means the opposite of "{pairs[0][side]}". Which word is it?'
    return _closed(dice, question, pairs[0][1 - side], [pair[1 - side] for pair in pairs[1:]])


def plural(dice: Dice, level: int) -> Draft:
    one, many = dice.choice(PLURALS)
    name, count = dice.choice(NAMES), dice.between(3, 9)
    stem = one[:-1] if one.endswith(("e", "y", "o", "f")) else one
    wrong = list(
        dict.fromkeys(word for word in (f"{one}s", f"{stem}es", f"{stem}en", f"{one}en", f"{one}i") if word != many)
    )[:3]
    return _closed(
        dice,
        f'{name} writes: "I saw one {one}, then {count} more." Which word for {count} of them is right?',
        many,
        wrong,
    )


def foreign(dice: Dice, level: int) -> Draft:
    language, words = dice.choice(NUMBER_WORDS)
    places = dice.sample(range(len(words)), 4)
    name = dice.choice(NAMES)
    question = f'{name} learns {language}. Which English number is "{words[places[0]]}"?'
    return _closed(dice, question, NUMBER_VALUES[places[0]], [NUMBER_VALUES[place] for place in places[1:]])


def effect(dice: Dice, level: int) -> Draft:
    cause, right = dice.choice(CAUSES)
    others = dice.sample([word for _, word in CAUSES if word != right and {word, right} != {"burnt", "burned"}], 3)
    name = dice.choice(NAMES)
    return _closed(dice, f"{name} tells: {cause}. Which word fits best to what came of it?", right, others)


_CLOSING, _ROOM = "Answer with one word only.", 24
"""Room for a model that writes a sentence although told not to."""

LOOKUP = Category("look-up", (("where", where_is), ("carries", who_carries), ("row", row_of)), _CLOSING, _ROOM)
ORDER = Category("order", (("arrival", in_order), ("points", greatest), ("chain", chain)), _CLOSING, _ROOM)
COUNTING = Category(
    "counting",
    (("change", change), ("weekday", weekday), ("half", half)),
    "Answer with one word or number only.",
    _ROOM,
)
LANGUAGE = Category(
    "language",
    (
        ("odd", odd_one),
        ("kind", belongs),
        ("opposite", opposite),
        ("plural", plural),
        ("foreign", foreign),
        ("effect", effect),
    ),
    _CLOSING,
    _ROOM,
)
