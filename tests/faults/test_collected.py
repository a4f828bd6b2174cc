"""The table of faults against the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.collected import ROWS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", ROWS)
def test_every_word_of_the_table_means_a_test(file: str) -> None:
    """A test that was renamed does not fall out of the count in silence."""
    names = re.findall(r"^(?:async )?def (test_\w+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert [word for word in ROWS[file].split("|") if not any(word in name for name in names)] == []
