"""The generators: what they make can be answered, can be missed, has one solution, and is the same everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.quality_solver import solutions

from llmtester.profiles.quality import question_set
from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, generate, set_hash
from llmtester.profiles.quality.logic import LOGIC
from llmtester.profiles.quality.question_set import SHORT, WRITTEN, as_text, make, standard
from llmtester.profiles.quality.rules import RULES
from llmtester.profiles.quality.scoring import grade

ITEMS_COUNT = int(os.environ.get("LLMTESTER_ITEMS_COUNT", "800"))
"""Items of each generator; the promise of 10,000 is kept by ``benchmarks.quality_items``."""

EVERY = [*WRITTEN, *SHORT]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("category", EVERY, ids=lambda category: category.name)
def test_the_oracle_scores_one_and_every_distractor_nothing(category: Category) -> None:
    """No question comes twice, each has wrong answers, and scoring tells them from the right one."""
    items = list(generate(category, ITEMS_COUNT, seed=11))
    assert len({item.prompt for item in items}) == len({item.id for item in items}) == ITEMS_COUNT
    for item in items:
        assert grade(item, item.oracle, complete=True).score == 1, item
        assert item.distractors, item
        for wrong in item.distractors:
            assert grade(item, wrong, complete=True).score == 0, (item, wrong)


@pytest.mark.parametrize("category", EVERY, ids=lambda category: category.name)
def test_the_answer_fits_into_the_room(category: Category) -> None:
    """A model that answers as shortly as the oracle is never cut off: two characters a token is a small vocabulary."""
    for item in generate(category, 200, seed=5):
        assert len(item.oracle) / 2 <= item.max_tok * 1.5, item


def test_puzzles_have_one_solution() -> None:
    """A solver that reads the text alone and tries every possibility finds the answer and no other, for each kind."""
    puzzles = list(generate(LOGIC, 12 * len(LOGIC.families), seed=3))
    assert {item.template for item in puzzles if solutions(item) == {item.answer}} == {
        name for name, _ in LOGIC.families
    }
    for item in puzzles:
        assert solutions(item) == {item.answer}, item
    assert {item.answer for item in puzzles if item.template == "syllogism"} == {"yes", "no", "unknown"}


def test_at_least_twenty_kinds_of_rules_are_used() -> None:
    """The instructions of a few hundred items use most kinds of rules that exist."""
    (instructions,) = [category for category in WRITTEN if category.name == "instructions"]
    used = {name for item in generate(instructions, 400, seed=1) for name, _ in item.rules}
    assert len(used) >= 20
    assert used <= RULES.keys()


def test_the_shipped_set_is_what_the_generators_make() -> None:
    """24 items of each kind and 30 of the easiest, current, in a file that matches its hash."""
    assert question_set.STANDARD_FILE.read_text(encoding="utf-8") == as_text(make(), question_set.VERSION)
    counts = [sum(item.category == category.name for item in standard().items) for category in EVERY]
    assert counts == [30 if category.name in {"basics", "knowledge"} else 24 for category in EVERY]


def test_any_beginning_of_the_set_holds_every_kind_alike() -> None:
    """Quick runs ask a part of it: the kinds take turns."""
    first = [item.category for item in standard().items[:72]]
    assert {first.count(category.name) for category in EVERY} <= {6, 7}


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_the_hash_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    """Another process with another seed of Python's own hashes makes the same set."""
    code = "from llmtester.profiles.quality.question_set import make; print(make().hash)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == standard().hash


def test_a_changed_word_is_another_set() -> None:
    """The hash notices a single letter, the order and the version."""
    items = list(standard().items)
    assert set_hash(items, question_set.VERSION) == standard().hash
    assert set_hash(items[::-1], question_set.VERSION) != standard().hash
    assert set_hash(items, 1) != standard().hash


def test_dice_are_frozen() -> None:
    """The first rolls of a seed, written down: a change would change every set."""
    dice = Dice(1)
    assert [dice.below(1000) for _ in range(5)] == [465, 519, 590, 235, 761]
    assert Dice(2).shuffled(range(6)) == Dice(2).shuffled(range(6))
