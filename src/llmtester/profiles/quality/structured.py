"""Answers that a program reads: JSON with given fields and types, and calls of tools, one of which is always none."""

from __future__ import annotations

import json
from typing import Any

from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft
from llmtester.profiles.quality.words import COLOURS, GOODS, JOBS, NAMES, OBJECTS, ROOMS, TOWNS, WEEKDAYS


def canonical(value: object) -> str:
    """One spelling for equal JSON values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _draft(prompt: str, right: Any, wrong: list[Any], replies: tuple[str, ...] = ()) -> Draft:
    """A JSON item. Besides the wrong values, a reply in plain words and a broken one are wrong."""
    text = json.dumps(right, ensure_ascii=False)
    broken = text[:-1]
    plain = "Here is what you asked for."
    return Draft(
        prompt,
        canonical(right),
        type="json",
        oracle=text,
        replies=(
            *(json.dumps(value, ensure_ascii=False) for value in wrong if value != right),
            broken,
            plain,
            *replies,
        ),
    )


def person(dice: Dice, level: int) -> Draft:
    """A flat record from a sentence; numbers are numbers."""
    name, town, job, age = dice.choice(NAMES), dice.choice(TOWNS), dice.choice(JOBS), dice.between(19, 88)
    right: dict[str, Any] = {"name": name, "age": age, "job": job}
    fields = '"name" (text), "age" (number), "job" (text)'
    if level > 1:
        right["town"] = town
        fields += ', "town" (text)'
    if level == 3:
        right["retired"] = age >= 67
        fields += ', "retired" (true from the age of 67 on, else false)'
    return _draft(
        f"{name} is {age} years old, lives in {town} and works as a {job}.\n\n"
        f"Write this as one JSON object with the keys {fields}.",
        right,
        [{**right, "age": str(age)}, {**right, "age": age + 1}, {**right, "comment": "none"}, {"name": name}],
    )


def shopping_list(dice: Dice, level: int) -> Draft:
    """A list of records in the order of the text."""
    count = 1 + level
    goods, amounts = dice.sample(GOODS, count), [dice.between(2, 40) for _ in range(count)]
    right = [{"item": good, "count": amount} for good, amount in zip(goods, amounts, strict=True)]
    told = ", ".join(f"{amount} {good}" for good, amount in zip(goods, amounts, strict=True))
    return _draft(
        f"{dice.choice(NAMES)} needs {told}.\n\n"
        'Write this as a JSON array in this order, such as [{"item": "forks", "count": 2}].',
        right,
        [right[:-1], right[::-1], {"items": right}, [{**right[0], "count": str(amounts[0])}, *right[1:]]],
    )


def nested(dice: Dice, level: int) -> Draft:
    """An object in an object, a list, and something that is not known."""
    room, colour, thing = dice.choice(ROOMS), dice.choice(COLOURS), dice.choice(OBJECTS)
    shelf, box = dice.between(1, 30), dice.between(1, 60)
    right: dict[str, Any] = {"object": thing, "place": {"room": room, "shelf": shelf}}
    text = f"The {thing} lies on shelf {shelf} in the {room}"
    fields = '"object" (text) and "place" (an object with "room" (text) and "shelf" (number))'
    if level > 1:
        right["colours"] = [colour]
        text += f"; it is {colour} all over"
        fields += ', and "colours" (an array of texts)'
    if level == 3:
        right["owner"] = None
        text += f". Nobody knows who owns it; box {box} is empty"
        fields += ', and "owner" (text, or null if not known)'
    flat = {"object": thing, "room": room, "shelf": shelf}
    return _draft(
        f"{text}.\n\nWrite this as one JSON object with the keys {fields}.",
        right,
        [flat, {**right, "place": {"room": room, "shelf": box}} if shelf != box else flat, {**right, "object": room}],
    )


_TOOLS = (
    ("set_alarm", '"hour" (number), "minute" (number)'),
    ("send_parcel", '"to" (a name), "town" (text)'),
    ("book_room", '"room" (text), "day" (a weekday)'),
    ("none", "no arguments; for everything that the other tools cannot do"),
)


def tool_call(dice: Dice, level: int) -> Draft:
    """The right tool with the right arguments, or none where no tool helps."""
    name, town, room, day = dice.choice(NAMES), dice.choice(TOWNS), dice.choice(ROOMS), dice.choice(WEEKDAYS)
    hour, minute, other = dice.between(1, 11), dice.between(1, 59), dice.choice(OBJECTS)
    cases: list[tuple[str, str, dict[str, Any]]] = [
        (f"Wake me at {hour}:{minute:02d} in the morning.", "set_alarm", {"hour": hour, "minute": minute}),
        (f"Get this {other} to {name} in {town}.", "send_parcel", {"to": name, "town": town}),
        (f"I need the {room} on {day} for {name}'s party.", "book_room", {"room": room, "day": day}),
        (f"What does {name} from {town} think about the {other}?", "none", {}),
    ]
    asked, tool, arguments = cases[dice.below(3 if level == 1 else 4)]
    right = {"tool": tool, "arguments": arguments}
    others = [{"tool": one, "arguments": given} for _, one, given in cases if one != tool]
    tools = "\n".join(f"- {one}: {given}" for one, given in _TOOLS)
    return _draft(
        f"You can use these tools:\n{tools}\n\nRequest: {asked}\n\n"
        'Write which one to use, as one JSON object with the keys "tool" (its name) and "arguments" (an object).',
        right,
        [*others, {"tool": tool, "arguments": {**arguments, "extra": 1}}, {"name": tool, **arguments}],
    )


def correct(dice: Dice, level: int) -> Draft:
    """A change to a given document, everything else kept."""
    names = dice.sample(NAMES, 1 + level)
    points = [dice.between(1, 99) for _ in names]
    before = dict(zip(names, points, strict=True))
    who, more = dice.choice(names), dice.between(2, 30)
    right = {**before, who: before[who] + more}
    return _draft(
        f"{json.dumps(before)}\n\n{who} gets {more} more points. Write the corrected JSON object.",
        right,
        [before, {**before, who: more}, {who: right[who]} if level > 0 and len(names) > 1 else before],
    )


STRUCTURED = Category(
    "structured",
    (("person", person), ("list", shopping_list), ("nested", nested), ("tool", tool_call), ("correct", correct)),
    "Reply with the JSON only.",
    160,
)
