"""A running run as plain lines, one a trial, for pipes, logs and continuous integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llmtester.analysis.metrics import METRICS
from llmtester.domain.events import (
    CellSkipped,
    Event,
    Pulse,
    RunEnded,
    RunResumed,
    RunStarted,
    SampleTaken,
    TargetFailed,
    TargetReady,
    TrialDiscarded,
    TrialEnded,
    TrialStarted,
)
from llmtester.domain.records import Absent, Sample
from llmtester.domain.text import human_bytes, human_duration, printable
from llmtester.domain.work import Cell
from llmtester.views.numbers import number

HEARTBEAT_NS = 20_000_000_000
"""A line at least this often while a long request runs; build servers end jobs that are silent for minutes."""


@dataclass(slots=True)
class PlainState:
    """What the log remembers between lines; ``plain_line`` keeps it up to date.

    ``serving`` is the target whose start was the last one told: its cells are named without the model.
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    started_ns: int = 0
    last_line_ns: int = 0
    samples: list[Sample] = field(default_factory=list)
    serving: str = ""


def plain_line(event: Event, state: PlainState) -> str | None:
    """One line without a line end for an event worth one, else ``None``. ``state`` is updated in place.

    Every text from outside is made safe. A line starts with the time since the start of the process that measures.
    """
    if isinstance(event, (RunStarted, RunResumed)):
        state.started_ns = event.at_ns
        state.last_line_ns = event.at_ns
    said = _LINES[type(event)](event, state)
    if said is None:
        return None
    state.last_line_ns = event.at_ns
    seconds = max(event.at_ns - state.started_ns, 0) // 1_000_000_000
    return f"{seconds // 3600:d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}  {said}"


def _started(event: RunStarted, state: PlainState) -> str:
    plan = event.plan
    state.cells = {cell.key: cell for cell in plan.cells}
    state.order = {key: place for place, key in enumerate(state.cells, 1)}
    expected = f", about {human_duration(plan.expected_s)}" if plan.expected_s else ""
    skipped = f", {len(plan.skips)} skipped" if plan.skips else ""
    work = f"{_count(len(plan.cells), 'cell')}, {_count(len(plan.targets), 'server start')}"
    return f"run {printable(event.run_id)}: {work}{skipped}{expected}"


def _resumed(event: RunResumed, state: PlainState) -> str:
    state.samples = []
    state.serving = ""
    for cell in event.added:
        state.cells[cell.key] = cell
        state.order[cell.key] = len(state.cells)
    return "run resumed" + (f" with {_count(len(event.added), 'more cell')}" if event.added else "")


def _ready(event: TargetReady, state: PlainState) -> str:
    facts = event.facts
    state.serving = event.target
    return f"{_target(event.target)} ready after {human_duration(facts.load_ns / 1e9)} ({printable(facts.build, 60)})"


def _failed(event: TargetFailed, state: PlainState) -> str:
    state.samples = []
    state.serving = ""
    fix = f"; {printable(event.fix)}" if event.fix else ""
    return f"{_target(event.target)} failed: {printable(event.message)}{fix}"


def _trial_started(event: TrialStarted, state: PlainState) -> None:
    state.samples = []


def _sample(event: SampleTaken, state: PlainState) -> None:
    state.samples.append(event.sample)


def _pulse(event: Pulse, state: PlainState) -> str | None:
    if event.cell is None or event.at_ns - state.last_line_ns < HEARTBEAT_NS:
        return None
    free = human_bytes(event.reading.memory_available_bytes)
    return f"{_cell(event.cell, state)} running, {event.arrived_count} tokens so far, {free} of memory free"


def _trial_ended(event: TrialEnded, state: PlainState) -> str:
    what = "warm-up" if event.warmup else f"trial {event.trial + 1}"
    samples, state.samples = state.samples, []
    return f"{_cell(event.cell, state)} {what}: {_outcome(samples)}"


def _discarded(event: TrialDiscarded, state: PlainState) -> str:
    state.samples = []
    return f"{_cell(event.cell, state)} trial {event.trial + 1} does not count: {printable(event.reason)}"


def _skipped(event: CellSkipped, state: PlainState) -> str:
    return f"{_cell(event.cell, state)} skipped: {printable(event.reason)}"


def _ended(event: RunEnded, state: PlainState) -> str:
    return f"run {event.outcome}" + (f": {printable(event.detail)}" if event.detail else "")


_LINES: dict[type, Callable[[Any, PlainState], str | None]] = {
    RunStarted: _started,
    RunResumed: _resumed,
    TargetReady: _ready,
    TargetFailed: _failed,
    TrialStarted: _trial_started,
    SampleTaken: _sample,
    Pulse: _pulse,
    TrialEnded: _trial_ended,
    TrialDiscarded: _discarded,
    CellSkipped: _skipped,
    RunEnded: _ended,
}


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _target(key: str) -> str:
    return printable(key.rpartition("/")[0] or key, 120)


def _cell(key: str, state: PlainState) -> str:
    cell = state.cells.get(key)
    if cell is None:
        return printable(key)
    place = f"[{state.order[key]}/{len(state.order)}]"
    asked = f"{printable(cell.profile, 40)}/{printable(cell.load.name, 40)}"
    if cell.target.key == state.serving:
        return f"{place} {asked}"
    return f"{place} {printable(cell.target.model.label, 80)} {asked}"


def _outcome(samples: list[Sample]) -> str:
    """What the requests of a trial did, by the same metrics as the report."""
    bad = [sample for sample in samples if not sample.ok]
    first, speed = METRICS["ttft_ms"].of_trial(samples), METRICS["decode_tok_per_s"].of_trial(samples)
    parts = []
    if not isinstance(first, Absent):
        parts.append(f"first token {number(first)} ms")
    if not isinstance(speed, Absent):
        parts.append(f"{number(speed)} tok/s")
    if bad:
        why = bad[0].failure.value if bad[0].failure else "unknown"
        parts.append(f"{_count(len(bad), 'request')} failed ({why}: {printable(bad[0].failure_detail, 80)})")
    return ", ".join(parts) or "no request was answered"
