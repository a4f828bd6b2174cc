"""``llmtester docs``: the pages that errors name can be read where the program is."""

from __future__ import annotations

import json

import pytest

from llmtester.api import documents
from llmtester.cli.app import app
from llmtester.cli.console import BUG_PAGE, PAGES, USAGE_PAGE, guarded, show_error
from llmtester.domain.errors import LlmtesterError


@pytest.mark.parametrize("kind", PAGES)
def test_what_an_error_names_can_be_typed(kind: type[LlmtesterError], capsys: pytest.CaptureFixture[str]) -> None:
    """The ``see:`` line of each kind of error is a command that prints the section of that name."""
    error = LlmtesterError("x")
    error.__class__ = kind
    show_error(error)
    _, _, typed = capsys.readouterr().err.partition("  see: llmtester ")
    assert guarded(app, typed.split()) == 0
    shown = capsys.readouterr().out
    section = PAGES[kind].partition("#")[2]
    assert documents.anchor(shown.splitlines()[0].lstrip("# ")) == section
    assert shown.count("\n## ") == 0  # the section and no other
    assert len(shown) > 100


def test_other_pages_of_errors_exist() -> None:
    """Wrong use and bugs name a page, too."""
    assert documents.document(USAGE_PAGE).startswith("# Command line")
    assert documents.document(BUG_PAGE).startswith("## llmtester failed unexpectedly")


def test_every_page_is_listed_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    """A list for people and the same one for programs; a page is found by its name, with or without its ending."""
    assert guarded(app, ["docs", "--json"]) == 0
    titles = json.loads(capsys.readouterr().out)["data"]
    assert guarded(app, ["docs"]) == 0
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert listed == titles
    assert next(iter(titles)) == "index"
    for name in titles:
        assert documents.document(f"{name}.md") == documents.document(name) == documents.document(f"docs/{name}.md")


def test_sections_end_where_the_next_begins() -> None:
    """A comment in a script is no heading, a deeper heading belongs to its section, an equal one ends it."""
    text = "# T\n\n## Part one!\n\n```sh\n# not a heading\n```\n\n### Below\n\nx\n\n## Part two\n"
    assert dict(documents.sections(text)) == {
        "t": text,
        "part-one": "## Part one!\n\n```sh\n# not a heading\n```\n\n### Below\n\nx\n",
        "below": "### Below\n\nx\n",
        "part-two": "## Part two\n",
    }
