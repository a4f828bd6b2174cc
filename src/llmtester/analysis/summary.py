"""What a state means: the one value that every view and exporter reads.

Numbers that could not be computed are ``Absent`` with the reason. All text that came from outside (model names, paths,
answers, log lines) is untrusted here and is escaped where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from llmtester.domain.records import Absent, Machine, SessionFacts
from llmtester.domain.work import Load, ModelRef, ServerSettings


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of one cell: the value, its 95 % interval where there are enough trials, and how many trials."""

    value: float
    low: float | None
    high: float | None
    trials_count: int


Measured: TypeAlias = Estimate | Absent


class Rating(StrEnum):
    """How good, for the use that the profile stands for. ``NOT_RATED`` when the evidence does not allow a word."""

    EXCELLENT = "excellent"
    GOOD = "good"
    ACCEPTABLE = "acceptable"
    POOR = "poor"
    FAILED = "failed"
    NOT_RATED = "not rated"


@dataclass(frozen=True, slots=True)
class Finding:
    """A doubt about validity: what was seen (``evidence``) and what to do (``remedy``)."""

    code: str
    severity: Literal["note", "warning", "severe"]
    evidence: str
    remedy: str
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """How to show a metric: ``better`` says which direction is good, ``formula`` is in words."""

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    formula: str


CellStatus: TypeAlias = Literal["done", "partial", "pending", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One cell. ``reason`` explains every status but ``done``.

    ``per_trial`` holds, for metrics that exist per trial, one value a trial in order, for dots and sparklines.
    ``meaning`` is one sentence for a lay person; ``rating_because`` names the metric that decided the rating.
    """

    key: str
    target: str
    profile: str
    load: Load
    status: CellStatus
    reason: str
    trials_count: int
    samples_ok_count: int
    samples_failed_count: int
    metrics: dict[str, Measured]
    per_trial: dict[str, tuple[float, ...]]
    rating: Rating
    rating_because: str
    meaning: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """One server: the model and settings asked for, the facts of the last start, or why it failed.

    ``memory_peak_bytes``: highest anonymous memory plus resident model file of the process tree over the run.
    ``memory_expected_bytes``: what the planner expected before the start.
    """

    key: str
    engine: str
    model: ModelRef
    settings: ServerSettings
    facts: SessionFacts | None
    starts_count: int
    load_s: Measured
    memory_peak_bytes: Measured
    failure: str
    failure_fix: str
    log_tail: tuple[str, ...]
    rating: Rating
    memory_expected_bytes: Measured = Absent("no estimate was made")


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation for one use. ``winner`` and ``ties`` are target keys; ``cells`` are what it rests on.

    ``certainty`` is one of the words of ``analysis.advice``; ``why`` are complete sentences, most important first.
    """

    use: str
    verdict: str
    winner: str | None
    ties: tuple[str, ...]
    certainty: str
    why: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that a report says about one run."""

    run_id: str
    outcome: Literal["finished", "interrupted", "unfinished"]
    started_unix_ns: int
    duration_s: float
    version: str
    plan_digest: str
    machine: Machine
    settings: dict[str, Any]
    notes: tuple[str, ...]
    targets: tuple[TargetSummary, ...]
    cells: tuple[CellSummary, ...]
    findings: tuple[Finding, ...]
    advice: tuple[Advice, ...]
    metrics: tuple[MetricInfo, ...]
    resumed_count: int
