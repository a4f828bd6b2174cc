"""The generators: what they make can be answered, can be missed, has one solution, and is the same everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import permutations, product
from pathlib import Path

import pytest

from llmtester.profiles.quality import question_set
from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Item, generate, set_hash
from llmtester.profiles.quality.logic import LOGIC, worlds
from llmtester.profiles.quality.question_set import SHORT, WRITTEN, as_text, make, standard
from llmtester.profiles.quality.rules import RULES
from llmtester.profiles.quality.scoring import grade

ITEMS_COUNT = int(os.environ.get("LLMTESTER_ITEMS_COUNT", "2000"))
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


def _logic(template: str) -> list[Item]:
    return [item for item in generate(LOGIC, 70 * len(LOGIC.families), seed=3) if item.template == template]


def test_queues_have_one_order_only() -> None:
    """Read from the prompt alone and tried in every order, one name is left for the place that is asked for."""
    places = ("first", "second", "third", "fourth", "fifth", "sixth")
    for item in _logic("queue"):
        names = re.split(r", | and ", item.prompt.partition(" stand in a queue")[0])
        fits = []
        for order in permutations(names):
            at = {name: place for place, name in enumerate(order)}
            before = re.findall(r"(\w+) stands somewhere in front of (\w+)", item.prompt)
            near = re.findall(r"(\w+) and (\w+) are neighbours", item.prompt)
            if all(at[a] < at[b] for a, b in before) and all(abs(at[a] - at[b]) == 1 for a, b in near):
                fits.append(order)
        asked = re.search(r"Who is (\w+) in the queue", item.prompt)
        assert asked
        assert {order[places.index(asked.group(1))] for order in fits} == {item.answer}, item


def test_one_liar_only() -> None:
    """Of all ways to lie, one fits what everybody says."""
    for item in _logic("liars"):
        heard = re.findall(r'(\w+) says: "(\w+) (tells the truth|lies)"', item.prompt)
        names = sorted({name for name, _, _ in heard})
        fits = []
        for honest in product((False, True), repeat=len(names)):
            truth = dict(zip(names, honest, strict=True))
            if sum(honest) == len(names) - 1 and all(
                (truth[about] == (said == "tells the truth")) == truth[who] for who, about, said in heard
            ):
                fits.append([name for name in names if not truth[name]])
        assert fits == [[item.answer]], item


def test_owners_follow_from_the_clues() -> None:
    """Every assignment of animals that the clues allow gives the asked person the same one."""
    for item in _logic("matching"):
        heads, _, rest = item.prompt.partition(" own ")
        names = re.split(r", | and ", heads)
        animals = re.findall(r"\ba (\w+)", rest.partition(", one each")[0])
        denied = re.findall(r"(\w+) does not own the (\w+)", item.prompt)
        asked = re.search(r"Which animal does (\w+) own", item.prompt)
        assert asked
        owned = {
            dict(zip(names, order, strict=True))[asked.group(1)]
            for order in permutations(animals)
            if all(dict(zip(names, order, strict=True))[name] != animal for name, animal in denied)
        }
        assert owned == {item.answer}, item


def test_syllogisms_are_decided_over_all_worlds() -> None:
    """Every premise leaves a possible world, and all three answers occur."""
    assert {item.answer for item in _logic("syllogism")} == {"yes", "no", "unknown"}
    for forms in product("AEI", repeat=2):
        assert worlds(list(zip(forms, [(0, 1), (1, 2)], strict=True)))


def test_at_least_twenty_kinds_of_rules_are_used() -> None:
    """The instructions of a few hundred items use most kinds of rules that exist."""
    (instructions,) = [category for category in WRITTEN if category.name == "instructions"]
    used = {name for item in generate(instructions, 400, seed=1) for name, _ in item.rules}
    assert len(used) >= 20
    assert used <= RULES.keys()


def test_the_shipped_set_is_what_the_generators_make() -> None:
    """24 written items and 30 short ones of each kind, current, in a file that matches its hash."""
    assert question_set.STANDARD_FILE.read_text(encoding="utf-8") == as_text(make(), question_set.VERSION)
    counts = [sum(item.category == category.name for item in standard().items) for category in EVERY]
    assert counts == [24] * len(WRITTEN) + [30] * len(SHORT)


def test_any_beginning_of_the_set_holds_every_kind_alike() -> None:
    """Quick runs ask a part of it: the kinds take turns."""
    first = [item.category for item in standard().items[:72]]
    assert {first.count(category.name) for category in EVERY} == {8}


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_hash_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    """Another process with another seed of Python's own hashes makes the same set."""
    code = "from llmtester.profiles.quality.question_set import make; print(make().hash)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == standard().hash


def test_a_changed_word_is_another_set() -> None:
    """The hash notices a single letter, the order and the version."""
    items = list(standard().items)
    assert set_hash(items, 1) == standard().hash
    assert set_hash(items[::-1], 1) != standard().hash
    assert set_hash(items, 2) != standard().hash


def test_dice_are_frozen() -> None:
    """The first rolls of a seed, written down: a change would change every set."""
    dice = Dice(1)
    assert [dice.below(1000) for _ in range(5)] == [465, 519, 590, 235, 761]
    assert Dice(2).shuffled(range(6)) == Dice(2).shuffled(range(6))
