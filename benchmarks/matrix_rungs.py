"""A ladder of quantizations of the starter model, and real runs over it through the same functions as the command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import quality_rungs
from llmtester.analysis.progress import Progress
from llmtester.analysis.state import RunState
from llmtester.analysis.time_left import TimeLeft
from llmtester.domain.events import TrialEnded
from llmtester.store import journal
from llmtester.store.runs import RunFolder

RUNGS = ("Q4_0", "Q5_0", "Q8_0", "F16")
SHORT_ANSWERS: Mapping[str, Any] = {
    "profiles.interactive.short.output_tok": 64,
    "profiles.interactive.medium.output_tok": 64,
}


def write(folder: Path) -> Path:
    """The ladder as files in ``folder``; those that are there already are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in RUNGS:
        path = folder / f"SmolLM2-135M-Instruct-{kind}.gguf"
        if not path.exists():
            quality_rungs.write(quality_rungs.starter(), path, kind)
    return folder


def run(
    ladder: Path, folder: Path, answers: Mapping[str, Any] = SHORT_ANSWERS, **settings: Any
) -> tuple[Any, RunFolder]:
    """Summary and folder of a real run; ``settings`` are dotted names with ``__`` for the dot.

    ``answers``: how long answers are, by default shorter than those of a person's run, so that a ladder takes minutes.
    """
    import llmtester

    overrides = {
        "engine.name": "embedded",
        "models.folders": [str(ladder)],
        "run.output_dir": str(folder),
        "server.threads": max(1, (os.cpu_count() or 2) - 1),  # the client has a core of its own: less noise
        **answers,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    done = llmtester.run(llmtester.load_settings(overrides=overrides, env={}))
    return done.summary, done.folder


def at_quarter(folder: RunFolder, lens: Any) -> tuple[float, float]:
    """What was expected to be left after a quarter of the time of a run, and what was left in truth, in seconds."""
    events = journal.read(folder.journal).events
    whole_s = RunState(events).elapsed_s
    state = RunState()
    for event in events:
        state.apply(event)
        if isinstance(event, TrialEnded) and state.elapsed_s >= whole_s / 4:
            break
    return TimeLeft(state, Progress(state, lens)).estimate_s()[1], whole_s - state.elapsed_s
