"""Long texts and a chat on the starter model: whether our clock and the server's own agree, at every depth."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engines_real import starter_model
from llmtester.analysis.costs import Hardware
from llmtester.analysis.lens import Lens
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import CellSummary, Estimate, Summary
from llmtester.domain.events import RunStarted
from llmtester.domain.ports import Profile
from llmtester.domain.work import ModelRef, ServerSettings
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.host.canary import LoopCanary
from llmtester.host.clock import SystemClock
from llmtester.host.collector import quiet_garbage_collector
from llmtester.host.machine import read_machine
from llmtester.host.telemetry import SystemSensors
from llmtester.profiles.interactive import InteractiveOptions, InteractiveProfile
from llmtester.profiles.long_context import LongContextOptions, LongContextProfile
from llmtester.runner.matrix import MatrixRunner, Workbench
from llmtester.runner.planner import Wanted, plan

TRAINED_TOK = 8192
"""What the starter model was trained for (its header)."""

SIZES_TOK = (4096, TRAINED_TOK)
"""Two steps: the starter model finds few facts, and after two such steps a climb ends."""

CONTEXT_LIMIT_RATIO = 0.03
CHAT_LIMIT_RATIO = 0.02


async def _summary(profiles: Mapping[str, Profile]) -> Summary:
    path = starter_model()
    model = ModelRef("starter", "", str(path), path.stat().st_size, "benchmark", context_tok=TRAINED_TOK)
    hardware = Hardware(os.cpu_count() or 1, 10**12)
    work = plan(Wanted("embedded", [model], profiles, ServerSettings(), 1, hardware), lambda *_: None)
    clock, canary = SystemClock(), LoopCanary()
    first = RunStarted(clock.now_ns(), clock.instant(), "benchmark", work, read_machine(), {}, "0")
    state = RunState([first])
    with tempfile.TemporaryDirectory() as logs:
        bench = Workbench(
            open_target=lambda target: EmbeddedEngine().open(target, Path(logs)),
            profiles=profiles,
            clock=clock,
            sensors=SystemSensors(canary),
            quiet=quiet_garbage_collector,
        )
        async with canary:
            await MatrixRunner(state, lambda event: None, bench).run()
    return summarise(state, Lens({name: profile.headline for name, profile in profiles.items()}, BANDS))


def _value(cell: CellSummary, name: str) -> float:
    measured = cell.metrics[name]
    if not isinstance(measured, Estimate):
        raise ValueError(f"{cell.key} has no {name}: {measured.reason}")
    return measured.value


def _off(cell: CellSummary) -> dict[str, float]:
    """How far our figures are from the server's: writing, and reading as prompt tokens over the time to the first."""
    writing = _value(cell, "decode_tok_per_s") / _value(cell, "server_decode_tok_per_s") - 1
    reading = _value(cell, "overhead_ms") / _value(cell, "ttft_ms")
    return {"writing": abs(writing), "reading": abs(reading)}


def run() -> dict[str, object]:
    """The largest share of a limit that was used up, over all depths and loads; above 1 a promise is broken."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    profiles: dict[str, Profile] = {
        "interactive": InteractiveProfile(InteractiveOptions(min_trials=5, max_trials=5)),
        "long_context": LongContextProfile(LongContextOptions(SIZES_TOK, trials=1)),
    }
    said = asyncio.run(_summary(profiles))
    measured = [cell for cell in said.cells if cell.trials_count]
    used = []
    for cell in measured:
        off = _off(cell)
        deep = cell.profile == "long_context"
        limit = CONTEXT_LIMIT_RATIO if deep else CHAT_LIMIT_RATIO
        used.append((max(off.values()) if deep else off["writing"]) / limit)
    (context,) = said.usable_context
    return {
        "name": "profiles_context",
        "promise": "at every depth reading and writing agree with the server within 3 %, in a chat writing within 2 %",
        "measured": max(used),
        "limit": 1.0,
        "unit": "share of the limit",
        "passed": max(used) <= 1.0 and any(cell.load.name == "8k" for cell in measured),
        "cells": {f"{cell.profile}/{cell.load.name}": _off(cell) for cell in measured},
        "usable_context": context.sentence,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
