"""What a state means: the one value that every view and exporter reads.

Numbers that could not be computed are ``Absent`` with the reason. All text that came from outside (model names, paths,
answers, log lines) is untrusted here and is escaped where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """A doubt about validity: what was seen (``evidence``) and what to do (``remedy``).

    ``metrics`` are those that it touches, beside which it is shown; none means all of them.
    """

    code: str
    severity: Literal["note", "warning", "severe"]
    evidence: str
    remedy: str
    cell: str | None = None
    metrics: tuple[str, ...] = ()

    def touches(self, *names: str) -> bool:
        """Whether it casts doubt on one of these metrics."""
        return not self.metrics or not set(self.metrics).isdisjoint(names)


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
class RaceVerdict:
    """Why a configuration needs no further trial, after ``analysis.racing``.

    ``against`` is the key of the target that it was compared with, ``ratio`` its speed over that one's. ``because``
    holds model names made safe.
    """

    word: Literal["dropped", "settled", "tie", "ready"]
    because: str
    against: str | None = None
    ratio: Estimate | None = None


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One cell. ``reason`` explains every status but ``done``, and that one where it came early.

    ``per_trial`` holds, for metrics that exist per trial, one value a trial in order, for dots and sparklines.
    ``meaning`` is one sentence for a lay person; ``rating_because`` names the metric that decided the rating.
    ``outliers`` names, for metrics that have any, the numbers of the trials that do not belong to the rest.
    ``meanings`` holds a sentence for a lay person for the metrics that have one, ``suits`` says of uses such as voice
    whether these speeds are enough (``analysis.lay_terms``).
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
    race: RaceVerdict | None = None
    outliers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)
    suits: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """One server: the model and settings asked for, the facts of the last start, or why it failed.

    ``memory_peak_bytes``: highest anonymous memory plus resident model file of the process tree over the run.
    ``memory_expected_bytes``: what the planner expected before the start. ``memory_meaning``: what is left for other
    programs, as a sentence; empty where the peak is not known.
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
    memory_meaning: str = ""


Basis: TypeAlias = Literal["measured", "fallback", "not measured"]


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation for one use. ``winner``, ``ties`` and ``runner_up`` are target keys; ``cells`` are what it
    rests on.

    ``certainty`` is one of the words of ``analysis.advice``; ``why`` are complete sentences, most important first.
    ``basis``: whether the profiles that stand for the use were run, others had to stand in, or neither.
    ``rating`` is the winner's for this use. ``metric`` decided, ``floor`` is what counts as good enough, in words.
    ``cautions`` warn, ``changes`` say what would change the answer. ``next_command`` measures what is missing,
    ``command`` starts the winner's server, ``modelfile`` is for Ollama; each is empty where there is none.
    ``runner_up`` is what the same rule would choose without the winner. Labels in the texts are untrusted.
    """

    use: str
    verdict: str
    winner: str | None
    ties: tuple[str, ...]
    certainty: str
    why: tuple[str, ...]
    cells: tuple[str, ...]
    basis: Basis = "measured"
    rating: Rating = Rating.NOT_RATED
    profiles: tuple[str, ...] = ()
    metric: str = ""
    floor: str = ""
    cautions: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    runner_up: str | None = None
    next_command: str = ""
    command: str = ""
    modelfile: str = ""


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """One model file on the three axes that are traded against each other.

    ``quality_ratio``: share of all questions answered right, whatever their kind. ``speed_tok_per_s``: the slowest
    writing speed of the interactive profile. ``on_front``: no other is clearly better in something and worse in
    nothing. ``beaten_by`` is the key of one that is. ``ties`` are keys of others that this run cannot tell from it on
    any axis.
    """

    target: str
    quality_ratio: Measured
    speed_tok_per_s: Measured
    memory_bytes: Measured
    on_front: bool
    beaten_by: str | None = None
    ties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far a candidate's probabilities are from the reference's along the reference's words.

    ``kl_nats``: truncated divergence a token, a lower bound of the full one. ``perplexity_ratio``: of the written
    words, candidate over reference. ``floor_*``: the reference along its own words; ``within_noise``: not clearly more
    than that. Intervals resample whole texts.
    """

    kl_nats: Estimate
    kl_p99_nats: float
    agreement_ratio: Estimate
    perplexity_ratio: Estimate
    positions_count: int
    floor_kl_nats: Measured
    floor_agreement_ratio: Measured
    within_noise: bool
    kl_nats_by_kind: dict[str, float]


@dataclass(frozen=True, slots=True)
class CategoryResult:
    """One kind of question. Not ``informative``: the reference itself is not clearly better than guessing.
    ``degraded``: a large loss that survives the correction for the number of kinds."""

    name: str
    asked_count: int
    correct_count: int
    reference_correct_count: int
    worse_count: int
    better_count: int
    informative: bool
    degraded: bool


@dataclass(frozen=True, slots=True)
class Tasks:
    """Right answers of candidate and reference to the same questions, over the informative kinds.

    ``loss_upper_ratio`` is the one-sided 95 % upper bound of the loss, ``detectable_loss_ratio`` what these questions
    would have found with 80 % power. ``outcomes`` counts how the candidate's answers ended, ``lost_count`` the
    requests that failed.
    """

    asked_count: int
    correct_count: int
    reference_correct_count: int
    worse_count: int
    better_count: int
    accuracy_ratio: Estimate
    reference_accuracy_ratio: Estimate
    loss_ratio: Estimate
    loss_upper_ratio: float
    p_value: float
    p_value_holm: float
    detectable_loss_ratio: float | Absent
    categories: tuple[CategoryResult, ...]
    outcomes: dict[str, int]
    lost_count: int


@dataclass(frozen=True, slots=True)
class Stability:
    """What went wrong in long free answers, and how often it does on the reference."""

    asked_count: int
    looping_count: int
    reference_looping_count: int
    garbage_count: int
    empty_count: int
    reference_empty_count: int
    foreign_count: int
    unended_count: int
    reference_unended_count: int


@dataclass(frozen=True, slots=True)
class DifferingAnswer:
    """A question that the reference answered right and the candidate did not. Both texts are untrusted."""

    request_id: str
    reference_text: str
    text: str
    outcome: str


@dataclass(frozen=True, slots=True)
class QualitySummary:
    """What a quantization costs: three kinds of evidence, of which the worst decides ``rating``.

    ``reference`` is the key of the target that it is compared with, ``None`` for that target itself. ``words`` is the
    rating, or a range where its interval straddles a limit. ``refused``: reasons why it cannot be compared.
    ``sentence`` is for everyone, ``details`` for those who know statistics. Labels are untrusted text.
    """

    target: str
    label: str
    reference: str | None
    reference_label: str
    rating: Rating
    words: str
    fidelity: Fidelity | Absent
    tasks: Tasks | Absent
    stability: Stability | Absent
    refused: tuple[str, ...] = ()
    evidence: dict[str, Rating] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    example: DifferingAnswer | None = None
    sentence: str = ""
    details: tuple[str, ...] = ()


ContextLimit: TypeAlias = Literal["speed", "memory", "retrieval", "model", "failure", "unfinished", "longest"]
"""What ends the usable context: one of the three limits, what the model was trained for, a server that fails, a run
that did not get further, or nothing up to the longest step that was asked for."""


@dataclass(frozen=True, slots=True)
class ContextStep:
    """One depth of the long context profile: what was measured with ``context_tok`` tokens of prompt and answer.

    ``limit`` is ``None`` where everything held, else what failed first; ``because`` says so with numbers.
    """

    cell: str
    context_tok: int
    ttft_ms: Measured
    prefill_tok_per_s: Measured
    decode_tok_per_s: Measured
    accuracy_ratio: Measured
    memory_growth_bytes: Measured
    swap_growth_bytes: Measured
    limit: ContextLimit | None
    because: str


@dataclass(frozen=True, slots=True)
class UsableContext:
    """How much text one target can work with: the deepest step at which the speed meets its floor, memory fits without
    swapping and facts in the text are still found.

    ``context_tok`` is ``Absent`` if not even the shortest step held. ``ended_by`` and ``because`` say what ended it,
    ``sentence`` says it for everyone. ``steps`` are in rising order.
    """

    target: str
    context_tok: Measured
    ended_by: ContextLimit
    because: str
    rating: Rating
    sentence: str
    steps: tuple[ContextStep, ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A value after so many seconds of continuous work."""

    at_s: float
    value: float


Curve: TypeAlias = tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class StressResult:
    """What continuous work did to one target.

    ``sustained_ratio`` is the sustained speed over that of the first minute, ``drift_ratio`` the change of the
    speed over the whole of it, ``growth_bytes_per_hour`` that of the server's own memory; intervals are those of the
    median slope. ``steady_from_s``: from here on the speed has no trend. ``ended`` says why it stopped before its time,
    ``""`` if it did not. ``throttling``: ``seen``, ``not seen`` or ``cannot tell``, with what was observed in
    ``throttling_because``. Curves are empty where this machine cannot measure them.
    """

    cell: str
    target: str
    duration_s: float
    ended: str
    first_minute_tok_per_s: Measured
    sustained_tok_per_s: Measured
    sustained_ratio: Measured
    drift_ratio: Measured
    steady_from_s: Measured
    throttling: Literal["seen", "not seen", "cannot tell"]
    throttling_because: str
    growth_bytes_per_hour: Measured
    energy_j_per_tok: Measured
    sentence: str
    speed_tok_per_s: Curve = ()
    temperature_c: Curve = ()
    frequency_mhz: Curve = ()
    memory_bytes: Curve = ()
    power_w: Curve = ()
    throttle_count: Curve = ()


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One prediction, made just before the target was first measured, and what was measured then.

    ``quantity`` is ``decode_tok_per_s``, ``prefill_tok_per_s`` or ``memory_peak_bytes``. ``predicted`` has its 95 %
    interval and, as ``trials_count``, the number of targets that it was learned from. ``error_ratio`` is predicted over
    measured, minus 1.
    """

    target: str
    quantity: str
    predicted: Estimate
    measured: float
    error_ratio: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that a report says about one run. ``wall_time_s`` is where the time went, by
    ``analysis.wall_time.CAUSES``; ``forecast`` is how good the predictions were."""

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
    quality: tuple[QualitySummary, ...] = ()
    forecast: tuple[ForecastRow, ...] = ()
    wall_time_s: dict[str, float] = field(default_factory=dict)
    stress: tuple[StressResult, ...] = ()
    front: tuple[FrontPoint, ...] = ()
    usable_context: tuple[UsableContext, ...] = ()
