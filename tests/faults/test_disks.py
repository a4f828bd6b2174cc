"""A disk that is really full, and folders that really cannot be written, root or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmtester.domain.events import RunEnded, TrialEnded
from llmtester.store import journal
from tests.faults.own_mounts import in_own_mounts

pytestmark = pytest.mark.faults

LOADS = "--set profiles.interactive.max_trials=5 --set profiles.interactive.short.output_tok=16"
RUN = f"run --engine fake --models 'a?ttft_ms=1&decode_tok_per_s=9000&load_ms=1' {LOADS} --output-dir runs --json"

SHORT_SIZES, LONG_SIZES = ("12k", "28k"), ("12k", "16k", "20k", "24k", "28k", "32k")
"""Full before the first trial has ended, where the log is full as well, and in the middle of the work."""
FILLED = f"""
mkdir -p runs
mount -t tmpfs -o size=SIZE tmpfs runs
code=0; llmtester {RUN} >told 2>complaint || code=$?; echo $code
cp runs/*/journal.jsonl before
ls -A runs/*/ >left
mount -o remount,size=8m runs
llmtester run --resume --output-dir runs --json >/dev/null 2>resumed
cp runs/*/journal.jsonl after
"""


def test_a_full_disk_loses_nothing(
    home: Path, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """Code 6 and one message; every trial that was told of is in the journal; with more room the run is completed."""
    sizes = LONG_SIZES if request.config.getoption("--long") else SHORT_SIZES
    record_property("faults", len(sizes))
    lost = sum(lost_on_a_disk_of(size, home) for size in sizes)
    record_property("lost", lost)
    assert not lost


def lost_on_a_disk_of(size: str, home: Path) -> int:
    """How many acknowledged trials are missing after a run filled its disk and was resumed on a larger one."""
    assert in_own_mounts(FILLED.replace("SIZE", size), home).split() == ["6"]
    complaint = (home / "complaint").read_text()
    assert complaint.count("error: ") == 1, complaint
    assert "--resume" in complaint
    assert "Traceback" not in complaint
    before, after = journal.read(home / "before"), journal.read(home / "after")
    told = [json.loads(line) for line in (home / "told").read_text().splitlines()]
    acknowledged = {(one["data"]["cell"], one["data"]["trial"]) for one in told if one.get("type") == "trial_ended"}
    kept = {(event.cell, event.trial) for event in after.events if isinstance(event, TrialEnded)}
    assert acknowledged or size == "12k"
    assert after.events[: len(before.events)] == before.events
    assert isinstance(after.events[-1], RunEnded)
    assert not [name for name in (home / "left").read_text().split() if name.endswith((".new", "report.html"))]
    return len(acknowledged - kept)


def test_no_room_for_a_plan(home: Path) -> None:
    """A disk that cannot even take the plan is told before anything is measured, and no folder stays behind."""
    script = f"mkdir runs; mount -t tmpfs -o size=4k tmpfs runs; code=0; llmtester {RUN} 2>complaint || code=$?\n"
    assert in_own_mounts(script + "echo $code; ls -A runs", home).split() == ["6"]
    assert "--output-dir" in (home / "complaint").read_text()


def sealed(place: str) -> str:
    return f"mount --bind {place} {place}; mount -o remount,bind,ro {place}"


READ_ONLY = {
    "output folder": (f"mkdir runs; {sealed('runs')}", RUN, 6, "--output-dir"),
    "config init": (f"mkdir here; {sealed('here')}; cd here", "config init", 6, "another path"),
    "state, of a run": (f"mkdir runs; mount -t tmpfs tmpfs runs; {sealed('$PWD')}", RUN, 6, "writable"),
    "state, of doctor": (sealed("$PWD"), "doctor --offline --engine fake", 6, "fix: "),
    "model folder": (f"mkdir m; {sealed('m')}", "models pull starter --yes --folder m", 6, "models.folders"),
}


@pytest.mark.parametrize("place", READ_ONLY)
def test_what_cannot_be_written(home: Path, place: str) -> None:
    """The documented code, the folder and what to do about it; no traceback."""
    prepare, words, code, says = READ_ONLY[place]
    script = f"{prepare}\ncode=0; llmtester {words} 2>&1 || code=$?; echo CODE $code"
    shown = in_own_mounts(script, home)
    assert shown.split()[-1] == str(code), shown
    assert says in shown
    assert "Traceback" not in shown
    assert "unexpectedly" not in shown


SEALED_RUN = f"""
mkdir runs; llmtester {RUN} >/dev/null 2>&1
truncate -s -1000 runs/*/journal.jsonl; cp runs/*/journal.jsonl before
{sealed("runs")}
for words in "run --resume --output-dir runs --display none" "report latest --runs runs"; do
  code=0; llmtester $words >>shown 2>&1 || code=$?; echo $code
done
llmtester report latest --runs runs --output-dir elsewhere >/dev/null 2>&1
cmp before runs/*/journal.jsonl
"""


def test_a_run_that_cannot_be_written_can_still_be_read(home: Path) -> None:
    """On a read-only disk a run is neither resumed nor harmed, and its report goes elsewhere."""
    assert in_own_mounts(SEALED_RUN, home).split() == ["6", "6"]
    shown = (home / "shown").read_text()
    assert shown.count("\n  fix: ") == 2, shown
    assert "Traceback" not in shown
    assert list((home / "elsewhere").glob("*_report.html"))
