"""Natural prose without end: grammatical English on everyday subjects, equal for equal seeds on every Python.

Only ``random.Random(seed).random()`` is used, the one generator method whose sequence Python promises to keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

from llmtester.profiles.vocabulary import (
    FIRST_NAMES,
    LAST_NAMES,
    MANNERS,
    MONTHS,
    NUMBERS,
    SUBJECTS,
    TIMES,
    Subject,
)

SENTENCES_PER_PARAGRAPH = (4, 8)

_TEMPLATES = (
    "{Time}, the {person} {verb} {a_thing} {place}.",
    "The {thing} that {name} {verb} {time} was {adjective}, and nobody could say why.",
    "Although {event}, {name} {verb} the {plurals} {manner}.",
    "{Number} {plurals} were {verb} {place}, which was more than in {year}.",
    "The {person} wanted {goal}, so the {adjective} {thing} had to stay {place}.",
    '"We need {a_thing} and some {material}," said the {person}, "or we shall never finish."',
    "In {month} of {year} {event}, and for {number} days the {person} {verb} nothing at all.",
    "{Name} kept {a_thing} {place} and {verb} it {manner}.",
    "It was easy {goal} while there was enough {material}, and harder once {event}.",
    "Nobody had {verb} the {thing} since {year}, yet it looked as {adjective} as ever.",
    "{Time} {event}; by then the {person} had already {verb} the {thing}.",
    "The {person} compared the {thing} with {a_thing2} and found that the {adjective} one was better.",
    "What surprised {name} most was the {material}: it smelled of {material2} and covered the {plurals}.",
    "If the {plurals} are {adjective}, the {person} has to begin again {place}.",
    "{Name} and the {person} met {place} {goal}.",
    "Every {thing} was {verb} {manner}, first the {adjective} ones and then the rest.",
    "There was only one {thing} {place}, but {number} people had asked for it.",
    "The reason was simple: {event}, and the {person} had no {material} left.",
    '"Have you ever {verb} {a_thing}?" asked {name}, and the {person} laughed.',
    "Because the {thing} was so {adjective}, they {verb} it {time}.",
    "A report from {year} describes how the {person} {verb} {number} {plurals} {goal}.",
    "{Name} wrote down the price of the {thing}, the weight of the {material} and the number of {plurals}.",
    "Later the {person} remembered three things: the {adjective} {thing}, the smell of {material}, and that {event}.",
    "Not far away, {a_thing} and {a_thing2} stood side by side, both {adjective}.",
    "The {plurals} came back {time}, just when {event}.",
    "Whoever wants {goal} should ask the {person} {place}.",
    "For {number} years the {thing} had belonged to {name}, who {verb} it only once.",
    "Some said that the {material} was to blame, others that {event}.",
)
_SLOT = re.compile(r"{(\w+)}")

Choose = Callable[[Sequence[str]], str]


def seeded(seed: int) -> Random:
    """A generator of equal choices for equal seeds."""
    return Random(seed)  # noqa: S311 (prose, no secret)


def chooser(random: Random) -> Choose:
    """A function that picks one item of a sequence, each equally likely."""
    return lambda items: items[int(random.random() * len(items))]


def sentences(random: Random) -> Iterator[str]:
    """Sentences for ever; a paragraph keeps to one subject, and its last sentence ends with an empty line."""
    choose = chooser(random)
    previous = ""
    while True:
        subject = SUBJECTS[int(random.random() * len(SUBJECTS))]
        shortest, longest = SENTENCES_PER_PARAGRAPH
        count = shortest + int(random.random() * (longest - shortest + 1))
        for index in range(count):
            template = choose(_TEMPLATES)
            while template == previous:
                template = choose(_TEMPLATES)
            previous = template
            yield _sentence(template, subject, choose, random) + ("\n\n" if index == count - 1 else "")


def _sentence(template: str, subject: Subject, choose: Choose, random: Random) -> str:
    taken: set[str] = set()

    def fresh(items: Sequence[str]) -> str:
        word = choose(items)
        while word in taken:
            word = choose(items)
        taken.add(word)
        return word

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        kind = slot.lower().rstrip("2")
        if kind == "name":
            text = f"{choose(FIRST_NAMES)} {choose(LAST_NAMES)}"
        elif kind == "year":
            text = str(1800 + int(random.random() * 200))
        elif kind == "a_thing":
            text = with_article(fresh(subject.things))
        else:
            text = fresh(_source(kind, subject))
        return text[0].upper() + text[1:] if slot[0].isupper() else text

    return _SLOT.sub(fill, template)


_SHARED = {"time": TIMES, "manner": MANNERS, "month": MONTHS, "number": NUMBERS}
_OWN = {
    "person": "people",
    "place": "places",
    "thing": "things",
    "plurals": "plurals",
    "material": "materials",
    "verb": "verbs",
    "adjective": "adjectives",
    "event": "events",
    "goal": "goals",
}


def _source(kind: str, subject: Subject) -> tuple[str, ...]:
    if kind in _SHARED:
        return _SHARED[kind]
    words: tuple[str, ...] = getattr(subject, _OWN[kind])
    return words


def with_article(noun: str) -> str:
    """``an anchor``, ``a barge``; the vocabulary has no noun whose first letter misleads."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
