"""The fault suite: which tests, wherever they live, inject a fault, and what came of it.

A test joins by a row of ``ROWS`` or by the mark ``faults`` itself. It may say ``record_property("faults", N)`` for a
test that injects several, and ``record_property("lost", N)`` for what was acknowledged and is gone. The counts stand at
the end of the run; ``--long`` asks for the full form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

ROWS: dict[str, str] = {
    "tests/models/test_download.py": r"cut|stall|gone|ignores|changed|length|wrong|damage|long|refus|busy|full_disk|"
    r"space|expired|kill|stopping|416",
    "tests/models/test_pull.py": r"hangs|busy|small|interrupted|damaged|broken|changed|two_processes|no_model",
    "tests/models/test_gguf.py": r"refused|unusable|usable|truncated|overlapping|flipped|nested",
    "tests/models/test_scan.py": r"damaged|cannot_be_written|another_model",
    "tests/store/test_journal.py": r"cut|flipped|damage|newer|not_a_journal|full_disk|leaves_nothing|owner",
    "tests/engines/test_process.py": r"stubborn|killed|kills|slow|reused|stale|executed|explained",
    "tests/cli/test_misuse.py": r"interrupted",
    "tests/cli/test_resume.py": r"refused|goes_on",
    "tests/cli/test_run.py": r"interrupt|term|at_once|failed_cells",
}
"""File to a pattern of test names: what is a fault there, and not a plain feature."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the fault suite in its full form: more kills")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what the table names, before ``-m faults`` looks."""
    for item in items:
        file, _, name = item.nodeid.partition("::")
        pattern = ROWS.get(file)
        if pattern and re.search(pattern, name.partition("[")[0]):
            item.add_marker(pytest.mark.faults)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """``faults: N tried, N survived, N lost``, and the same for wrong uses."""
    ended = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
    tests = [report for report in ended if report.when == "call" and "faults" in report.keywords]
    if tests:
        tried = sum(_count(report.user_properties, "faults", 1) for report in tests)
        survived = sum(_count(report.user_properties, "faults", 1) for report in tests if report.outcome == "passed")
        lost = sum(_count(report.user_properties, "lost", 0) for report in tests)
        terminalreporter.write_line(f"faults: {tried} tried, {survived} survived, {lost} acknowledged results lost")
    misuses = [report for report in ended if report.when == "call" and "misuse" in report.keywords]
    if misuses:
        answered = sum(report.outcome == "passed" for report in misuses)
        terminalreporter.write_line(f"misuse: {len(misuses)} tried, {answered} answered with one message and its fix")


def _count(properties: Iterable[tuple[str, object]], name: str, default: int) -> int:
    found = dict(properties).get(name, default)
    return found if isinstance(found, int) else default
