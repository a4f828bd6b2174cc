"""Doubts about validity, each with its evidence, its remedy and the numbers that it touches.

``CHECKS`` is the table: a check looks at one cell and says what it saw, or nothing. A severe finding that touches a
deciding metric takes the rating away from the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.analysis import doubts_about_answers as answers
from llmtester.analysis import doubts_about_machine as machine
from llmtester.analysis.evidence import TIMES, Evidence
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.summary import Finding

__all__ = ["CHECKS", "Check", "Evidence", "find"]

Severity: TypeAlias = Literal["note", "warning", "severe"]
SEVERITIES: tuple[Severity, ...] = ("severe", "warning", "note")

WAITING = ("ttft_ms", "ttft_cold_ms", "prefill_tok_per_s", "overhead_ms", "e2e_ms")
WRITING = ("decode_tok_per_s", "server_decode_tok_per_s", "itl_p50_ms", "itl_p95_ms", "itl_max_ms", "e2e_ms")

MEMORY = tuple(name for name, metric in METRICS.items() if metric.info.unit in {"B", "B/h"})


@dataclass(frozen=True, slots=True)
class Check:
    """One row. ``look`` returns the evidence in words, or ``None``; ``touches`` names metrics, none for all of them."""

    code: str
    severity: Severity
    look: Callable[[Evidence], str | None]
    remedy: str
    touches: tuple[str, ...] = ()


CHECKS: tuple[Check, ...] = (
    Check(
        "cached_prompt", "warning", answers.cached_prompt, "use an engine that can switch its prompt cache off", WAITING
    ),
    Check(
        "hidden_cache",
        "severe",
        answers.hidden_cache,
        "use an engine that can switch its cache off, and no proxy in between that remembers answers",
        WAITING,
    ),
    Check(
        "early_end",
        "note",
        answers.early_end,
        "speeds are rates and stay valid; compare whole answers with care",
        ("e2e_ms", "completion_tok"),
    ),
    Check("failed_requests", "warning", answers.failed_requests, "read the server's log in the run folder"),
    Check("too_few_trials", "note", answers.too_few_trials, "quiet the machine, or allow more trials", TIMES),
    Check(
        "cold_first_trial",
        "note",
        answers.cold_first_trial,
        "allow more warm-up trials; the first trial is part of the numbers",
        TIMES,
    ),
    Check(
        "slowing_down",
        "warning",
        answers.slowing_down,
        "let the machine cool and run again; if it slows down again, the stress profile shows where it ends",
        TIMES,
    ),
    Check(
        "starved_load",
        "warning",
        answers.starved_load,
        "close other programs and run again; if it stays, the measuring process is too slow for this load",
        TIMES,
    ),
    Check(
        "stalls", "warning", answers.stalls, "look for programs that wake up now and then, and for swapping", WRITING
    ),
    Check(
        "degenerate_output",
        "note",
        answers.degenerate_output,
        "times stay valid; judge the answers with the quality profile before you use this file",
        ("completion_tok",),
    ),
    Check("no_template", "warning", answers.no_template, "use an instruction-tuned file of this model", WAITING),
    Check("estimated_tokens", "warning", answers.estimated_tokens, "use an engine that reports usage", WRITING),
    Check("busy_machine", "warning", machine.busy_machine, "close other programs and run again", TIMES),
    Check(
        "client_lag",
        "note",
        machine.client_lag,
        "close other programs; time stamps may be off by that much",
        TIMES,
    ),
    Check("swapping", "severe", machine.swapping, "choose a smaller quantization or a shorter context"),
    Check(
        "throttling",
        "warning",
        machine.throttling,
        "improve the cooling, or take these speeds for what the machine sustains",
        TIMES,
    ),
    Check(
        "memory_growth",
        "warning",
        machine.memory_growth,
        "restart the server between long jobs, and tell the makers of the engine",
        MEMORY,
    ),
    Check(
        "lost_server",
        "warning",
        machine.lost_server,
        "mend what the message says, then measure it anew; until then this model may not start for you either",
    ),
    Check("battery", "warning", machine.battery, "plug the machine in and run again", TIMES),
    Check(
        "container_limits",
        "note",
        machine.container_limits,
        "numbers are those of this container; without its limits the machine can do more",
        TIMES,
    ),
)


def find(evidence: Evidence) -> tuple[Finding, ...]:
    """Every doubt about one measured cell, most severe first."""
    key = evidence.cell.cell.key
    found = [
        Finding(check.code, check.severity, _sentence(seen), _sentence(check.remedy), key, check.touches)
        for check in CHECKS
        if (seen := check.look(evidence)) is not None
    ]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
