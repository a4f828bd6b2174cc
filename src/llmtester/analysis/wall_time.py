"""Where the time of a run went: how much of it was spent in requests that count, and what took the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llmtester.domain.events import (
    CellSkipped,
    Event,
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

CAUSES = ("measured", "warm_up", "server_start", "server_stop", "prompts", "tokenizer", "lost", "other")
"""``measured``: at least one request of a trial that counts was being answered. ``lost``: trials that did not end.
``tokenizer``: waiting for the server to count tokens of prompts, ``prompts``: the rest of making them."""


@dataclass(slots=True)
class WallTime:
    """Nanoseconds by cause. ``apply`` takes the events of a run in order, its start first."""

    spent_ns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    _last_ns: int = 0
    _after_trial: bool = False
    _in_trial: bool = False
    _requests_ns: list[tuple[int, int]] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Book the time since the milestone before to its causes."""
        if isinstance(event, SampleTaken):
            self._requests_ns.append((event.sample.sent_ns, event.sample.ended_ns))
            return
        if isinstance(event, (RunStarted, RunResumed)):
            self._after_trial = self._in_trial = False
        elif type(event) not in _BOOK:
            return
        else:
            _BOOK[type(event)](self, event, max(0, event.at_ns - self._last_ns))
        self._last_ns = event.at_ns

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by cause, in the order of ``CAUSES``."""
        return {cause: spent_ns / 1e9 for cause, spent_ns in self.spent_ns.items()}

    def _ready(self, event: TargetReady, gap_ns: int) -> None:
        load_ns = min(gap_ns, event.facts.load_ns)
        self.spent_ns["server_start"] += load_ns
        self.spent_ns["server_stop" if self._after_trial else "other"] += gap_ns - load_ns
        self._after_trial = False

    def _trial_started(self, event: TrialStarted, gap_ns: int) -> None:
        tokenizer_ns = min(gap_ns, event.tokenizer_ns or 0)
        self.spent_ns["tokenizer"] += tokenizer_ns
        self.spent_ns["prompts"] += gap_ns - tokenizer_ns
        self._in_trial = True
        self._requests_ns.clear()

    def _trial_ended(self, event: TrialEnded, gap_ns: int) -> None:
        busy_ns = min(gap_ns, _covered_ns(self._requests_ns))
        self.spent_ns["warm_up" if event.warmup else "measured"] += busy_ns
        self.spent_ns["other"] += gap_ns - busy_ns
        self._in_trial, self._after_trial = False, True

    def _something(self, event: Event, gap_ns: int) -> None:
        cause = "lost" if self._in_trial else "server_stop" if self._after_trial and gap_ns else "other"
        self.spent_ns[cause] += gap_ns
        self._in_trial = False


def _covered_ns(spans: list[tuple[int, int]]) -> int:
    """The length of the union of spans."""
    total = end = 0
    for begin, until in sorted(spans):
        total += max(0, until - max(begin, end))
        end = max(end, until)
    return total


_BOOK: dict[type, Callable[[WallTime, Any, int], None]] = {
    TargetReady: WallTime._ready,
    TrialStarted: WallTime._trial_started,
    TrialEnded: WallTime._trial_ended,
    TargetFailed: WallTime._something,
    TrialDiscarded: WallTime._something,
    CellSkipped: WallTime._something,
    RunEnded: WallTime._something,
}
