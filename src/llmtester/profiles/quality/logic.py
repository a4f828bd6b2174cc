"""Puzzles with exactly one solution, proven by looking at every possibility before an item is let out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise, permutations, product

from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft
from llmtester.profiles.quality.words import ANIMALS, COLOURS, NAMES, OBJECTS, TRAITS

Order = tuple[str, ...]
Clue = tuple[str, Callable[[Order], bool]]


def solutions(names: Sequence[str], clues: Sequence[Clue]) -> list[Order]:
    """Every order of ``names`` that all clues allow."""
    return [order for order in permutations(names) if all(holds(order) for _, holds in clues)]


def _before(one: str, other: str) -> Callable[[Order], bool]:
    return lambda order: order.index(one) < order.index(other)


def _next_to(one: str, other: str) -> Callable[[Order], bool]:
    return lambda order: abs(order.index(one) - order.index(other)) == 1


def _enough(dice: Dice, names: Sequence[str], clues: Sequence[Clue]) -> list[Clue]:
    """The fewest clues, in random order, that leave one solution. The true order satisfies all of ``clues``."""
    kept: list[Clue] = []
    for clue in dice.shuffled(clues):
        if len(solutions(names, kept)) == 1:
            break
        if len(solutions(names, [*kept, clue])) < len(solutions(names, kept)):
            kept.append(clue)
    return kept


def queue(dice: Dice, level: int) -> Draft:
    """Who stands where, from pairs of who is before whom and who is next to whom."""
    names = dice.sample(NAMES, 3 + level)
    order = tuple(dice.shuffled(names))
    clues: list[Clue] = [
        (f"{one} stands somewhere in front of {other}", _before(one, other)) for one, other in combinations(order, 2)
    ]
    if level > 1:
        clues += [(f"{one} and {other} are neighbours", _next_to(one, other)) for one, other in pairwise(order)]
    kept = _enough(dice, names, clues)
    place = dice.below(len(order))
    said = ". ".join(text for text, _ in kept)
    where = ("first", "second", "third", "fourth", "fifth", "sixth")[place]
    return Draft(
        f"{_listed(names)} stand in a queue. {said}. Who is {where} in the queue, counted from the front?",
        order[place],
        tuple(name for name in names if name != order[place]),
        type="word",
        options=tuple(sorted(names)),
    )


def comparing(dice: Dice, level: int) -> Draft:
    """The one at the end of a chain of comparisons, told in random order."""
    more, most, least = dice.choice(TRAITS)
    names = dice.sample(NAMES, 3 + level)
    clues: list[Clue] = [(f"{one} is {more} than {other}", _before(one, other)) for one, other in pairwise(names)]
    order = solutions(names, clues)[0]
    high = dice.below(2) == 0
    right = order[0] if high else order[-1]
    return Draft(
        f"{'. '.join(text for text, _ in dice.shuffled(clues))}. Who is the {most if high else least}?",
        right,
        tuple(name for name in names if name != right),
        type="word",
        options=tuple(sorted(names)),
    )


def liars(dice: Dice, level: int) -> Draft:
    """Who always lies: one assignment of truth that fits all statements."""
    count = 2 + min(level, 2)
    while True:
        names = dice.sample(NAMES, count)
        truths = [dice.below(2) == 1 for _ in names]
        if sum(truths) != count - 1:
            continue
        statements: list[tuple[int, int, bool]] = []
        for speaker in range(count):
            about = dice.choice([other for other in range(count) if other != speaker])
            statements.append((speaker, about, truths[about] == truths[speaker]))
        fitting = [
            guess
            for guess in product((False, True), repeat=count)
            if sum(guess) == count - 1 and all((guess[about] == says) == guess[who] for who, about, says in statements)
        ]
        if len(fitting) == 1:
            break
    said = ". ".join(
        f'{names[who]} says: "{names[about]} {"tells the truth" if says else "lies"}"'
        for who, about, says in statements
    )
    right = names[truths.index(False)]
    return Draft(
        f"Exactly one of {_listed(names)} always lies; the others always tell the truth. {said}. Who lies?",
        right,
        tuple(name for name in names if name != right),
        type="word",
        options=tuple(sorted(names)),
    )


_MADE_UP = (
    "blim",
    "dorp",
    "frub",
    "glant",
    "jask",
    "kroft",
    "lumple",
    "mirx",
    "norvel",
    "plindo",
    "quabe",
    "rusk",
    "snell",
    "trond",
    "vaxi",
    "wimble",
    "yorb",
    "zant",
)
_ANSWERS = ("yes", "no", "unknown")


def syllogism(dice: Dice, level: int) -> Draft:
    """Made-up kinds; the answer is what holds in every world of up to two things that the premises allow."""
    kinds = dice.sample(_MADE_UP, 3)
    forms = [dice.choice("AEI") for _ in range(2)] if level > 1 else ["A", dice.choice("AE")]
    pairs = [(0, 1), (1, 2)] if level < 3 or dice.below(2) else [(0, 1), (2, 1)]
    premises = list(zip(forms, pairs, strict=True))
    right = _ANSWERS[_verdict(premises)]
    said = " ".join(_sentence(form, kinds[one], kinds[other]) for form, (one, other) in premises)
    return Draft(
        f"{said} Every kind has at least one member. Is it true that all {kinds[0]}s are {kinds[2]}s? "
        "Answer yes, no or unknown.",
        right,
        tuple(word for word in _ANSWERS if word != right),
        type="word",
        options=_ANSWERS,
    )


def _sentence(form: str, one: str, other: str) -> str:
    return {"A": f"All {one}s are {other}s.", "E": f"No {one}s are {other}s.", "I": f"Some {one}s are {other}s."}[form]


_TYPES = tuple(product((False, True), repeat=3))
"""What a thing can be: a member of each of the three kinds or not."""


def _verdict(premises: Sequence[tuple[str, tuple[int, int]]]) -> int:
    """0: the conclusion holds in every world, 1: in none, 2: neither. A world is a set of the eight types."""
    holds = {_true("A", (0, 2), world) for world in worlds(premises)}
    return 2 if len(holds) == 2 else (0 if holds == {True} else 1)


def worlds(premises: Sequence[tuple[str, tuple[int, int]]]) -> list[tuple[tuple[bool, ...], ...]]:
    """Every set of types in which no kind is empty and all premises are true."""
    found = []
    for chosen in product((False, True), repeat=len(_TYPES)):
        world = tuple(kind for kind, there in zip(_TYPES, chosen, strict=True) if there)
        if all(any(thing[kind] for thing in world) for kind in range(3)) and all(
            _true(form, pair, world) for form, pair in premises
        ):
            found.append(world)
    return found


def _true(form: str, pair: tuple[int, int], world: Sequence[tuple[bool, ...]]) -> bool:
    one, other = pair
    both = [thing[other] for thing in world if thing[one]]
    return {"A": all(both), "E": not any(both), "I": any(both)}[form]


def kinship(dice: Dice, level: int) -> Draft:
    """A line of parents, asked over one to three steps."""
    names = dice.sample(NAMES, 4 + level)
    said = dice.shuffled([f"{one} is a parent of {other}" for one, other in pairwise(names)])
    start = dice.below(len(names) - level)
    relation = ("parent", "grandparent", "great-grandparent")[level - 1]
    right = names[start]
    child = names[start + level]
    wrong = [name for name in names if name not in {right, child}]
    return Draft(
        f"{'. '.join(said)}. Who is the {relation} of {child}?",
        right,
        tuple(wrong[:3]),
        type="word",
        options=tuple(sorted(name for name in names if name != child)),
    )


def matching(dice: Dice, level: int) -> Draft:
    """Who owns which animal, by exclusion; the clues are chosen so that one assignment is left."""
    count = 2 + min(level, 2)
    names, animals = dice.sample(NAMES, count), dice.sample(ANIMALS, count)
    # An assignment is an order of the animals: the first belongs to the first name, and so on.
    clues: list[Clue] = [
        (f"{names[person]} does not own the {animal}", _not_at(animal, person))
        for person in range(count)
        for place, animal in enumerate(animals)
        if place != person
    ]
    kept = _enough(dice, animals, clues)
    asked = dice.below(count)
    return Draft(
        f"{_listed(names)} own {_listed([f'a {animal}' for animal in animals])}, one each, not necessarily in this "
        "order. "
        f"{'. '.join(text for text, _ in kept)}. Which animal does {names[asked]} own?",
        animals[asked],
        tuple(animal for animal in animals if animal != animals[asked]),
        type="word",
        options=tuple(sorted(animals)),
    )


def _not_at(animal: str, person: int) -> Callable[[Order], bool]:
    return lambda order: order[person] != animal


def boxes(dice: Dice, level: int) -> Draft:
    """Things change places; where one of them is in the end."""
    colours, things = dice.sample(COLOURS, 3), dice.sample(OBJECTS, 3)
    inside = dict(zip(colours, things, strict=True))
    lines = [f"The {colour} box holds the {thing}" for colour, thing in inside.items()]
    for _ in range(level + 1):
        one, other = dice.sample(colours, 2)
        lines.append(f"The contents of the {one} box and the {other} box are swapped")
        inside[one], inside[other] = inside[other], inside[one]
    asked = dice.choice(colours)
    right = inside[asked]
    return Draft(
        f"{'. '.join(lines)}. What is in the {asked} box now?",
        right,
        tuple(thing for thing in things if thing != right),
        type="word",
        options=tuple(sorted(things)),
    )


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


LOGIC = Category(
    "logic",
    (
        ("queue", queue),
        ("comparing", comparing),
        ("liars", liars),
        ("syllogism", syllogism),
        ("kinship", kinship),
        ("matching", matching),
        ("boxes", boxes),
    ),
    "Think briefly. End with a line that reads: Answer: <one word>",
    160,
)
