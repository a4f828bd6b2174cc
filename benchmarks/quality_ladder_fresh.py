"""The promise of ``quality_ladder`` on evidence that had no part in making the formula: other texts, other damage.

Rungs, seeds and texts were written down before the first measurement and have not been changed since.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import quality_rungs as rungs
from benchmarks.quality_climb import Ladder, run_ladder
from llmtester.profiles.quality.texts import Text

RUNGS: tuple[tuple[str, str, rungs.Change], ...] = (
    ("noise 1 %", "Q8_0", rungs.noisy(0.01, seed=101)),
    ("mix 8 and 5", "Q8_0", rungs.mixed({"attn": "Q8_0", "ffn": "Q5_1"})),
    ("noise 6 %", "Q8_0", rungs.noisy(0.06, seed=102)),
    ("mix 5 and 4", "Q8_0", rungs.mixed({"attn": "Q5_0", "ffn": "Q4_0", "token_embd": "Q4_0"})),
    ("noise 18 %", "Q8_0", rungs.noisy(0.18, seed=103)),
    ("noise 40 %", "Q8_0", rungs.noisy(0.40, seed=104)),
)

_PROMPTS: dict[str, tuple[str, ...]] = {
    "chat": (
        "My plant has yellow leaves although I water it every day. What should I do?",
        "How do I tell my flatmate that it is her turn to clean the kitchen?",
        "What is a good present for someone who says that they need nothing?",
        "Why does bread rise, and what happens if I forget the salt?",
        "I start a new job on Monday. How do I prepare?",
        "Explain what an echo is to someone who has never heard one.",
        "Which games can five people play on a long train journey?",
        "How do I keep birds from flying against my window?",
    ),
    "code": (
        "Write a Python function that checks whether a word reads the same backwards.",
        "Write a JavaScript function that counts how often each letter occurs in a text.",
        "Show how to read a CSV file in Python and add up the numbers of its second column.",
        "Find the mistake and correct it: for i in range(len(items)): print(items[i + 1])",
    ),
    "json": (
        "Describe a bicycle as a JSON object with brand, gears, colour and a list of two extras.",
        "Write a JSON array of three birds, each with name, wingspan in centimetres and whether it migrates.",
        "Turn this into JSON: a table for four at eight in the evening, near the window, under the name of Okafor.",
        "Write a JSON object that maps the days of a week to what a canteen cooks on them.",
    ),
    "maths": (
        "Three friends share a bill of 84 coins so that one pays twice as much as each of the others. Who pays what?",
        "Show step by step how to find the largest number that divides both 84 and 126.",
        "A train covers 150 kilometres in one and a half hours. How long does it take for 400 kilometres?",
        "What is the sum of all odd numbers from 1 to 19? Show a quick way.",
    ),
    "extract": (
        "Summarise in one sentence: The bridge was closed in March because of rust. In April it was found that two of "
        "the bearings had to be replaced. The parts come from abroad, so it stays closed until autumn.",
        "List the people and their tasks: Ama books the hall, Jonas writes the letters, and the music is up to Rui.",
        "What changed in this notice? Until now the library opened at ten. From June on it opens at nine, except on "
        "Saturdays.",
        "Give three keywords for this text: Old orchards are home to bats, beetles and rare birds. Where they are cut "
        "down, harvests of the fields around them fall as well.",
    ),
    "languages": (
        "Beschreibe auf Deutsch in drei Sätzen einen Spaziergang im Regen.",
        "Explique en français comment faire une omelette.",
        "Escribe en español una carta breve a un vecino ruidoso.",
        "Scrivi in italiano tre frasi su una stazione di notte.",
    ),
    "dialogue": (
        "Write a short dialogue between a taxi driver and a passenger who has forgotten where she lives.",
        "Write a conversation between two clouds about the weather.",
        "Write an interview with the keeper of a museum of lost umbrellas.",
        "Write a dialogue in which a child explains the internet to a medieval king.",
    ),
}

HELD_OUT: tuple[Text, ...] = tuple(
    Text(f"{kind}.{number}", prompts[number])
    for number in range(8)
    for kind, prompts in _PROMPTS.items()
    if number < len(prompts)
)


def run() -> dict[str, object]:
    """Orders the rungs both ways."""
    with tempfile.TemporaryDirectory() as name:
        ladder = Ladder(rungs.starter(), "F16", RUNGS, HELD_OUT)
        return run_ladder("quality_ladder_fresh", ladder, Path(name))


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
