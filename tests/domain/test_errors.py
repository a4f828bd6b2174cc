"""Errors as values: what happened, why and what to do, and where in a file it was seen."""

from __future__ import annotations

import pytest

from llmtester.domain.errors import ExitCode, LlmtesterError, ModelError, NetworkError, NothingToDo


@pytest.mark.parametrize(
    ("why", "fix", "said"),
    [
        ("", "", "It stopped"),
        ("no room", "", "It stopped; no room"),
        ("", "free some", "It stopped; free some"),
        ("no room", "free some", "It stopped; no room; free some"),
    ],
)
def test_a_message_is_what_is_known(why: str, fix: str, said: str) -> None:
    """What, why and fix in one line, without gaps for what is not known."""
    assert str(LlmtesterError("It stopped", why=why, fix=fix)) == said


def test_each_kind_of_failure_has_its_exit_code() -> None:
    """A caller can tell a missing model from a dead network."""
    assert NothingToDo("").exit_code is ExitCode.NOTHING
    assert NetworkError("").exit_code is ExitCode.NETWORK


def test_a_broken_file_says_where() -> None:
    """The reader's place in the file travels with the error; without one there is none."""
    assert ModelError("broken", why="cut", at_byte=24).at_byte == 24
    assert ModelError("broken").at_byte is None
    assert ModelError("broken").exit_code is ExitCode.ENVIRONMENT
