"""What the runner says while it works: the vocabulary of the journal.

Every event carries ``at_ns`` (monotonic). Targets and cells are named by their keys; the plan in ``RunStarted`` holds
the rest. A trial counts once its ``TrialEnded`` is stored: ``DURABLE`` lists what the store must have on disk before
``emit`` returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmtester.domain.errors import EngineFailure
from llmtester.domain.records import Instant, Machine, Reading, Sample, SessionFacts
from llmtester.domain.work import Cell, Plan


@dataclass(frozen=True, slots=True)
class RunStarted:
    """First record of a journal. ``settings`` maps each dotted setting to ``{"value": ..., "origin": ...}``."""

    at_ns: int
    clock: Instant
    run_id: str
    plan: Plan
    machine: Machine
    settings: dict[str, Any]
    version: str


@dataclass(frozen=True, slots=True)
class RunResumed:
    """The run goes on in a new process; later moments belong to the new ``clock``.

    ``added`` are cells that the plan did not have, with what their targets are expected to take (by key).
    """

    at_ns: int
    clock: Instant
    machine: Machine
    version: str
    added: tuple[Cell, ...] = ()
    added_need_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetReady:
    at_ns: int
    target: str
    facts: SessionFacts


@dataclass(frozen=True, slots=True)
class TargetFailed:
    """A server did not start or died. The cells of the target that are not done cannot be measured now."""

    at_ns: int
    target: str
    failure: EngineFailure
    message: str
    fix: str = ""
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """``tokenizer_ns`` is the time for which the preparation waited for the server to count tokens."""

    at_ns: int
    cell: str
    trial: int
    warmup: bool = False
    tokenizer_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SampleTaken:
    at_ns: int
    cell: str
    trial: int
    sample: Sample


@dataclass(frozen=True, slots=True)
class Pulse:
    """About once a second: what the machine looks like, and how many chunks the running trial has seen."""

    at_ns: int
    cell: str | None
    arrived_count: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """All samples of this trial are above. Warm-up trials are kept as evidence and never enter a metric."""

    at_ns: int
    cell: str
    trial: int
    warmup: bool = False


@dataclass(frozen=True, slots=True)
class TrialDiscarded:
    """This trial does not count and is measured again: the machine did something else meanwhile."""

    at_ns: int
    cell: str
    trial: int
    reason: str


@dataclass(frozen=True, slots=True)
class CellSkipped:
    at_ns: int
    cell: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    at_ns: int
    outcome: Literal["finished", "interrupted"]
    detail: str = ""


Event: TypeAlias = (
    RunStarted
    | RunResumed
    | TargetReady
    | TargetFailed
    | TrialStarted
    | SampleTaken
    | Pulse
    | TrialEnded
    | TrialDiscarded
    | CellSkipped
    | RunEnded
)
Emit: TypeAlias = Callable[[Event], None]

DURABLE: tuple[type, ...] = (RunStarted, RunResumed, TargetFailed, TrialEnded, CellSkipped, RunEnded)


def kind_of(event_type: type) -> str:
    """The name of an event in files and streams: ``SampleTaken`` -> ``sample_taken``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event_type.__name__).lower()
