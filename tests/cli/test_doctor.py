"""``llmtester doctor``: every check says ok, warn or fail as it should, and how to mend what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.api.doctor import CHECKS, Check, check_lines, judge
from llmtester.api.machine_look import Folder, Observed
from llmtester.cli.app import app
from llmtester.cli.console import guarded
from llmtester.domain.records import Available, Missing, Reading
from llmtester.host.busy import BusyProcess
from tests.worlds import MACHINE

EMBEDDED = ("embedded", Available("xllamacpp 1"))
BINARY = ("llama-server", Available("b1"))
READING = Reading(0, memory_available_bytes=8 * 10**9, swap_used_bytes=0, other_cpu_ratio=0.01, temperature_c=40.0)
GOOD = Observed(
    version="1",
    python="3.11",
    python_path="/usr/bin/python",
    settings_file=None,
    settings_notes=(),
    machine=MACHINE,
    reading=READING,
    engines=(("llama-server", Missing("no llama-server on PATH", "install it")), EMBEDDED),
    engine="embedded",
    engine_problem="",
    folders=(Folder("runs", Path("runs"), 10**11), Folder("models", Path("models"), 10**11)),
    models_count=2,
    unusable_count=0,
    busy=(),
    stale_server_ids=(),
    port_problem="",
    hub_asked=True,
    hub_problem=None,
)
FULL = (Folder("runs", Path("runs"), 10**8), Folder("models", Path("models"), 10**8))
READ_ONLY = (Folder("runs", Path("/"), 10**11, "Read-only file system"), GOOD.folders[1])
BUSY = (BusyProcess(7, "make\x1b[2J", 1.5), BusyProcess(8, "idle", 0.0))

CASES: dict[str, tuple[str, str, str, dict[str, object]]] = {
    "stray variable": ("environment", "warn", "LLMTESTER_FOO", {"settings_notes": ("LLMTESTER_FOO is no setting",)}),
    "limited cores": ("machine", "warn", "only 2 cores", {"machine": replace(MACHINE, cpu_limit_cores=2.0)}),
    "unused gpu": ("graphics", "warn", "does not use it", {"machine": replace(MACHINE, gpus=("NVIDIA 1",))}),
    "used gpu": ("graphics", "ok", "NVIDIA 1", {"machine": replace(MACHINE, gpus=("NVIDIA 1",)), "engine": "x"}),
    "no engine": ("engine", "fail", "cannot", {"engine": None, "engine_problem": "cannot be used"}),
    "binary preferred": ("engine", "ok", "graphics", {"engine": "llama-server", "engines": (BINARY, EMBEDDED)}),
    "engine named": ("engine", "ok", "the settings name it", {"engines": (BINARY, EMBEDDED)}),
    "little memory": ("memory", "fail", "1.0 GB", {"reading": replace(READING, memory_available_bytes=10**9)}),
    "swapping": (
        "swap",
        "warn",
        "in use",
        {"machine": replace(MACHINE, swap_bytes=4 * 10**9), "reading": replace(READING, swap_used_bytes=3 * 10**9)},
    ),
    "full disk": ("disk", "fail", "100 MB", {"folders": FULL}),
    "unknown disk": ("disk", "warn", "told", {"folders": tuple(replace(one, free_bytes=None) for one in FULL)}),
    "read-only": ("folders", "fail", "Read-only", {"folders": READ_ONLY}),
    "no model": ("models", "warn", "no model yet", {"models_count": 0}),
    "broken model": ("models", "warn", "1 that cannot", {"unusable_count": 1}),
    "hot": ("sensors", "warn", "95 °C", {"reading": replace(READING, temperature_c=95.0)}),
    "no sensor": ("sensors", "ok", "no temperature", {"reading": replace(READING, temperature_c=None)}),
    "battery": ("power", "warn", "battery", {"machine": replace(MACHINE, power_source="battery")}),
    "slow governor": ("governor", "warn", "powersave", {"machine": replace(MACHINE, governor="powersave")}),
    "good governor": ("governor", "ok", "performance", {"machine": replace(MACHINE, governor="performance")}),
    "busy": (
        "other programs",
        "warn",
        "make\\x1b[2J (7, 1.5 cores)",
        {"reading": replace(READING, other_cpu_ratio=0.4), "busy": BUSY},
    ),
    "load unknown": ("other programs", "ok", "not say", {"reading": replace(READING, other_cpu_ratio=None)}),
    "stale": ("stale servers", "warn", "process 41, 42", {"stale_server_ids": (41, 42)}),
    "no port": ("local ports", "fail", "refused", {"port_problem": "refused"}),
    "no hub": ("model hub", "warn", "no route", {"hub_problem": "no route"}),
    "offline": ("model hub", "ok", "--offline", {"hub_asked": False}),
}


def test_a_good_machine_is_ready() -> None:
    """Nothing is warned about, every check of the table answers once, and the last line says so."""
    checks = judge(GOOD)
    assert [check.name for check in checks] == list(CHECKS)
    assert {check.verdict for check in checks} == {"ok"}
    assert not [check for check in checks if check.fix or not check.detail]
    assert list(check_lines(checks))[-1] == "Ready."


@pytest.mark.parametrize("case", CASES)
def test_each_doubt_has_its_verdict_and_its_fix(case: str) -> None:
    """One thing differs from the good machine: its check alone changes, says what was seen, and what to do."""
    name, verdict, words, changes = CASES[case]
    checks = {check.name: check for check in judge(replace(GOOD, **changes))}  # type: ignore[arg-type]
    assert checks[name].verdict == verdict
    assert words in checks[name].detail
    assert bool(checks[name].fix) is (verdict != "ok")


def test_every_check_can_be_other_than_ok() -> None:
    """A check that never warns is no check; the line about the program and the last table row are the exceptions."""
    warned = {name for name, verdict, _, _ in CASES.values() if verdict != "ok"}
    assert warned == CHECKS.keys() - {"llmtester"}


def test_the_sum_counts_failures_and_warnings() -> None:
    """The fix stands indented beneath its check, and the last line counts."""
    lines = list(check_lines((Check("a", "fail", "is broken", "mend it"), Check("b", "warn", "is odd", "look"))))
    assert lines == [
        "fail  a  is broken",
        "         fix: mend it",
        "warn  b  is odd",
        "         fix: look",
        "Not ready: 1 to correct, 1 to know about.",
    ]


def test_the_command_looks_at_this_machine(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Offline it asks nobody, writes nothing, and gives one JSON object."""
    before = sorted(home.rglob("*"))
    code = guarded(app, ["doctor", "--offline", "--json"])
    envelope = json.loads(capsys.readouterr().out)
    assert code in {0, 6}
    assert [check["name"] for check in envelope["data"]] == list(CHECKS)
    assert code == (6 if "fail" in {check["verdict"] for check in envelope["data"]} else 0)
    assert [path for path in sorted(home.rglob("*")) if path not in before and ".cache" not in path.parts] == []


def test_a_missing_engine_is_code_six(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine that the settings name is not here: the command fails and says how to get it."""
    code = guarded(app, ["doctor", "--offline", "--set", "engine.llama_server=/no/such", "--engine", "llama-server"])
    shown = capsys.readouterr().out
    assert code == 6
    assert "fail  engine" in shown
    assert "Not ready: 1 to correct" in shown
