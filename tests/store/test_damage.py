"""The small version of ``python -m benchmarks matrix_journal``."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import matrix_journal

pytestmark = pytest.mark.untraced


def test_damaged_journals_are_repaired_and_go_on(tmp_path: Path) -> None:
    """Cut or with a bit turned at 120 places: a prefix of the truth, a copy where it matters, and it can go on."""
    assert matrix_journal.check(120, tmp_path) == []
