"""What the models are led along: requests of several kinds, whose answers the reference writes itself.

All of our own making. No emoji: a token that ends inside a character has no probabilities.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

TEXTS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Text:
    """One request; ``id`` is ``kind.number``."""

    id: str
    prompt: str


_TEXTS: dict[str, tuple[str, ...]] = {
    "chat": (
        "My neighbour practises the trumpet at seven in the morning. How do I ask him kindly to start later?",
        "What should I pack for three days of walking in the mountains in May?",
        "Explain to a child of eight why the moon does not fall down.",
        "I have rice, two carrots, an onion and eggs. What can I cook this evening?",
        "Which is better for a small balcony, tomatoes or herbs, and why?",
        "How can I remember the names of people whom I meet at a party?",
        "My bicycle squeaks when I pedal but not when it rolls. What is wrong with it?",
        "Give me three good reasons to learn to play chess as an adult.",
    ),
    "code": (
        "Write a Python function that returns the second largest number of a list without sorting it.",
        "Write a short shell script that renames all .txt files of a folder so that their names are in small letters.",
        "Write an SQL query that lists customers with more than three orders in the last year, most orders first.",
        "Explain what this line does and rewrite it as a loop: total = sum(x * x for x in values if x > 0)",
    ),
    "json": (
        "Make up a library book as a JSON object with title, author, year, pages and a list of three topics.",
        "Write a JSON array of four towns, each with name, inhabitants and whether it has a harbour.",
        "Turn this into JSON: order 318, two lamps at 19 coins each, one rug at 45 coins, to be delivered on Friday.",
        "Write a JSON settings file for a weather station with its name, interval in seconds and a list of sensors.",
    ),
    "maths": (
        "A tank holds 240 litres. A pump fills in 8 litres a minute and 2 a minute leak out. How long does it take?",
        "Show step by step how to compute 37 times 24 in the head.",
        "A rectangle is twice as long as it is wide and has a perimeter of 36 metres. Find its area, step by step.",
        "List the first eight numbers of the sequence in which each number is the sum of the two before it.",
    ),
    "extract": (
        "Summarise in two sentences: The old mill stood empty for thirty years. Last spring two sisters bought it, "
        "repaired the wheel and began to grind flour for the bakers of the valley. Now there is a waiting list.",
        "Make a table with the columns name, day and task: Ivo waters the plants on Monday, Lea feeds the cat on "
        "Tuesday, and Sam takes out the paper on Thursday.",
        "Which facts are in this message, as a list? The 9:40 train is cancelled; the next one leaves at 10:15 from "
        "platform 6 and stops in Corven and Holmby only.",
        "Give this story a title and name its main figure: A keeper of bees moved to the city and put her hives on the "
        "roof of a hotel. In the first year the guests complained. In the second they bought the honey.",
    ),
    "languages": (
        "Erkläre in drei Sätzen auf Deutsch, wie man ein Fahrrad putzt.",
        "Écris en français une courte lettre pour remercier une amie de son invitation à dîner.",
        "Escribe en español cuatro consejos para dormir mejor.",
        "Scrivi in italiano una breve descrizione di un mercato la domenica mattina.",
    ),
    "dialogue": (
        "Write a short dialogue between a baker and a customer who wants bread that is sold out.",
        "Write a conversation in which a grandmother teaches her grandson to repair a clock.",
        "Write the first lines of a play: two lighthouse keepers hear a strange sound at night.",
        "Write an interview with a gardener who has grown a very large pumpkin.",
    ),
}

TEXTS: tuple[Text, ...] = tuple(
    Text(f"{kind}.{number}", prompts[number])
    for number in range(8)
    for kind, prompts in _TEXTS.items()
    if number < len(prompts)
)
"""Kinds take turns, so that any beginning of the list is a fair sample of it."""

OPEN_TEXTS: tuple[Text, ...] = (
    Text("story.0", "Tell a story about a ferry that runs only once a year. Bring it to an end."),
    Text("steps.0", "Explain step by step how to build a simple bird house from one board."),
    Text("code.0", "Write a complete Python program that reads a file and prints its ten most frequent words."),
    Text("table.0", "Make a plan for a week of simple dinners as a table with day, dish and main ingredients."),
    Text("dialogue.0", "Write a dialogue between two friends who cannot agree where to travel. They agree in the end."),
    Text("german.0", "Schreibe auf Deutsch einen kurzen Brief an einen Freund, der umgezogen ist."),
    Text("advice.0", "Someone moves into a flat of their own for the first time. What should they think of?"),
    Text("history.0", "Tell how people told the time before there were clocks, from the oldest way to the newest."),
)
"""Requests for long free answers, for what goes wrong only there: loops, garbage, answers that never end."""


def texts_content(texts: tuple[Text, ...]) -> str:
    """The name of a set of texts: answers along different sets are never compared."""
    if texts == TEXTS:
        return f"texts {TEXTS_VERSION}"
    asked = "\x00".join(text.prompt for text in texts)
    return f"texts {hashlib.sha256(asked.encode()).hexdigest()[:12]}"
