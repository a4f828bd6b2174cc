"""Flags that decide how much is planned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llmtester.cli.app import app

FAKE = ["run", "--engine", "fake", "--dry-run", "--json"]


def planned(*flags: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*FAKE, *flags])
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line)["data"])


@pytest.mark.parametrize(("spelled", "seconds"), [("45m", 2700), ("2h", 7200), ("1h30m", 5400), ("90s", 90)])
def test_budgets_are_read_as_people_write_them(home: Path, spelled: str, seconds: int) -> None:
    """Hours, minutes and seconds, alone and together."""
    assert planned("--budget", spelled)["budget_s"] == seconds


def test_a_small_budget_leaves_out_with_the_reason(home: Path) -> None:
    """What does not fit is skipped before anything starts, and the first server is always kept."""
    work = planned("--budget", "1s")
    assert work["cells"]
    assert {skip["reason"] for skip in work["skips"]} == {"outside the budget of 1 s"}


def test_full_is_every_profile_that_there_is(home: Path) -> None:
    """All names of the table."""
    from llmtester import api

    work = planned("--full")
    profiles = {cell["profile"] for cell in (*work["cells"], *(skip["cell"] for skip in work["skips"]))}
    assert profiles == set(api.profile_names())


def test_exhaustive_has_no_visits(home: Path) -> None:
    """Without it a plan says how many trials a visit has."""
    assert planned()["visit_trials"] >= 2
    assert planned("--exhaustive")["visit_trials"] is None
