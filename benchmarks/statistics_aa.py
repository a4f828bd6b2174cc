"""The promise: one and the same thing measured twice is not called different.

Two ways to compare: within a run, where the advice must name both models as a tie, and between two runs, where
``compare`` must show no difference in any deciding metric. 200 simulated pairs with 3 % noise and two loads, in rounds
as a run plans them; then, with ``LLMTESTER_STARTER_MODEL`` or a fetched starter model, five real pairs: copies of one
file under two names on the embedded engine.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from tests.worlds import LENS, World, fake_plan

from benchmarks.quality_rungs import starter
from llmtester.analysis.compare import compare
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Summary
from llmtester.domain.events import Event, RunStarted
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Target
from llmtester.profiles.interactive import InteractiveProfile

PAIRS_COUNT, REAL_PAIRS_COUNT = 200, 5
LIMIT_RATIO = 0.05
VISIT_TRIALS = 3
LOADS = tuple(Load(name, prompt_tok=prompt_tok, output_tok=32) for name, prompt_tok in (("short", 64), ("medium", 256)))
REAL_LOAD = Load("short", prompt_tok=64, output_tok=48)
SERVER = ServerSettings(context_tok=1024)
SCRIPT = "?prefill_tok_per_s=1000&decode_tok_per_s=40&noise=0.03&jitter=0.05&realtime=0&seed="


def told_apart(summary: Summary) -> bool:
    """Whether the advice for chat prefers one of the two."""
    (chat,) = [advice for advice in summary.advice if advice.use == "chat"]
    return len({chat.winner, *chat.ties} - {None}) != len(summary.targets)


def changed(before: Summary, after: Summary) -> bool:
    """Whether a comparison of two runs shows a difference in any metric of any cell."""
    found = compare(before, after, LENS.headlines)
    verdicts = [change.verdict for cell in found.cells for change in cell.changes]
    assert verdicts, "nothing was compared"
    return any(verdict != "no difference shown" for verdict in verdicts)


def simulated(*scripts: str, visit_trials: int | None = VISIT_TRIALS) -> Summary:
    """One whole run of the real runner on fake models in virtual time."""
    plan = replace(fake_plan(*scripts, loads=LOADS), visit_trials=visit_trials)
    state, _ = World().run(plan)
    return summarise(state, LENS)


def real(folder: Path, *files: Path) -> Summary:
    """One whole run on the embedded engine."""
    from llmtester.engines.embedded import EmbeddedEngine
    from llmtester.host.canary import LoopCanary
    from llmtester.host.clock import SystemClock
    from llmtester.host.machine import read_machine
    from llmtester.host.telemetry import SystemSensors
    from llmtester.runner.matrix import MatrixRunner, Workbench

    targets = [
        Target("embedded", ModelRef(file.stem, "Q4_1", str(file), file.stat().st_size, file.stem), SERVER)
        for file in files
    ]
    plan = Plan(tuple(Cell(target, "interactive", REAL_LOAD) for target in targets), visit_trials=VISIT_TRIALS)
    clock = SystemClock()
    state = RunState([RunStarted(clock.now_ns(), clock.instant(), "aa", plan, read_machine(), {}, "0")])
    events: list[Event] = []
    bench = Workbench(
        open_target=lambda one: EmbeddedEngine().open(one, folder / one.folder_name),
        profiles={"interactive": InteractiveProfile()},
        clock=clock,
        sensors=SystemSensors(LoopCanary()),
        quiet=nullcontext,
    )
    asyncio.run(MatrixRunner(state, events.append, bench).run())
    return summarise(state, LENS)


def run() -> dict[str, object]:
    """The larger share of simulated pairs that were told apart, with the real ones."""
    within = sum(told_apart(simulated(f"one{SCRIPT}{seed}", f"two{SCRIPT}{seed}")) for seed in range(PAIRS_COUNT))
    between = sum(
        changed(simulated(f"m{SCRIPT}{2 * seed}"), _same(simulated(f"m{SCRIPT}{2 * seed + 1}")))
        for seed in range(PAIRS_COUNT)
    )
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "one.gguf", folder / "two.gguf"]
        for file in files:
            shutil.copyfile(starter(), file)
        summaries = [real(folder, *files) for _ in range(REAL_PAIRS_COUNT)]
    apart = sum(told_apart(summary) for summary in summaries)
    for summary in summaries:
        first, second = (cell.per_trial["decode_tok_per_s"] for cell in summary.cells)
        ratios.append(sum(second) / len(second) / (sum(first) / len(first)))
    worst = max(within, between) / PAIRS_COUNT
    return {
        "name": "statistics_aa",
        "promise": "the same file twice is told apart in at most 5 % of 200 simulated pairs and never in 5 real ones",
        "measured": worst,
        "limit": LIMIT_RATIO,
        "unit": "of pairs",
        "passed": worst <= LIMIT_RATIO and apart == 0,
        "told_apart_within_runs": within,
        "told_apart_between_runs": between,
        "told_apart_real": apart,
        "real_speed_ratios": ratios,
    }


def _same(summary: Summary) -> Summary:
    """The run as one of the same file: a fake model's script, which holds the seed, is its path and fingerprint."""
    return replace(
        summary,
        targets=tuple(
            replace(target, model=replace(target.model, path="m", fingerprint="m")) for target in summary.targets
        ),
    )


if __name__ == "__main__":
    measured = run()
    print(json.dumps(measured, indent=2))
    sys.exit(0 if measured["passed"] else 4)
