"""The page of the command line, made from the commands."""

from __future__ import annotations

from pathlib import Path

from llmtester.cli.reference import EXIT_CODES, markdown
from llmtester.domain.errors import ExitCode, LlmtesterError

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_current() -> None:
    """``docs/cli.md`` is what ``python -m llmtester.cli.reference`` prints."""
    assert PAGE.read_text(encoding="utf-8") == markdown()


def test_every_exit_code_is_documented() -> None:
    """Each code has its meaning, and each error of ours ends in one of them."""
    assert set(EXIT_CODES) == set(ExitCode)
    kinds = [LlmtesterError, *LlmtesterError.__subclasses__()]
    assert {kind.exit_code for kind in kinds} <= set(EXIT_CODES)


def test_every_flag_has_its_words() -> None:
    """No flag or argument is listed without a meaning."""
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert not [row for row in rows if row.split("|")[2].strip() in {"", "Default: `latest`."}]
