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
    "tests/models/test_gguf.py": r"refused|no_usable|truncated|overlapping|flipped|nested",
    "tests/models/test_scan.py": r"damaged|cannot_be_written|another_model",
    "tests/store/test_journal.py": r"cut|flipped|damage|newer|not_a_journal|full_disk|leaves_nothing|half_a_line|"
    r"does_not_fit|no_record|nobody_wrote|torn|no_file_can_hold",
    "tests/store/test_runs.py": r"owner|set_back|cannot_be_made",
    "tests/store/test_references.py": r"half_a_pack",
    "tests/store/test_damage.py": r"damaged",
    "tests/engines/test_process.py": r"stubborn|killed|kills|slow|reused|stale|executed|explained",
    "tests/engines/test_wire.py": r"compressed|closes|large_replies|cut_behind|has_a_limit",
    "tests/engines/test_http1.py": r"any_cut|refused|garbage",
    "tests/engines/test_sse.py": r"endless",
    "tests/engines/test_chat_stream.py": r"no_whole|without_done",
    "tests/engines/test_remote_engines.py": r"not_there|wrong_key|mid_stream",
    "tests/engines/test_processor_check.py": r"illegal",
    "tests/engines/test_fake.py": r"failures|fail_to_start|time_outs|keeps_what",
    "tests/engines/test_real_engines.py": r"time_out|dies|cannot_be_loaded|too_long|not_ours|somebody_took|not_there|"
    r"killed|abandoned|does_not_know",
    "tests/host/test_telemetry.py": r"gone",
    "tests/host/test_loop_health.py": r"blocked",
    "tests/models/test_starter.py": r"another_content|without_it",
    "tests/models/test_memory.py": r"damaged|misread",
    "tests/models/test_facts.py": r"wrong_type",
    "tests/runner/test_faults.py": r"suspended|removed|disk|outlives",
    "tests/runner/test_matrix.py": r"does_not_load|dies|hanging|failed_request|cancelling|store_that_fails|killed",
    "tests/runner/test_stress.py": r"danger|lost|does_not_load",
    "tests/settings/test_refusals.py": r"any_file|no_settings",
    "tests/views/test_dashboard.py": r"died",
    "tests/cli/test_misuse.py": r"interrupted",
    "tests/cli/test_resume.py": r"refused|goes_on",
    "tests/cli/test_run.py": r"interrupt|term|at_once|failed_cells|port_in_use",
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
        # Marks are told apart from folders of the same name, which are keywords of a test as well.
        item.user_properties += [(mark, 1) for mark in ("faults", "misuse") if item.get_closest_marker(mark)]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """``faults: N tried, N survived, N lost``, and the same for wrong uses."""
    ended = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
    tests = [report for report in ended if report.when == "call" and _count(report.user_properties, "faults", 0)]
    if tests:
        tried = sum(_count(report.user_properties, "faults", 1) for report in tests)
        survived = sum(_count(report.user_properties, "faults", 1) for report in tests if report.outcome == "passed")
        lost = sum(_count(report.user_properties, "lost", 0) for report in tests)
        terminalreporter.write_line(f"faults: {tried} tried, {survived} survived, {lost} acknowledged results lost")
    misuses = [report for report in ended if report.when == "call" and _count(report.user_properties, "misuse", 0)]
    if misuses:
        answered = sum(report.outcome == "passed" for report in misuses)
        terminalreporter.write_line(f"misuse: {len(misuses)} tried, {answered} answered with one message and its fix")


def _count(properties: Iterable[tuple[str, object]], name: str, default: int) -> int:
    found = dict(properties).get(name, default)
    return found if isinstance(found, int) else default
