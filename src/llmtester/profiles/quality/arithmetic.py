"""Word problems of one to four steps. The size of the numbers is fixed; the computation is the answer."""

from __future__ import annotations

from fractions import Fraction

from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft
from llmtester.profiles.quality.words import GOODS, MONTHS, NAMES, TOWNS

ASIDES = (
    "The shop has a blue door.",
    "It rained on 3 days of that week.",
    "The town has 2 markets.",
    "They had known each other for 7 years.",
    "The road is lined with 40 trees.",
)
"""Numbers that do not matter; obeying them is a mistake that weak models make."""


def _aside(dice: Dice, level: int) -> str:
    return f" {dice.choice(ASIDES)}" if level == 3 else ""


def _numbers(right: int, *wrong: int) -> tuple[str, ...]:
    """The plausible mistakes that differ from the answer, and a slip by one."""
    return tuple(str(value) for value in (*wrong, right + 1, right - 1) if value != right)


def shopping(dice: Dice, level: int) -> Draft:
    name, goods, others = dice.choice(NAMES), *dice.sample(GOODS, 2)
    count, price, more, dear = dice.between(3, 9), dice.between(2, 9), dice.between(2, 9), dice.between(3, 12)
    spent = count * price + (more * dear if level > 1 else 0)
    paid = spent + dice.between(3, 40)
    second = f" and {more} {others} for {dear} coins each" if level > 1 else ""
    return Draft(
        f"{name} buys {count} {goods} for {price} coins each{second}, and pays with {paid} coins."
        f"{_aside(dice, level)} How many coins does {name} get back?",
        str(paid - spent),
        _numbers(paid - spent, spent, paid - count * price, paid - count - price),
    )


def sharing(dice: Dice, level: int) -> Draft:
    friends, each, left = dice.between(3, 9), dice.between(4, 14), dice.between(1, 2)
    goods, name, given = dice.choice(GOODS), dice.choice(NAMES), dice.between(2, 12) if level > 1 else 0
    total = friends * each + left + given
    gift = f" {name} first gives {given} of them away. The rest is" if given else " They are"
    return Draft(
        f"{name} has {total} {goods}.{gift} shared equally among {friends} friends, as far as possible."
        f"{_aside(dice, level)} How many {goods} does each friend get?",
        str(each),
        _numbers(each, (total // friends), left, each + given),
    )


def ages(dice: Dice, level: int) -> Draft:
    one, other, third = dice.sample(NAMES, 3)
    gap, years, age = dice.between(2, 15), dice.between(2, 20), dice.between(6, 40)
    if level == 1:
        right = age + gap
        asked = f"{one} is {age} years old and {other} is {gap} years older. How old is {other}?"
        return Draft(asked, str(right), _numbers(right, age - gap, gap))
    right = age + gap + years
    middle = f" {third} is {age + 3} years old." if level == 3 else ""
    return Draft(
        f"{one} is {age} years old. {other} is {gap} years older than {one}.{middle} "
        f"How old will {other} be in {years} years?",
        str(right),
        _numbers(right, age + years, age + gap, age - gap + years),
    )


def travel(dice: Dice, level: int) -> Draft:
    start, end, name = *dice.sample(TOWNS, 2), dice.choice(NAMES)
    speed, hours, pause = dice.between(3, 30), dice.between(2, 9), dice.between(2, 4)
    distance = speed * hours
    if level == 1:
        asked = (
            f"{name} rides from {start} to {end} in {hours} hours at {speed} kilometres an hour. How many kilometres"
        )
        return Draft(f"{asked} is the way?", str(distance), _numbers(distance, speed + hours, speed * (hours + 1)))
    return Draft(
        f"The way from {start} to {end} is {distance} kilometres. {name} rides at {speed} kilometres an hour and rests "
        f"for {pause} hours on the way.{_aside(dice, level)} How many hours does the whole journey take?",
        str(hours + pause),
        _numbers(hours + pause, hours, hours - pause, speed - pause),
    )


def percent(dice: Dice, level: int) -> Draft:
    share = dice.choice((10, 20, 25, 50, 75))
    whole = dice.between(2, 30) * 20
    part = whole * share // 100
    name, goods = dice.choice(NAMES), dice.choice(GOODS)
    if level == 1:
        asked = f"{name} counts {whole} {goods}. {share} percent of them are old. How many are old?"
        return Draft(asked, str(part), _numbers(part, whole - part, whole - share, share))
    fresh = dice.between(3, 30)
    right = whole - part + fresh
    return Draft(
        f"{name} has {whole} {goods} and sells {share} percent of them. Then {fresh} new ones arrive."
        f"{_aside(dice, level)} How many {goods} does {name} have now?",
        str(right),
        _numbers(right, part + fresh, whole - part, whole - share + fresh),
    )


def units(dice: Dice, level: int) -> Draft:
    name, goods = dice.choice(NAMES), dice.choice(GOODS)
    minutes, count = dice.between(3, 12), dice.between(5, 24)
    total = minutes * count
    if level < 3:
        return Draft(
            f"{name} needs {minutes} minutes for each of {count} {goods}. How many minutes is that in all?",
            str(total),
            _numbers(total, minutes + count, total + minutes, total // 60),
        )
    hours = dice.between(2, 6)
    return Draft(
        f"{name} works for {hours} hours and needs {minutes} minutes for each of the {goods}. "
        f"{count} are done already. How many more whole {goods} can be finished in that time?",
        str(hours * 60 // minutes),
        _numbers(hours * 60 // minutes, hours * 60 // minutes - count, hours * minutes, hours * 60),
    )


def schedule(dice: Dice, level: int) -> Draft:
    name, town = dice.choice(NAMES), dice.choice(TOWNS)
    hour, minute, length = dice.between(6, 15), dice.choice((5, 10, 15, 20, 35, 40, 50)), dice.between(25, 170)
    wait = dice.between(5, 40) if level > 1 else 0
    end = hour * 60 + minute + length + wait
    stop = f" It stands still for {wait} minutes on the way." if wait else ""
    wrong = [end - wait, end + 60, end - 60, hour * 60 + minute + abs(length - wait)]
    return Draft(
        f"{name}'s train to {town} leaves at {hour:02d}:{minute:02d} and drives for {length} minutes.{stop}"
        f"{_aside(dice, level)} At what time does it arrive? Give hours and minutes as HH:MM.",
        _clock(end),
        tuple(_clock(value) for value in wrong if value != end),
        type="text",
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def legs(dice: Dice, level: int) -> Draft:
    name, four, two = dice.choice(NAMES), dice.between(2, 15), dice.between(2, 20)
    total = 4 * four + 2 * two
    beast, bird = dice.choice(("goats", "cows", "sheep", "horses")), dice.choice(("hens", "ducks", "geese"))
    if level == 1:
        asked = f"{name} keeps {four} {beast} and {two} {bird}. How many legs do the animals have together?"
        return Draft(asked, str(total), _numbers(total, 4 * (four + two), 2 * (four + two), four + two))
    return Draft(
        f"{name} keeps {beast} and {bird}, {four + two} animals with {total} legs in all.{_aside(dice, level)} "
        f"How many {beast} are there?",
        str(four),
        _numbers(four, two, total // 4, (four + two) // 2),
    )


def perimeter(dice: Dice, level: int) -> Draft:
    name, long, wide, price = dice.choice(NAMES), dice.between(6, 40), dice.between(3, 30), dice.between(2, 9)
    around, inside = 2 * (long + wide), long * wide
    field = f"{name}'s field is {long} metres long and {wide} metres wide."
    if level == 1:
        return Draft(
            f"{field} How many metres of fence go around it?", str(around), _numbers(around, inside, long + wide)
        )
    return Draft(
        f"{field} A metre of fence costs {price} coins.{_aside(dice, level)} What does a fence around the field cost?",
        str(around * price),
        _numbers(around * price, inside * price, (long + wide) * price, around),
    )


def savings(dice: Dice, level: int) -> Draft:
    name, month = dice.choice(NAMES), dice.choice(MONTHS)
    start, each, count = dice.between(5, 80), dice.between(3, 15), dice.between(3, 11)
    spent = dice.between(4, 30) if level > 1 else 0
    right = start + each * count - spent
    out = f" Then {spent} coins are spent on a present." if spent else ""
    return Draft(
        f"In {month} {name} has {start} coins and saves {each} coins a week for {count} weeks.{out}"
        f"{_aside(dice, level)} How many coins are there now?",
        str(right),
        _numbers(right, start + each + count, each * count - spent, right + spent),
    )


def average(dice: Dice, level: int) -> Draft:
    name, goods = dice.choice(NAMES), dice.choice(GOODS)
    values = [dice.between(4, 40) for _ in range(level + 1)]
    mean = Fraction(sum(values), len(values))
    while mean.denominator != 1:
        values[-1] += 1
        mean = Fraction(sum(values), len(values))
    listed = ", ".join(str(value) for value in values[:-1])
    right = int(mean)
    return Draft(
        f"{name} counts {goods} on {len(values)} days: {listed} and {values[-1]}. What is the average for each day?",
        str(right),
        _numbers(right, sum(values), max(values), sum(values[:-1])),
    )


ARITHMETIC = Category(
    "arithmetic",
    (
        ("shopping", shopping),
        ("sharing", sharing),
        ("ages", ages),
        ("travel", travel),
        ("percent", percent),
        ("units", units),
        ("schedule", schedule),
        ("legs", legs),
        ("perimeter", perimeter),
        ("savings", savings),
        ("average", average),
    ),
    "Think step by step in a few short sentences. End with a line that reads: Answer: <value>",
    200,
)
