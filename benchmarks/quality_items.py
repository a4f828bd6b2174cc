"""The promise: of 10,000 questions of each generator the right answer scores 1, wrong ones 0, none repeats, and a
solver that reads the text alone finds one solution for each puzzle: the right answer."""

from __future__ import annotations

import json

from benchmarks.quality_solver import solutions
from llmtester.profiles.quality.items import generate
from llmtester.profiles.quality.question_set import SHORT, WRITTEN
from llmtester.profiles.quality.scoring import grade

ITEMS_COUNT = 10_000
SEED = 31
SOLVED_OPTIONS = 7
"""Up to 5,040 orders are tried."""


def run() -> dict[str, object]:
    """How many questions of all generators break the promise."""
    broken: dict[str, int] = {}
    distractors = solved = 0
    for category in (*WRITTEN, *SHORT):
        items = list(generate(category, ITEMS_COUNT, SEED))
        bad = ITEMS_COUNT - len({item.prompt for item in items})
        for item in items:
            distractors += len(item.distractors)
            right = grade(item, item.oracle, complete=True).score == 1
            missed = all(grade(item, text, complete=True).score == 0 for text in item.distractors)
            found = solutions(item) if len(item.options) <= SOLVED_OPTIONS else None
            solved += found is not None
            bad += not (right and missed and item.distractors and found in (None, {item.answer}))
        broken[category.name] = bad
    return {
        "name": "quality_items",
        "promise": f"{ITEMS_COUNT} items a generator: oracle 1, distractors 0, no duplicate, one solution",
        "measured": sum(broken.values()),
        "limit": 0,
        "unit": "broken",
        "passed": not any(broken.values()),
        "broken": broken,
        "distractors": distractors,
        "solved": solved,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
