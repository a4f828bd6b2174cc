"""Wrong settings: each is refused with its place, the reason and the fix, and nothing else can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.domain.errors import ConfigurationError, ExitCode
from llmtester.settings import assignments, load_settings
from llmtester.settings.yaml_reader import LARGEST_FILE_BYTES


def refusal(tmp_path: Path, text: str | bytes) -> ConfigurationError:
    file = tmp_path / "wrong.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, env={})
    return caught.value


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("server:\n\tslots: 2\n", "2:1", "tab"),
        ("server:\n  slots: 1\n\tthreads: 2\n", "3:1", "tab"),
        ("server: {slots: 1\n", "2:1", "YAML"),
        ("server:\n  contxt_tok: 1\n", "2:3", "server.context_tok"),
        ("contextok: 1\n", "1:1", "server.context_tok"),
        ("model:\n  quants: [Q8_0]\n", "1:1", "models"),
        ("profiles:\n  interactive:\n    short:\n      promt_tok: 9\n", "4:7", "profiles.interactive.short.prompt_tok"),
        ("server:\n  context_tok: many\n", "2:3", "whole number, found 'many'"),
        ("server:\n  context_tok: '4096'\n", "2:3", "whole number"),
        ("server:\n  slots: true\n", "2:3", "whole number, found True"),
        ("server:\n  slots: 0\n", "2:3", "greater than or equal to 1, found 0"),
        ("server:\n  slots: 1\n  slots: 2\n", "3:3", "first in line 2"),
        ("server: 5\n", "1:1", "section"),
        ("ratings: 5\n", "1:1", "section"),
        ("server:\n  flash_attention: maybe\n", "2:3", "'auto', 'on' or 'off'"),
        ("models:\n  quants: [Q4_0, 8]\n", "2:18", "in quotes"),
        ("models:\n  quants: Q4_0\n", "2:3", "[a, b]"),
        ("a: &anchor 1\n", "1:4", "anchors"),
        ("a: !!python/object/apply:os.system [x]\n", "1:4", "tag"),
        ("? [a]\n: 1\n", "1:3", "a key must be a name"),
        ("- a\n", "1:1", "name: value"),
        ("a: 1\n---\nb: 2\n", "2:1", "YAML"),
        ("server:\n  batch_tok: 8\n  micro_batch_tok: 16\n", "2:3", "must not exceed batch_tok"),
        ("profiles:\n  interactive:\n    min_trials: 11\n", "3:5", "must not exceed max_trials"),
        ("ratings:\n  ttft_ms: [1, 2]\n", "2:3", "one more item"),
        ("ratings:\n  ttft_ms: [3, 2, 1]\n", "2:3", "lower is better"),
        ("ratings:\n  ttft: [1, 2, 3]\n", "2:3", "ttft_ms"),
        ("engine:\n  load_timeout_s: .inf\n", "2:3", "a number"),
        ("engine:\n  load_timeout_s: 1e999\n", "2:3", "finite"),
        ("engine:\n  url: localhost\n", "2:3", "http://127.0.0.1:8080"),
    ],
)
def test_the_message_names_place_and_reason(tmp_path: Path, text: str, place: str, words: str) -> None:
    """File, line and column stand in front, the reason or the nearest known key behind, and there is a fix."""
    error = refusal(tmp_path, text)
    assert error.what.startswith(f"{tmp_path / 'wrong.yaml'}:{place}: ")
    assert words in str(error)
    assert error.fix
    assert error.exit_code == ExitCode.USAGE


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    """The first is explained, the number of the others is told."""
    assert "2 more to correct" in refusal(tmp_path, "server: {slots: x, threads: y, batch_tok: z}\n").what


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"a: \x00\n", b"[" * 3000 + b"]" * 3000, b"#" * (LARGEST_FILE_BYTES + 1), b"a: \xe4\n"],
    ids=["utf-16", "null byte", "deep", "huge", "latin-1"],
)
def test_files_that_are_no_settings_are_refused(tmp_path: Path, content: bytes) -> None:
    """A binary, deeply nested, huge or wrongly encoded file ends in the same kind of message."""
    error = refusal(tmp_path, content)
    assert "wrong.yaml" in error.what
    assert error.fix


def test_a_missing_named_file_says_how_to_make_it(tmp_path: Path) -> None:
    """A file that was named must exist; the fix is the command that writes it."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path / "none.yaml", env={})
    assert "does not exist" in caught.value.what
    assert "llmtester config init" in caught.value.fix


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Naming a folder is answered with the reason of the system."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path, env={})


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("LLMTESTER_SERVER_CONTEXT_TOK", "LLMTESTER_SERVER__CONTEXT_TOK"),
        ("LLMTESTER_SERVER__CONTEXT", "LLMTESTER_SERVER__CONTEXT_TOK"),
        ("LLMTESTER_LOGLEVEL", "LLMTESTER_LOG_LEVEL"),
        ("LLMTESTER_MODELS__QUANT", "LLMTESTER_MODELS__QUANTS"),
    ],
)
def test_a_variable_that_was_meant_for_us_is_refused(variable: str, near: str) -> None:
    """A misspelt variable would otherwise be ignored in silence."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env={variable: "1"})
    assert variable in caught.value.what
    assert near in caught.value.fix


def test_wrong_values_name_their_variable_or_flag() -> None:
    """The place is the variable or the flag where there is no file."""
    with pytest.raises(ConfigurationError, match=r"env LLMTESTER_SERVER__SLOTS: server\.slots"):
        load_settings(env={"LLMTESTER_SERVER__SLOTS": "two"})
    with pytest.raises(ConfigurationError, match=r"flag: server\.slots"):
        load_settings(overrides={"server.slots": "two"}, env={})
    with pytest.raises(ConfigurationError, match=r"--set server\.slot: .*server\.slots"):
        load_settings(overrides={"server.slot": "2"}, env={})


@pytest.mark.parametrize("pair", ["server.slots", "=2", " =2"])
def test_an_assignment_needs_name_and_value(pair: str) -> None:
    """``--set`` without a name or an equals sign is refused with an example."""
    with pytest.raises(ConfigurationError, match="NAME=VALUE"):
        assignments([pair])


def test_an_assignment_is_given_once() -> None:
    """Two values for one name contradict each other."""
    with pytest.raises(ConfigurationError, match="twice"):
        assignments(["run.seed=1", "run.seed=2"])
    assert assignments(["engine.url=http://a/?x=1"]) == {"engine.url": "http://a/?x=1"}


def test_a_password_in_an_address_is_refused_without_repeating_it(tmp_path: Path) -> None:
    """The message says what to do and does not print the secret."""
    error = refusal(tmp_path, "engine:\n  url: http://me:hunter2@host:1\n")
    assert "api_key_env" in str(error)
    assert "hunter2" not in str(error)


def test_control_characters_do_not_reach_the_message(tmp_path: Path) -> None:
    """A key with an escape sequence is shown escaped."""
    error = refusal(tmp_path, '"\\e[31mserver": 1\n')
    assert "\x1b" not in str(error)


@settings(max_examples=300, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_file_gives_settings_or_one_message(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever bytes a file holds, reading it ends in settings or in ``ConfigurationError``."""
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    try:
        load_settings(file, env={})
    except ConfigurationError as error:
        assert error.what
        assert error.fix
