"""Prompts of the user's own: what files may hold, what is refused and where, how answers are held to expectations."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.lens import Lens
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.summarise import summarise
from llmtester.domain.errors import ConfigurationError, NotMeasurable
from llmtester.domain.work import Cell, Plan, ServerSettings, Target
from llmtester.profiles import expectations
from llmtester.profiles.custom import CustomOptions, CustomProfile
from llmtester.profiles.json_schema import TYPES, schema_problem, violation
from llmtester.profiles.own_prompts import read_file
from llmtester.settings import load_settings
from tests.profiles.tokenizers import counter, pieces_of_four
from tests.worlds import World, bench

PERSON = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    """JSON Lines and CSV carry expectations, text a prompt a line; empty lines and byte order marks are skipped."""
    lines = [{"prompt": "One?", "contains": "1"}, {"prompt": "Two?", "number": 2, "max_tok": 9, "id": "two"}]
    as_json = written(tmp_path, "p.jsonl", "\n\n".join(json.dumps(line) for line in lines) + "\n")
    as_csv = written(
        tmp_path, "p.csv", b'\xef\xbb\xbfprompt,contains,number,max_tok,id\r\nOne?,1,,,\r\n"Two?",,2,9,two\r\n'
    )
    as_text = written(tmp_path, "p.txt", "One?\n\nTwo?\n")
    from_json, from_csv, from_text = (read_file(path) for path in (as_json, as_csv, as_text))
    assert [replace(one, where="") for one in from_json] == [replace(one, where="") for one in from_csv]
    assert [one.prompt for one in from_text] == [one.prompt for one in from_json]
    assert [one.where.rpartition(", ")[2] for one in from_json] == ["line 1", "line 3"]
    assert (from_json[1].id, from_json[1].max_tok, from_json[1].expectation.value) == ("two", 9, "2")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.jsonl", "", "are empty"),
        ("p.txt", " \n\n", "are empty"),
        ("p.jsonl", '{"prompt": "a"}\n{"prompt": "b"', "line 2 cannot be used: it is no JSON"),
        ("p.jsonl", '{"prompt": "a"}\n[1]', "line 2 cannot be used: it is no object"),
        ("p.jsonl", '{"promt": "a"}', "line 1 cannot be used: the key promt is not known; did you mean prompt?"),
        ("p.jsonl", '{"prompt": "  "}', "prompt must be text"),
        ("p.jsonl", '{"prompt": "a", "exact": "x", "number": 1}', "one prompt has one expectation"),
        ("p.jsonl", '{"prompt": "a", "regex": "("}', "regex: it is no regular expression"),
        ("p.jsonl", '{"prompt": "a", "number": "many"}', "number: it must be a number"),
        ("p.jsonl", '{"prompt": "a", "json_schema": {"oneOf": []}}', "$.oneOf is not supported"),
        ("p.jsonl", '{"prompt": "a", "max_tok": 0}', "max_tok must be a whole number"),
        (
            "p.jsonl",
            '{"prompt": "a", "id": "x"}\n\n{"prompt": "b", "id": "x"}',
            "line 3 cannot be used: the id x is used by",
        ),
        ("p.csv", "question\na\n", "line 1 cannot be used: the first line must name the columns"),
        ("p.csv", "prompt\na\nb,c\n", "line 3 cannot be used: it has more columns"),
        ("p.csv", 'prompt\n"a\n', "it is no CSV"),
        ("p.jsonl", b'{"prompt": "a"}\n{"prompt": "\xff"}', "line 2 holds the byte 0xff"),
        ("p.md", "a", "of no known format"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, name: str, content: str, said: str) -> None:
    """The message names the file, the line and what to write instead."""
    with pytest.raises(ConfigurationError) as refused:
        read_file(written(tmp_path, name, content))
    assert said in f"{refused.value.what}: {refused.value.why}"
    assert refused.value.fix
    assert name in refused.value.what


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A folder is no file either."""
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(ConfigurationError):
            read_file(path)


@pytest.mark.parametrize(
    ("kind", "value", "right", "wrong"),
    [
        ("exact", "Paris", [" Paris\n", "<think>Rome?</think>Paris"], ["paris", "Paris."]),
        ("contains", "Paris", ["it is PARIS."], ["Rome", "<think>Paris</think>Rome"]),
        ("regex", r"\b19\d\d\b", ["in 1969"], ["in 2069"]),
        ("number", 1234.5, ["so 3 + x = 1,234.50", "1234.5"], ["1234.5 of 3", "none"]),
        ("number", -3, ["-3"], ["3"]),
        ("json_schema", PERSON, ['{"name": "A", "age": 3}', '```json\n{"name": "A", "age": 3}\n```'], ["{}", "x"]),
    ],
)
def test_answers_are_held_to_expectations(kind: str, value: object, right: list[str], wrong: list[str]) -> None:
    """Each kind has answers that are right and answers that are not, and a wrong one says why."""
    expected = expectations.read(kind, value)
    assert [expected.grade(text).score for text in right] == [1.0] * len(right)
    grades = [expected.grade(text) for text in wrong]
    assert [grade.score for grade in grades] == [0.0] * len(wrong)
    assert all(grade.detail for grade in grades)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "integer"}),
        (1.5, {"type": "integer"}),
        ([1, "2"], {"items": {"type": "integer"}}),
        ([], {"minItems": 1}),
        ("abc", {"maxLength": 2}),
        ("abc", {"pattern": "^b"}),
        (11, {"maximum": 10}),
        (1, {"const": True}),
        ("c", {"enum": ["a", "b"]}),
        ({"name": "A"}, PERSON),
        ({"name": "A", "age": 1, "x": 1}, PERSON),
        ({"name": "", "age": 1}, PERSON),
        (None, {"type": ["string", "number"]}),
    ],
)
def test_each_keyword_refuses_something(value: object, schema: dict[str, object]) -> None:
    """The schema itself is understood, and the value breaks it."""
    assert schema_problem(schema) is None
    assert violation(value, schema)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@given(JSON)
def test_a_value_fits_its_own_type_and_constant(value: object) -> None:
    """Whatever the value, the schema that names exactly it allows it."""
    assert violation(value, {"const": value}) is None
    assert violation(value, {"type": list(TYPES)}) is None


def profile(count: int = 7, **more: object) -> CustomProfile:
    entries = tuple({"prompt": f"Say {number}.", "contains": "right", "id": f"q{number}"} for number in range(count))
    return CustomProfile(CustomOptions(prompts=entries, max_tok=16, **more))


@pytest.mark.parametrize(
    ("count", "per_trial", "trials"), [(1, 1, 1), (3, 1, 3), (7, 2, 4), (100, 20, 5), (250, 20, 13)]
)
def test_every_prompt_is_asked_once(count: int, per_trial: int, trials: int) -> None:
    """Over all trials, in the order of the file; what comes after them is a warm-up of our own."""
    custom = profile(count)
    (load,) = custom.loads(4096)
    assert (load.requests_per_trial, load.min_trials, load.max_trials) == (per_trial, trials, trials)
    ready = bench(counter(pieces_of_four))
    asked = [request.id for trial in range(trials) for request in asyncio.run(custom.requests(load, trial, 1, ready))]
    assert asked == [f"q{number}" for number in range(count)]
    (warm_up,) = asyncio.run(custom.requests(load, 1_000_000, 1, ready))
    assert not warm_up.timed


def test_a_prompt_beyond_the_context_is_refused_with_its_real_length() -> None:
    """Before anything is asked: place, tokens of prompt and answer, and what the server has."""
    custom = CustomProfile(CustomOptions(prompts=({"prompt": "word " * 5000},), max_tok=100))
    (load,) = custom.loads(4096)
    assert load.prompt_tok + load.output_tok == 4096
    with pytest.raises(
        NotMeasurable, match=r"entry 1 has 10,0\d\d tokens and asks for up to 100 more, the context is 4,096"
    ):
        asyncio.run(custom.requests(load, 0, 1, bench(counter(pieces_of_four))))


def test_other_prompts_are_another_content() -> None:
    """A run that goes on with a changed file says so instead of mixing answers."""
    (load,) = profile(7).loads(None)
    with pytest.raises(NotMeasurable, match="changed"):
        asyncio.run(profile(6).requests(load, 0, 1, bench(counter(pieces_of_four))))


def test_no_prompts_are_refused() -> None:
    """The message names the flag."""
    with pytest.raises(ConfigurationError) as refused:
        CustomProfile().loads(None)
    assert "--prompts" in refused.value.fix


def test_a_run_counts_right_answers() -> None:
    """The fake model says the same to all: four expectations of ten hold, with Wilson's interval around them."""
    entries = tuple({"prompt": f"Say {n}.", "contains": "blue" if n < 4 else "green"} for n in range(10))
    world = World()
    world.profiles = {"custom": CustomProfile(CustomOptions(prompts=entries, max_tok=8))}
    (ref,) = world.engine.catalogue(["m?text=the+sky+is+blue&prefill_tok_per_s=500"])
    target = Target("fake", ref, ServerSettings())
    state, _ = world.run(Plan(tuple(Cell(target, "custom", load) for load in world.profiles["custom"].loads(4096))))
    (cell,) = summarise(state, Lens({"custom": CustomProfile.headline}, BANDS)).cells
    accuracy = cell.metrics["accuracy_ratio"]
    assert accuracy.value == 0.4
    assert (accuracy.low, accuracy.high) == pytest.approx((0.168, 0.687), abs=0.001)
    assert "40% of the questions right" in cell.meaning
    assert "early_end" not in {finding.code for finding in cell.findings}


def test_settings_carry_prompts(tmp_path: Path) -> None:
    """In YAML as in a file; a slip is refused with its place."""
    text = 'profiles:\n  custom:\n    prompts:\n      - prompt: "2 + 2?"\n        number: 4\n      - prompt: "Paris?"\n'
    config = written(tmp_path, "llmtester.yaml", text)
    options = load_settings(config, env={}).settings.profiles.options_for("custom")
    found = CustomProfile(options).prompts
    assert [one.expectation and one.expectation.kind for one in found] == ["number", None]
    config.write_text(text.replace("number", "nummer"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="nummer"):
        load_settings(config, env={})
