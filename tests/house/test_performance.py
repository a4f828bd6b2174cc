"""The table of all benchmarks: uniform, complete, and the page that is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.__main__ import NEEDED, found, measured, record, row
from benchmarks.performance import RESULTS, markdown

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def test_the_page_is_current() -> None:
    """``docs/performance.md`` is what ``python -m benchmarks.performance`` prints for ``docs/performance.json``."""
    assert PAGE.read_text(encoding="utf-8") == markdown(json.loads(RESULTS.read_text(encoding="utf-8")))


def test_the_results_are_of_real_benchmarks() -> None:
    """Each row of the stored run names a module that exists and has every key."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]
    assert {result["name"] for result in results} <= found().keys()
    assert not [result["name"] for result in results if not set(NEEDED) <= result.keys()]


def test_what_cannot_be_measured_is_not_kept() -> None:
    """A missing tool becomes a row with its reason, and the others go on."""

    def without_its_tool() -> dict[str, object]:
        raise FileNotFoundError("curl is not installed")

    result = measured("demo", without_its_tool)
    assert (result["passed"], result["measured"]) == (False, None)
    assert "NO" in row(result)
    assert "curl is not installed" in row(result)
    assert "curl is not installed" in markdown(json.loads(record([result])))


def test_a_benchmark_must_say_what_it_promises() -> None:
    """A result without its keys is a mistake of ours, not a figure."""
    with pytest.raises(TypeError, match="does not say limit, passed"):
        measured("demo", lambda: {"name": "demo", "promise": "fast", "measured": 1.0})
