"""Short texts that nobody has read before, and a question about each: number, name, date, time or list."""

from __future__ import annotations

from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft
from llmtester.profiles.quality.words import GOODS, JOBS, MONTHS, NAMES, OBJECTS, ROOMS, TOWNS, WEEKDAYS


def notice(dice: Dice, level: int) -> Draft:
    """A notice with two dates, of which one is asked for."""
    town, job, other = dice.choice(TOWNS), *dice.sample(JOBS, 2)
    month, late = dice.between(1, 12), dice.between(1, 12)
    day, last, year = dice.between(1, 28), dice.between(1, 28), dice.between(2015, 2034)
    opening = f"{year:04d}-{month:02d}-{day:02d}"
    closing = f"{year + 1:04d}-{late:02d}-{last:02d}"
    text = (
        f"Notice for all people of {town}. The {job}'s shop opens on {day} {MONTHS[month - 1]} {year}. "
        f"It replaces the shop of the {other}, which may be used until {last} {MONTHS[late - 1]} {year + 1}. "
        f"Questions are answered on {dice.choice(WEEKDAYS)}s between 9 and 11 o'clock."
    )
    asked = "opens" if level < 3 else "must the old shop be left at the latest"
    question = f"On which day {'does the new shop open' if level < 3 else asked}? Write the date as YYYY-MM-DD."
    right, wrong = (opening, closing) if level < 3 else (closing, opening)
    swapped = f"{right[:5]}{right[8:]}-{right[5:7]}"
    return Draft(f"{text}\n\n{question}", right, (wrong, swapped, f"{int(right[:4]) + 1}{right[4:]}"), type="date")


def table(dice: Dice, level: int) -> Draft:
    """A small table; the row is named, or found through another column."""
    rows = 3 + level
    names, goods = dice.sample(NAMES, rows), dice.sample(GOODS, rows)
    counts = dice.sample(range(11, 99), rows)
    prices = dice.sample(range(2, 60), rows)
    lines = [
        f"{name} | {good} | {count} | {price}"
        for name, good, count, price in zip(names, goods, counts, prices, strict=True)
    ]
    row = dice.below(rows)
    near = (row + 1) % rows
    head = "\n".join(["seller | goods | pieces | price in coins", *lines])
    if level == 1:
        question, right = f"How many pieces does {names[row]} have?", counts[row]
        wrong = [counts[near], prices[row]]
    elif level == 2:
        question, right = f"What is the price of the {goods[row]}?", prices[row]
        wrong = [prices[near], counts[row]]
    else:
        question = f"How many pieces do {names[row]} and {names[near]} have together?"
        right = counts[row] + counts[near]
        wrong = [counts[row], prices[row] + prices[near], counts[near]]
    return Draft(f"{head}\n\n{question}", str(right), tuple(str(value) for value in wrong if value != right))


def dialogue(dice: Dice, level: int) -> Draft:
    """Who does what in a conversation, with a plan that is changed."""
    one, two, three = dice.sample(NAMES, 3)
    first, second = dice.sample(OBJECTS, 2)
    room, day = dice.choice(ROOMS), dice.choice(WEEKDAYS)
    text = (
        f"{one}: Who takes the {first} to the {room} on {day}?\n"
        f"{two}: I can do that.\n"
        f"{three}: Then I carry the {second}.\n"
    )
    carrier = {first: two, second: three}
    if level > 1:
        text += f"{two}: On second thoughts, {three}, let us swap: you take mine and I take yours.\n{three}: Agreed.\n"
        carrier = {first: three, second: two}
    if level == 3:
        text += f"{one}: And I bring the {second} back home afterwards.\n"
    asked = dice.choice((first, second))
    right = carrier[asked]
    wrong = tuple(name for name in (one, two, three) if name != right)
    return Draft(
        f"{text}\nWho carries the {asked} to the {room} on {day}? Answer with the name.",
        right,
        wrong,
        type="word",
        options=tuple(sorted((one, two, three))),
    )


def log(dice: Dice, level: int) -> Draft:
    """Lines with times; the events of a kind are counted or listed."""
    count = 4 + 2 * level
    rooms = dice.sample(ROOMS, 4)
    minute = dice.between(5, 300)
    entries: list[tuple[str, str, str]] = []
    for _ in range(count):
        minute += dice.between(3, 55)
        moment = f"{6 + minute // 60:02d}:{minute % 60:02d}"
        entries.append((moment, dice.choice(("door opened", "door closed", "light on")), dice.choice(rooms)))
    room = entries[dice.below(count)][2]
    text = "\n".join(f"{moment} {event}, {place}" for moment, event, place in entries)
    right = sum(place == room for _, _, place in entries)
    kinds = sum(event == "light on" for _, event, _ in entries)
    wrong = tuple(str(value) for value in (right + 1, right + 2, kinds, count) if value != right)
    return Draft(f"{text}\n\nHow many of these lines are about the {room}?", str(right), wrong)


def stock(dice: Dice, level: int) -> Draft:
    """A paragraph; everything that passes a condition is listed."""
    goods = dice.sample(GOODS, 4 + level)
    counts = dice.sample(range(5, 95), len(goods))
    limit = sorted(counts)[len(counts) // 2]
    name, town = dice.choice(NAMES), dice.choice(TOWNS)
    kept = sorted(good for good, count in zip(goods, counts, strict=True) if count > limit)
    others = sorted(set(goods) - set(kept))
    listed = "; ".join(f"{count} {good}" for good, count in zip(goods, counts, strict=True))
    return Draft(
        f"{name} has counted the store in {town}: {listed}.\n\n"
        f"Which goods are there more than {limit} of? List them, separated by commas.",
        ", ".join(kept),
        (", ".join(others), ", ".join(kept[:-1]) or others[0], ", ".join(sorted([*kept, others[0]]))),
        type="set",
    )


def letter(dice: Dice, level: int) -> Draft:
    """A letter that names several places; one of them is where something was left."""
    writer, reader = dice.sample(NAMES, 2)
    places, objects = dice.sample(ROOMS, 3), dice.sample(OBJECTS, 3)
    moved = f" Yesterday I brought the {objects[0]} from the {places[0]} to the {places[2]}." if level > 1 else ""
    extra = f" The {objects[2]} is not here yet." if level == 3 else ""
    text = (
        f"Dear {reader}, since you asked: the {objects[0]} was in the {places[0]}, "
        f"and the {objects[1]} still is in the {places[1]}.{moved}{extra} Yours, {writer}"
    )
    right = places[2] if level > 1 else places[0]
    wrong = tuple(place for place in places if place != right)
    return Draft(
        f"{text}\n\nIn which room is the {objects[0]} according to the letter? Answer with one word.",
        right,
        wrong,
        type="word",
        options=tuple(sorted(places)),
    )


def ranking(dice: Dice, level: int) -> Draft:
    """Results told out of order, to be listed from most to fewest."""
    names = dice.sample(NAMES, 2 + level)
    points = dice.sample(range(12, 98), len(names))
    told = ". ".join(f"{name} scored {value}" for name, value in zip(names, points, strict=True))
    order = [name for _, name in sorted(zip(points, names, strict=True), reverse=True)]
    return Draft(
        f"In {dice.choice(TOWNS)}: {told}.\n\nList the names from most to fewest points, separated by commas.",
        ", ".join(order),
        (", ".join(reversed(order)), ", ".join([*order[1:], order[0]])),
        type="list",
    )


READING = Category(
    "reading",
    (
        ("notice", notice),
        ("table", table),
        ("dialogue", dialogue),
        ("log", log),
        ("stock", stock),
        ("letter", letter),
        ("ranking", ranking),
    ),
    "Answer with one line that reads: Answer: <value>",
    60,
)
