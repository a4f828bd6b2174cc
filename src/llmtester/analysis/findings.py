"""Doubts about validity, each with its evidence and its remedy.

``CHECKS`` is the table: a check looks at one cell and says what it saw, or nothing. A severe finding takes the rating
away from the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llmtester.analysis.formulas import is_cached
from llmtester.analysis.state import CellState, TargetState
from llmtester.analysis.stats import median
from llmtester.analysis.summary import Estimate, Finding, Measured
from llmtester.domain.records import Sample
from llmtester.domain.text import counted

BUSY_CPU_RATIO = 0.10
"""Other programs above this share of all cores, typically, and a CPU engine is no longer alone."""

LOOP_LAG_NS = 20_000_000
"""The event loop was once this late; a decode step takes 5 to 30 ms, so a stamp may be off by one."""

SWAP_GROWTH_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a check looks at. ``samples`` are those of the measured trials, ``swap_growth_bytes`` over the target."""

    cell: CellState
    target: TargetState
    headline: tuple[Measured, ...]

    @property
    def samples(self) -> list[Sample]:
        return [sample for trial in self.cell.trials for sample in trial.samples]


def _cached_prompt(evidence: Evidence) -> str | None:
    hit = [sample for sample in evidence.samples if is_cached(sample) and not sample.cache_allowed]
    if not hit:
        return None
    return f"{len(hit)} of {len(evidence.samples)} prompts were partly served from a cache and were left out"


def _early_end(evidence: Evidence) -> str | None:
    short = [sample for sample in evidence.samples if sample.ok and sample.timed and sample.finish == "stop"]
    facts = evidence.target.facts
    if not short or facts is None or not facts.capabilities.fixed_length:
        return None
    return f"{len(short)} of {len(evidence.samples)} answers ended before the length that was asked for"


def _failed_requests(evidence: Evidence) -> str | None:
    failed = [sample for sample in evidence.samples if not sample.ok]
    if not failed:
        return None
    return f"{len(failed)} of {len(evidence.samples)} requests failed, first: {failed[0].failure_detail}"


def _too_few_trials(evidence: Evidence) -> str | None:
    wanted = evidence.cell.cell.load.precision_ratio
    for measured in evidence.headline:
        if not isinstance(measured, Estimate) or measured.value == 0:
            continue
        if measured.low is None or measured.high is None:
            return f"{counted(measured.trials_count, 'trial')} cannot give an interval"
        reached = (measured.high - measured.low) / 2 / measured.value
        if reached > wanted:
            return f"after {measured.trials_count} trials the interval is ± {reached:.1%}, wider than ± {wanted:.0%}"
    return None


def _busy_machine(evidence: Evidence) -> str | None:
    shares = [reading.other_cpu_ratio for reading in evidence.target.readings if reading.other_cpu_ratio is not None]
    typical = median(shares) if shares else 0.0
    return f"other programs used {typical:.0%} of the processor" if typical > BUSY_CPU_RATIO else None


def _client_lag(evidence: Evidence) -> str | None:
    lags = [reading.loop_lag_ns for reading in evidence.target.readings if reading.loop_lag_ns is not None]
    worst_ns = max(lags, default=0)
    return f"the measuring process itself was up to {worst_ns / 1e6:.0f} ms late" if worst_ns > LOOP_LAG_NS else None


def _swapping(evidence: Evidence) -> str | None:
    used = [reading.swap_used_bytes for reading in evidence.target.readings]
    growth = max(used) - used[0] if used else 0
    return f"swap grew by {growth / 1e6:.0f} MB while it ran" if growth > SWAP_GROWTH_BYTES else None


def _no_template(evidence: Evidence) -> str | None:
    if evidence.cell.cell.target.model.has_chat_template is False:
        return "the file holds no chat template, so the server guesses one"
    return None


def _estimated_tokens(evidence: Evidence) -> str | None:
    if any(sample.ok and sample.token_source == "estimate" for sample in evidence.samples):
        return "the server does not count tokens, so speeds are left out"
    return None


Severity = Literal["note", "warning", "severe"]

CHECKS: tuple[tuple[str, Severity, Callable[[Evidence], str | None], str], ...] = (
    ("cached_prompt", "warning", _cached_prompt, "use an engine that can switch its prompt cache off"),
    ("early_end", "note", _early_end, "speeds are rates and stay valid; compare whole answers with care"),
    ("failed_requests", "warning", _failed_requests, "read the server's log in the run folder"),
    ("too_few_trials", "note", _too_few_trials, "raise profiles.interactive.max_trials, or quiet the machine"),
    ("busy_machine", "warning", _busy_machine, "close other programs and run again"),
    ("client_lag", "note", _client_lag, "close other programs; time stamps may be off by that much"),
    ("swapping", "severe", _swapping, "choose a smaller quantization or a shorter context"),
    ("no_template", "warning", _no_template, "use an instruction-tuned file of this model"),
    ("estimated_tokens", "warning", _estimated_tokens, "use an engine that reports usage"),
)


def find(evidence: Evidence) -> tuple[Finding, ...]:
    """Every doubt about one measured cell, most severe first."""
    key = evidence.cell.cell.key
    found = [
        Finding(code, severity, _sentence(seen), _sentence(remedy), key)
        for code, severity, check, remedy in CHECKS
        if (seen := check(evidence)) is not None
    ]
    return tuple(sorted(found, key=lambda finding: ("severe", "warning", "note").index(finding.severity)))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
