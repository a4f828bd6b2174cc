"""What the report page says about the quality of answers and about resources: rows for the template."""

from __future__ import annotations

from dataclasses import dataclass

from llmtester.analysis.summary import CategoryResult, Estimate, Fidelity, QualitySummary, StressResult, Tasks
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, human_duration, printable
from llmtester.views.numbers import DASH, finite, number
from llmtester.views.outline import Outline
from llmtester.views.tables import Figure, figure


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One model file beside its reference. ``kinds`` are in the order of ``Quality.kinds``; an empty text where a kind
    was not asked. ``reference_answer`` and ``answer`` are one question that it lost; untrusted, as are all labels."""

    target: int
    label: str
    standing: str
    rating: str
    words: str
    right: Figure
    agreement: Figure
    divergence: Figure
    flips: str
    kinds: tuple[tuple[str, bool], ...]
    sentence: str
    warnings: tuple[str, ...]
    details: tuple[str, ...]
    question: str
    reference_label: str
    reference_answer: str
    answer: str
    outcome: str


EXPLAINED_LIMIT = 100
"""Files whose sentences and differing answer are on the page; of more, the JSON file has them."""


@dataclass(frozen=True, slots=True)
class Quality:
    """``explained`` are the first of ``rows``, with all that is said about them."""

    kinds: tuple[str, ...]
    rows: tuple[QualityRow, ...]

    @property
    def explained(self) -> tuple[QualityRow, ...]:
        return self.rows[:EXPLAINED_LIMIT]


def quality(outline: Outline) -> Quality | None:
    """The quality section in the order of ``ranked_contenders``; ``None`` if no answers were judged."""
    told = sorted(outline.summary.quality, key=lambda one: outline.numbers.get(one.target, len(outline.numbers)))
    if not told:
        return None
    kinds = tuple(
        dict.fromkeys(part.name for one in told if isinstance(one.tasks, Tasks) for part in one.tasks.categories)
    )
    return Quality(tuple(printable(kind, 40) for kind in kinds), tuple(_row(outline, one, kinds) for one in told))


def _row(outline: Outline, one: QualitySummary, kinds: tuple[str, ...]) -> QualityRow:
    tasks = one.tasks if isinstance(one.tasks, Tasks) else None
    fidelity = one.fidelity if isinstance(one.fidelity, Fidelity) and one.reference else None
    reason = one.fidelity.reason if isinstance(one.fidelity, Absent) else "it is the reference"
    parts: dict[str, CategoryResult] = {part.name: part for part in tasks.categories} if tasks else {}
    contender = outline.contender_of.get(one.target)
    right = contender.right_ratio if contender else Absent("not in this run")
    example = one.example
    return QualityRow(
        target=outline.numbers.get(one.target, -1),
        label=printable(one.label, 100),
        standing=outline.standing(one.target),
        rating=one.rating.value,
        words=one.words,
        right=_percent(right),
        agreement=_percent(fidelity.agreement_ratio if fidelity else Absent(reason)),
        divergence=figure(fidelity.kl_nats if fidelity else Absent(reason)),
        flips=f"{tasks.worse_count} worse, {tasks.better_count} better" if tasks and one.reference else DASH,
        kinds=tuple(_kind(parts.get(kind)) for kind in kinds),
        sentence=one.sentence,
        warnings=one.warnings,
        details=one.details,
        question=printable(example.request_id, 80) if example else "",
        reference_label=printable(one.reference_label, 100),
        reference_answer=example.reference_text if example else "",
        answer=example.text if example else "",
        outcome=example.outcome if example else "",
    )


def _percent(value: Estimate | Absent) -> Figure:
    """A share as a percentage for people; the exact value stays the share of the JSON file."""
    shown = figure(value)
    if isinstance(value, Absent):
        return shown
    spread = "" if value.low is None or value.high is None else f"{value.low:.0%}{DASH}{value.high:.0%}"
    return Figure(f"{value.value:.1%}", spread, shown.exact, 0, "")


def _kind(part: CategoryResult | None) -> tuple[str, bool]:
    return (f"{part.correct_count}/{part.asked_count}", part.degraded) if part else ("", False)


@dataclass(frozen=True, slots=True)
class FrontRow:
    """One file on the three axes; ``note`` says what beats it or what it ties with."""

    target: int
    label: str
    standing: str
    right: Figure
    speed: Figure
    memory: Figure
    on_front: bool
    note: str


def front_rows(outline: Outline) -> tuple[FrontRow, ...]:
    """The front first, then what is beaten; the fastest first."""
    rows = []
    for point in sorted(
        outline.summary.front,
        key=lambda point: (not point.on_front, -(speed.value if (speed := finite(point.speed_tok_per_s)) else 0.0)),
    ):
        ties = ", ".join(printable(outline.labels.get(key, key), 60) for key in point.ties[:3])
        beaten = printable(outline.labels.get(point.beaten_by or "", point.beaten_by or ""), 60)
        rows.append(
            FrontRow(
                target=outline.numbers.get(point.target, -1),
                label=printable(outline.labels.get(point.target, point.target), 80),
                standing=outline.standing(point.target),
                right=_percent(point.quality_ratio),
                speed=figure(point.speed_tok_per_s),
                memory=figure(point.memory_bytes, "bytes"),
                on_front=point.on_front,
                note=f"beaten by {beaten}" if point.beaten_by else f"cannot be told from {ties}" if ties else "",
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """What one server took: expected before its start and seen, how far apart, and how long it took to load."""

    label: str
    expected: Figure
    peak: Figure
    error: str
    left: str
    load: Figure


def resource_rows(outline: Outline) -> tuple[ResourceRow, ...]:
    """One row a server that started."""
    limit = outline.summary.machine.memory_limit_bytes or outline.summary.machine.memory_bytes
    rows = []
    for target in outline.ranked_targets():
        peak, expected = finite(target.memory_peak_bytes), finite(target.memory_expected_bytes)
        if target.starts_count:
            rows.append(
                ResourceRow(
                    label=printable(outline.server_label(target), 100),
                    expected=figure(target.memory_expected_bytes, "bytes"),
                    peak=figure(target.memory_peak_bytes, "bytes"),
                    error=f"{expected.value / peak.value - 1:+.0%}" if peak and expected and peak.value else DASH,
                    left=human_bytes(max(0.0, limit - peak.value)) if peak else DASH,
                    load=figure(target.load_s),
                )
            )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class StressRow:
    label: str
    sentence: str
    facts: tuple[tuple[str, str], ...]


def stress_rows(outline: Outline) -> tuple[StressRow, ...]:
    """What continuous work did, one row a run of it."""
    return tuple(
        StressRow(
            printable(outline.labels.get(one.target, one.target), 100),
            one.sentence,
            tuple(_stress_facts(one)),
        )
        for one in outline.summary.stress
    )


def _stress_facts(one: StressResult) -> list[tuple[str, str]]:
    def shown(value: Estimate | Absent, unit: str, scale: float = 1.0) -> str:
        if isinstance(value, Absent):
            return f"not known: {value.reason}"
        spread = (
            ""
            if value.low is None or value.high is None
            else f" ({number(value.low * scale)} to {number(value.high * scale)})"
        )
        return f"{number(value.value * scale)} {unit}{spread}".replace(" %", "%")

    return [
        ("Lasted", human_duration(one.duration_s) + (f", ended early: {one.ended}" if one.ended else "")),
        ("First minute", shown(one.first_minute_tok_per_s, "tok/s")),
        ("Sustained", shown(one.sustained_tok_per_s, "tok/s")),
        ("Sustained over first minute", shown(one.sustained_ratio, "%", 100)),
        ("Change of the speed over the work", shown(one.drift_ratio, "%", 100)),
        ("Steady from", shown(one.steady_from_s, "s")),
        ("Throttling", f"{one.throttling}: {one.throttling_because}"),
        ("Growth of memory an hour", shown(one.growth_bytes_per_hour, "MB", 1e-6)),
        ("Energy a token", shown(one.energy_j_per_tok, "J")),
    ]
