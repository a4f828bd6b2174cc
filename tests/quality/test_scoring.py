"""Scoring: every way in which models write an answer, and every way in which they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.domain.errors import ConfigurationError
from llmtester.profiles.quality.items import AnswerType, Item
from llmtester.profiles.quality.question_set import load, standard
from llmtester.profiles.quality.rules import RULES, broken
from llmtester.profiles.quality.scoring import grade


def item(kind: AnswerType, answer: str, **more: object) -> Item:
    values: dict[str, object] = {"id": "x.y.1", "category": "x", "template": "y", "level": 1, "prompt": "?"}
    values |= {"type": kind, "answer": answer, "oracle": answer, "distractors": (), "max_tok": 50, **more}
    return Item(**values)  # type: ignore[arg-type]  # spelled as keywords above


WORD = item("word", "Anna", options=("Anna", "Ben"))


@pytest.mark.parametrize(
    ("asked", "reply", "outcome"),
    [
        (item("number", "15"), "Answer: 15", "correct"),
        (item("number", "15"), "First 3, then 5.\n**Answer:** 15 coins.", "correct"),
        (item("number", "15"), "Answer: $15.00", "correct"),
        (item("number", "15"), "It is \\boxed{15}", "correct"),
        (item("number", "15"), "So she has 15.", "correct"),
        (item("number", "15"), "Answer: 3\nWait.\nAnswer: 15", "correct"),
        (item("number", "15"), "Answer: １５", "correct"),  # noqa: RUF001 - full-width digits
        (item("number", "-4"), "Answer: \u22124", "correct"),
        (item("number", "1200"), "Answer: 1,200", "correct"),
        (item("number", "5"), "Answer: 15", "wrong"),
        (item("number", "15"), "Answer: 15 or 16", "wrong"),
        (item("number", "15"), "I do not know.", "no_answer"),
        (item("number", "15"), "I'm sorry, I cannot help with that.", "refused"),
        (item("number", "15"), "", "empty"),
        (item("number", "15"), "<think>3 + 12 = 15</think>Answer: 15", "correct"),
        (item("number", "15"), "<think>Answer: 15</think>Answer: 16", "wrong"),
        (item("number", "15"), "<think>so the Answer: 15", "ran_out_of_room"),
        (item("number", "15"), "3 + 12</think>\nAnswer: 15", "correct"),
        (WORD, "Answer: **anna**", "correct"),
        (WORD, "The tallest is Anna.", "correct"),
        (WORD, "Answer: Anna or Ben", "no_answer"),
        (WORD, "Answer: Annabel", "wrong"),
        (item("text", "09:05"), "Answer: 09:05.", "correct"),
        (item("text", "09:05"), "Answer: 9:05", "wrong"),
        (item("date", "2024-05-06"), "Answer: 2024-05-06", "correct"),
        (item("date", "2024-05-06"), "Answer: 2024-06-05", "wrong"),
        (item("set", "cups, eggs"), "Answer: eggs and cups", "correct"),
        (item("set", "cups, eggs"), "Answer: eggs, cups, eggs", "wrong"),
        (item("list", "Ada, Ben"), "Answer: Ben, Ada", "wrong"),
        (item("json", '{"a":1}'), '```json\n{"a": 1}\n```', "correct"),
        (item("json", '{"a":1}'), '{"a": "1"}', "wrong"),
        (item("json", '{"a":1}'), 'Sure: {"a": 1}', "no_answer"),
        (item("json", '{"job":"baker"}'), 'Here it is:\n```json\n{"job": "Baker"}\n```\nThat is all.', "correct"),
        (item("json", '{"a":1}'), '```\n{"a": 1}\n```\nor\n```\n{"a": 2}\n```', "no_answer"),
        (item("json", '{"a":1}'), '{"A": 1}', "wrong"),
        (item("json", '{"a":1}'), '{"a": true}', "wrong"),
        (item("text", "16:18"), "It drives 28 minutes. The answer is 16:18.", "correct"),
        (item("text", "16:18"), "The answer to the question is: 28:50", "wrong"),
        (item("number", "4"), "A square has four sides.", "correct"),
        (item("number", "4"), "Four, not 5.", "wrong"),
        (item("number", "15"), "Therefore, the correct answer is 15.", "correct"),
        (item("date", "2021-10-02"), "The new shop opens on 2 October 2021.", "correct"),
        (item("date", "2021-10-02"), "It opens on October 2nd, 2021.", "correct"),
        (item("date", "2021-10-02"), "It opens on 2 August 2021.", "wrong"),
        (item("date", "2021-10-02"), "It opens on 2/10/2021.", "no_answer"),
    ],
)
def test_ways_to_write_an_answer(asked: Item, reply: str, outcome: str) -> None:
    """Markdown, units, thinking, typography and second thoughts are read; containing the answer is not enough."""
    assert grade(asked, reply, complete=True).outcome == outcome


@given(st.sampled_from(standard().items))
def test_what_was_cut_off_is_never_graded(asked: Item) -> None:
    """A right answer in a text that ran out of room counts as having run out of room."""
    assert grade(asked, asked.oracle, complete=False).outcome == "ran_out_of_room"


@given(st.sampled_from(standard().items), st.text(max_size=200))
def test_any_text_gets_an_outcome(asked: Item, text: str) -> None:
    """No reply breaks the scoring, and the same reply is always scored alike."""
    first = grade(asked, text, complete=True)
    assert first == grade(asked, text, complete=True)
    assert first.outcome in {"correct", "wrong", "no_answer", "refused", "empty", "ran_out_of_room"}


@pytest.mark.parametrize(
    ("name", "argument", "kept", "text"),
    [
        ("words", "3", True, "one two-three four"),
        ("sentences", "2", True, "Who is there? It is me."),
        ("bullets", "2", True, "- one\n- two"),
        ("bullets", "2", False, "- one\n\u2022 two"),
        ("numbered", "2", False, "1. one\n3. two"),
        ("times", "sea:2", True, "Sea to sea"),
        ("order", "cat:dog", False, "dog and cat"),
        ("without_letter", "z", False, "Zebra"),
        ("title", "", True, "<<A day>>\nIt began."),
        ("quoted", "", False, '"half'),
        ("divided", "2", True, "one *** two"),
        ("longest_word", "4", False, "three"),
    ],
)
def test_rules_count_as_people_do(name: str, argument: str, kept: bool, text: str) -> None:
    """Examples of rules that are kept and broken."""
    assert RULES[name].holds(text, argument) is kept
    assert broken(text, ((name, argument),)) == (() if kept else (name,))


def test_a_rule_is_asked_for_with_its_argument() -> None:
    """Arguments of two parts are spread over the sentence."""
    assert RULES["times"].request("sea:2") == "Use the word 'sea' exactly 2 times."
    assert "'cat' and later the word 'dog'" in RULES["order"].request("cat:dog")
    assert "'z'" in RULES["without_letter"].request("z")


def write(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


OWN = {"id": "mine.1", "category": "mine", "type": "number", "prompt": "What is 2 + 2?", "answer": "4", "max_tok": 40}


def test_own_questions_replace_or_extend_the_set(tmp_path: Path) -> None:
    """A file of one question is a set of one, or of one more; its hash is never that of the standard set."""
    alone = load(write(tmp_path / "a.json", {"items": [OWN]}))
    assert [one.id for one in alone.items] == ["mine.1"]
    assert grade(alone.items[0], "Answer: 4", complete=True).score == 1
    more = load(write(tmp_path / "b.json", {"items": [OWN], "extends_standard": True}))
    assert len(more.items) == len(standard().items) + 1
    assert len({alone.hash, more.hash, standard().hash}) == 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"items": []}, "no list called items"),
        ([1], "no list called items"),
        ({"items": [{**OWN, "type": "essay"}]}, "'essay' is no type of answer"),
        ({"items": [{**OWN, "colour": "red"}]}, "unknown key colour"),
        ({"items": [{"id": "a"}]}, "has no answer"),
        ({"items": [OWN, OWN]}, "twice"),
        ({"items": [{**OWN, "max_tok": "many"}]}, "max_tok"),
    ],
)
def test_a_bad_file_is_refused_by_its_place(tmp_path: Path, data: object, why: str) -> None:
    """The message names the question and what is wrong with it, and the fix shows one that works."""
    with pytest.raises(ConfigurationError) as raised:
        load(write(tmp_path / "bad.json", data))
    assert why in str(raised.value)
    assert raised.value.fix


def test_a_missing_or_broken_file_is_one_message(tmp_path: Path) -> None:
    """Neither is a crash."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"items": [', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="are no JSON"):
        load(tmp_path / "half.json")
