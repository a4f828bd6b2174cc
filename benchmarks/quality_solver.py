"""Solves the puzzles from their text alone, by trying every possibility: an independent judge of the generators."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import permutations, product

from llmtester.profiles.quality.items import Item

PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


def solutions(item: Item) -> set[str] | None:
    """Every answer that the text allows; ``None`` for a kind of question that is not solved here."""
    solve = _SOLVERS.get(item.template) if item.category == "logic" else None
    return solve(item.prompt) if solve else None


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"the puzzle does not say {pattern!r}: {text}")
    return found.group(1)


def _queue(text: str) -> set[str]:
    names = re.split(r", | and ", text.partition(" stand in a queue")[0])
    before = re.findall(r"(\w+) stands somewhere in front of (\w+)", text)
    near = re.findall(r"(\w+) and (\w+) are neighbours", text)
    asked = PLACES.index(_found(r"Who is (\w+) in the queue", text))
    found = set()
    for order in permutations(names):
        at = {name: place for place, name in enumerate(order)}
        if all(at[a] < at[b] for a, b in before) and all(abs(at[a] - at[b]) == 1 for a, b in near):
            found.add(order[asked])
    return found


def _comparing(text: str) -> set[str]:
    pairs = re.findall(r"(\w+) is \w+ than (\w+)", text)
    names = sorted({name for pair in pairs for name in pair})
    high = _found(r"Who is the (\w+)\?", text) in {"tallest", "oldest", "heaviest"}
    orders = [order for order in permutations(names) if all(order.index(a) < order.index(b) for a, b in pairs)]
    return {order[0] if high else order[-1] for order in orders}


def _liars(text: str) -> set[str]:
    heard = re.findall(r'(\w+) says: "(\w+) (tells the truth|lies)"', text)
    names = sorted({name for name, _, _ in heard})
    found = set()
    for honest in product((False, True), repeat=len(names)):
        truth = dict(zip(names, honest, strict=True))
        fits = all((truth[about] == (said == "tells the truth")) == truth[who] for who, about, said in heard)
        if sum(honest) == len(names) - 1 and fits:
            found.add(next(name for name in names if not truth[name]))
    return found


def _matching(text: str) -> set[str]:
    heads, _, rest = text.partition(" own ")
    names = re.split(r", | and ", heads)
    animals = re.findall(r"\ba (\w+)", rest.partition(", one each")[0])
    denied = re.findall(r"(\w+) does not own the (\w+)", text)
    asked = _found(r"Which animal does (\w+) own", text)
    owners = [dict(zip(names, order, strict=True)) for order in permutations(animals)]
    return {owned[asked] for owned in owners if all(owned[name] != animal for name, animal in denied)}


def _kinship(text: str) -> set[str]:
    parents = {child: parent for parent, child in re.findall(r"(\w+) is a parent of (\w+)", text)}
    steps = ("parent", "grandparent", "great-grandparent").index(_found(r"Who is the ([\w-]+) of", text)) + 1
    name = _found(r"Who is the [\w-]+ of (\w+)\?", text)
    for _ in range(steps):
        name = parents[name]
    return {name}


def _boxes(text: str) -> set[str]:
    inside = dict(re.findall(r"The (\w+) box holds the (\w+)", text))
    for one, other in re.findall(r"contents of the (\w+) box and the (\w+) box are swapped", text):
        inside[one], inside[other] = inside[other], inside[one]
    return {inside[_found(r"What is in the (\w+) box now", text)]}


def _syllogism(text: str) -> set[str]:
    premises = re.findall(r"\b(All|No|Some) (\w+)s are (\w+)s\.", text)
    asked = re.search(r"Is it true that all (\w+)s are (\w+)s\?", text)
    if asked is None:
        raise ValueError(f"the puzzle asks for nothing: {text}")
    kinds = sorted({kind for _, one, other in premises for kind in (one, other)})
    things = list(product((False, True), repeat=len(kinds)))
    told = set()
    for there in product((False, True), repeat=len(things)):
        world = [dict(zip(kinds, thing, strict=True)) for thing, here in zip(things, there, strict=True) if here]
        if all(any(thing[kind] for thing in world) for kind in kinds) and all(
            _holds(form, one, other, world) for form, one, other in premises
        ):
            told.add(_holds("All", asked.group(1), asked.group(2), world))
    return {"unknown"} if len(told) == 2 else {"yes" if told == {True} else "no"}


def _holds(form: str, one: str, other: str, world: list[dict[str, bool]]) -> bool:
    both = [thing[other] for thing in world if thing[one]]
    return {"All": all(both), "No": not any(both), "Some": any(both)}[form]


_SOLVERS: Mapping[str, Callable[[str], set[str]]] = {
    "queue": _queue,
    "comparing": _comparing,
    "liars": _liars,
    "matching": _matching,
    "kinship": _kinship,
    "boxes": _boxes,
    "syllogism": _syllogism,
}
