"""Real processes killed at random moments, again and again, until their run is finished.

After each kill no trial that was acknowledged may be missing, at the end none may be there twice and no process left
behind. The fake engine works in virtual time, where an answer depends on its request alone: there the resumed report
must equal that of a run that nobody disturbed, but for what is a time. ``LLMTESTER_KILLS=60,5`` kills fewer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from llmtester.domain.events import TrialEnded
from llmtester.store import journal, runs

FAKE_KILLS, REAL_KILLS = 300, 30
LONGEST_LIFE_S = 2.5
MODELS = ",".join(f"m{n}?ttft_ms=20&decode_tok_per_s={30 + 7 * n}&noise=0.05&realtime=0" for n in range(6))
FAKE = ["--engine", "fake", "--models", MODELS, "--set", "models.folders=[models]"]
TIMES = frozenset(
    {"run_id", "started_unix_ns", "duration_s", "load_s", "load_ns", "wall_time_s", "resumed_count", "starts_count"}
    | {"ttft_cold_ms"}  # one answer of each server start, and what is killed starts more often
)
SENSED = frozenset({"findings", "cautions", "certainty"})
"""Fields of a result that say when, how long or in how many starts, and what the sensors of the real machine saw: they
differ between two equal runs."""


@contextmanager
def _home() -> Iterator[Path]:
    """A place of its own for everything that llmtester keeps."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    places = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("STATE", "CACHE", "DATA", "CONFIG")}
    command = [sys.executable, "-m", "llmtester", "run", *arguments, "--display", "none", "--output-dir", "runs"]
    environment = {**os.environ, **places}
    return subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def _latest(home: Path) -> runs.RunFolder | None:
    found = runs.all_runs(home / "runs")
    return found[-1] if found else None


def _acknowledged(folder: runs.RunFolder) -> Counter[tuple[str, int, bool]]:
    events = journal.read(folder.journal).events
    return Counter((e.cell, e.trial, e.warmup) for e in events if isinstance(e, TrialEnded))


def _left_behind(home: Path) -> list[str]:
    """Processes that still work in ``home`` after five seconds, which is what a server has to leave in."""
    until_s = time.monotonic() + 5
    while True:
        running = psutil.process_iter(["cwd", "cmdline"])
        mine = [str(process.info["cmdline"]) for process in running if process.info["cwd"] == str(home)]
        if not mine or time.monotonic() > until_s:
            return mine
        time.sleep(0.05)


def _one_run(home: Path, arguments: Sequence[str], kills: int, chance: random.Random) -> tuple[int, list[str]]:
    """Kill and resume one run until it is finished or ``kills`` are spent; kills made, and what went wrong."""
    problems: list[str] = []
    before: Counter[tuple[str, int, bool]] = Counter()
    folder_before: Path | None = None
    made = 0
    process = _start(home, *arguments)
    while True:
        try:
            process.wait(timeout=chance.uniform(0.05, LONGEST_LIFE_S) if made < kills else 600)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            made += 1
        _, complaint = process.communicate()
        folder = _latest(home)
        if folder is not None:
            now = _acknowledged(folder)
            if folder.path == folder_before and before - now:
                problems.append("an acknowledged trial was lost")
            before, folder_before = now, folder.path
        if process.returncode in {0, 3}:
            break
        if process.returncode != -signal.SIGKILL:
            problems.append(f"exit {process.returncode}: {complaint.decode()[:300]}")
            break
        process = _start(home, *(["--resume", folder.run_id] if folder else arguments))
    counted = Counter((cell, trial) for cell, trial, warmup in before.elements() if not warmup)
    if any(count > 1 for count in counted.values()):
        problems.append("a trial counts twice")
    return made, problems + [f"left behind: {one}" for one in _left_behind(home)]


def _result(folder: runs.RunFolder | None) -> Any:
    """The machine-readable report, without what is a time or was sensed."""
    if folder is None:
        return None
    (path,) = folder.path.glob("*_results.json")
    return _without_times(json.loads(path.read_text(encoding="utf-8")))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in TIMES | SENSED}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def _differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two JSON values differ; floats may by the rounding of nanoseconds."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [said for key in keys for said in _differences(one.get(key), other.get(key), f"{where}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [said for place, (a, b) in pairs for said in _differences(a, b, f"{where}[{place}]")]
    if isinstance(one, float) and isinstance(other, float) and abs(one - other) <= 1e-5 * abs(one):
        return []
    return [] if one == other else [f"{where}: {str(one)[:60]} and {str(other)[:60]}"]


def kill(kills: int, arguments: Sequence[str], seed: int = 1, *, compare: bool) -> tuple[int, list[str]]:
    """Kills made over as many runs as they need, and every problem."""
    chance = random.Random(seed)
    problems: list[str] = []
    undisturbed = None
    if compare:
        with _home() as home:
            _one_run(home, arguments, 0, chance)
            undisturbed = _result(_latest(home))
    made = 0
    while made < kills:
        with _home() as home:
            more, said = _one_run(home, arguments, kills - made, chance)
            made += more
            problems += said
            if compare and not said:
                problems += _differences(undisturbed, _result(_latest(home)))[:5]
    return made, problems


def _real() -> list[str] | None:
    """Flags of a small run of the embedded engine on the starter model; ``None`` where that is not known."""
    named = os.environ.get("LLMTESTER_STARTER_MODEL")
    if not named:
        return None
    few = ["--set=profiles.interactive.short.output_tok=16", "--set=profiles.interactive.medium.output_tok=16"]
    return ["--engine", "embedded", "--set", f"models.folders=[{Path(named).parent}]", *few]


def run() -> dict[str, object]:
    """Problems after all kills."""
    asked = os.environ.get("LLMTESTER_KILLS", f"{FAKE_KILLS},{REAL_KILLS}").split(",")
    made, problems = kill(int(asked[0]), FAKE, compare=True)
    real = _real()
    made_real, problems_real = kill(int(asked[-1]), real, compare=False) if real else (0, [])
    return {
        "name": "matrix_kills",
        "promise": "killed anywhere: nothing lost, nothing twice, nothing left behind, the same report",
        "measured": len(problems) + len(problems_real),
        "limit": 0,
        "passed": not problems and not problems_real,
        "kills": {"fake": made, "real": made_real},
        "problems": [*problems, *problems_real][:20],
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
