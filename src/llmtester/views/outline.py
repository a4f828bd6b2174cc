"""What every view says about a summary, in the same words and the same order: labels, choices, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property

from llmtester.analysis.contenders import Contender, contenders
from llmtester.analysis.ratings import worst
from llmtester.analysis.summary import (
    Advice,
    CellStatus,
    CellSummary,
    Estimate,
    Finding,
    MetricInfo,
    Rating,
    Summary,
    TargetSummary,
)
from llmtester.domain.work import ServerSettings

HEADLINE_METRICS = ("decode_tok_per_s", "ttft_ms", "prefill_tok_per_s", "itl_p95_ms", "e2e_ms")
"""Shown first wherever there is no room for all, in this order; what a reader feels comes before what explains it."""

RATING_RANK: Mapping[Rating, int] = {
    Rating.EXCELLENT: 5,
    Rating.GOOD: 4,
    Rating.ACCEPTABLE: 3,
    Rating.POOR: 2,
    Rating.FAILED: 1,
    Rating.NOT_RATED: 0,
}

STATUS_WORDS: Mapping[CellStatus, str] = {
    "done": "measured",
    "partial": "partly measured",
    "pending": "not measured yet",
    "skipped": "skipped",
    "failed": "failed",
}

OUTCOME_WORDS: Mapping[str, str] = {
    "finished": "The run finished.",
    "interrupted": "The run was interrupted; this report shows what was measured until then.",
    "unfinished": "The run has not finished; this report shows what was measured so far.",
}

SEVERITY_RANK = {"severe": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Question:
    """One way of asking: a profile under one load. ``prompt_tok`` and ``output_tok`` are the planned lengths."""

    profile: str
    load: str
    prompt_tok: int
    output_tok: int

    @property
    def label(self) -> str:
        return f"{self.profile} · {self.load}" if self.load else self.profile

    @property
    def explained(self) -> str:
        return f"{self.label} ({self.prompt_tok} tokens in, {self.output_tok} out)"


class Outline:
    """Look-ups over one summary that several views need. Labels and texts stay untrusted."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.targets: dict[str, TargetSummary] = {target.key: target for target in summary.targets}
        self.cells: dict[str, CellSummary] = {cell.key: cell for cell in summary.cells}
        self.metrics: dict[str, MetricInfo] = {info.name: info for info in summary.metrics}
        self.cells_of: dict[str, list[CellSummary]] = {target.key: [] for target in summary.targets}
        for cell in summary.cells:
            self.cells_of.setdefault(cell.target, []).append(cell)
        self.contenders = contenders(summary.targets, summary.cells, summary.quality)
        self.contender_of: dict[str, Contender] = {target.key: one for one in self.contenders for target in one.targets}
        self.labels = _labels(self.contenders)

    @property
    def main(self) -> Advice | None:
        """The advice that answers the run's main question."""
        return self.summary.advice[0] if self.summary.advice else None

    @property
    def verdict(self) -> str:
        """The answer in one sentence, also where there is none."""
        if self.main:
            return self.main.verdict
        if any(cell.status == "done" for cell in self.summary.cells):
            return "No recommendation follows from what was measured."
        return "Nothing was measured, so there is no recommendation."

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """Every distinct profile and load, the one that limits the main advice first."""
        found = dict.fromkeys(question_of(cell) for cell in self.summary.cells)
        if self.main:
            found = dict.fromkeys([*(question_of(cell) for cell in self.basis(self.main)), *found])
        return tuple(found)

    @cached_property
    def shown_metrics(self) -> tuple[MetricInfo, ...]:
        """All metrics that at least one cell has a value for, those of the headline first."""
        present = {
            name for cell in self.summary.cells for name, value in cell.metrics.items() if isinstance(value, Estimate)
        }
        order = [name for name in HEADLINE_METRICS if name in self.metrics]
        order += [info.name for info in self.summary.metrics if info.name not in HEADLINE_METRICS]
        return tuple(self.metrics[name] for name in order if name in present)

    def estimate(self, cell: CellSummary, metric: str) -> Estimate | None:
        value = cell.metrics.get(metric)
        return value if isinstance(value, Estimate) else None

    def basis(self, advice: Advice) -> list[CellSummary]:
        """The cells that an advice rests on, the worst rated first, because that one limits the use."""
        known = [self.cells[key] for key in advice.cells if key in self.cells]
        return sorted(known, key=lambda cell: RATING_RANK[cell.rating] or len(RATING_RANK))

    def standing(self, target: str, advice: Advice | None = None) -> str:
        """``winner``, ``tie`` or an empty string: what ``advice`` (else the main one) says about a target."""
        chosen = advice or self.main
        one = self.contender_of.get(target)
        if chosen is None or one is None:
            return ""
        if self.contender_of.get(chosen.winner or "") is one:
            return "winner"
        return "tie" if any(self.contender_of.get(tie) is one for tie in chosen.ties) else ""

    def ranked_cells(self) -> list[CellSummary]:
        """Cells as tables list them: by question, measured before unmeasured, winner and fastest first."""
        order = {question: index for index, question in enumerate(self.questions)}
        return sorted(self.summary.cells, key=lambda cell: (order[question_of(cell)], *self._merit(cell)))

    def rating_of(self, one: Contender) -> Rating:
        """The word of a model file for the run's main question, else the worst that it got anywhere."""
        main = self.questions[0].profile if self.questions else ""
        found = one.rating(main)
        return found if found is not Rating.NOT_RATED else worst([target.rating for target in one.targets])

    @cached_property
    def ranked_contenders(self) -> tuple[Contender, ...]:
        """Model files as lists show them: the winner, what ties with it, then by rating and speed."""

        def merit(one: Contender) -> tuple[object, ...]:
            place = {"winner": 0, "tie": 1}.get(self.standing(one.key), 2)
            first = next(iter(one.cells), None)
            speed = self.estimate(first, HEADLINE_METRICS[0]) if first else None
            rank = RATING_RANK[self.rating_of(one)]
            return (place, -rank, -(speed.value if speed else 0.0), self.labels[one.key])

        return tuple(sorted(self.contenders, key=merit))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The place of each target's model file in ``ranked_contenders``: what the page calls it in its links."""
        return {target.key: place for place, one in enumerate(self.ranked_contenders) for target in one.targets}

    def ranked_targets(self) -> list[TargetSummary]:
        """Servers in the order of ``ranked_contenders``."""
        return [target for one in self.ranked_contenders for target in one.targets]

    def server_label(self, target: TargetSummary) -> str:
        """The label of a target, with its context where the same file has several servers; untrusted text."""
        label, own = self.labels[target.key], self.contender_of[target.key].targets
        if len(own) == 1:
            return label
        slots = f" x {target.settings.slots}" if target.settings.slots > 1 else ""
        return f"{label} · {target.settings.context_tok:,}{slots} tok"

    def _merit(self, cell: CellSummary) -> tuple[object, ...]:
        place = {"winner": 0, "tie": 1}.get(self.standing(cell.target), 2)
        speed = self.estimate(cell, HEADLINE_METRICS[0])
        measured = cell.status in ("done", "partial")
        return (not measured, place, -(speed.value if speed else 0.0), self.labels.get(cell.target, cell.target))


def question_of(cell: CellSummary) -> Question:
    return Question(cell.profile, cell.load.name, cell.load.prompt_tok, cell.load.output_tok)


def _labels(every: Sequence[Contender]) -> dict[str, str]:
    """A label per target: ``name quantization``, and where that is not unique among files what sets it apart."""
    counts = Counter(one.label for one in every)
    engines = {target.engine for one in every for target in one.targets}
    labels = {}
    for one in every:
        label = one.label
        if counts[label] > 1:
            label += f" ({', '.join(_apart(one.targets[0], len(engines) > 1))})"
        labels.update({target.key: label for target in one.targets})
    return labels


def _apart(target: TargetSummary, engine: bool) -> list[str]:
    usual = ServerSettings()
    words = [target.engine] if engine else []
    words += [
        f"{field.name} {getattr(target.settings, field.name)}"
        for field in fields(ServerSettings)
        if getattr(target.settings, field.name) != getattr(usual, field.name)
    ]
    return words or ["default settings"]


def started(summary: Summary) -> str:
    """The moment of the start in UTC, to the minute."""
    moment = datetime.fromtimestamp(summary.started_unix_ns / 1e9, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def machine_line(summary: Summary) -> str:
    """The machine in one line; untrusted text."""
    machine = summary.machine
    parts = [machine.cpu_model, f"{machine.logical_cores} cores", f"{machine.memory_bytes / 1e9:.0f} GB memory"]
    parts += list(machine.gpus)
    return " · ".join(part for part in parts if part)


def coverage(summary: Summary) -> str:
    """How much of the plan was measured, in one sentence: ``48 of 60 cells were measured; 7 skipped, 5 failed.``"""
    counts = Counter(cell.status for cell in summary.cells)
    total = len(summary.cells)
    cells = "cell was" if total == 1 else "cells were"
    rest = [
        f"{counts[status]} {STATUS_WORDS[status]}"
        for status in ("partial", "skipped", "failed", "pending")
        if counts[status]
    ]
    head = f"{counts['done']} of {total} {cells} measured"
    return f"{head}; {', '.join(rest)}." if rest else f"{head}."


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """All findings of one code: the worst severity, and where it was seen."""

    code: str
    severity: str
    remedy: str
    findings: tuple[Finding, ...]


def finding_groups(summary: Summary) -> tuple[FindingGroup, ...]:
    """Findings of the run and its cells, one group a code, the most severe first."""
    grouped: dict[str, list[Finding]] = {}
    own = [finding for cell in summary.cells for finding in cell.findings]
    for finding in dict.fromkeys([*summary.findings, *own]):
        grouped.setdefault(finding.code, []).append(finding)
    groups = [
        FindingGroup(
            code,
            min((finding.severity for finding in members), key=SEVERITY_RANK.__getitem__),
            members[0].remedy,
            tuple(members),
        )
        for code, members in grouped.items()
    ]
    return tuple(sorted(groups, key=lambda group: SEVERITY_RANK[group.severity]))


def unmeasured(summary: Summary) -> dict[tuple[CellStatus, str], list[CellSummary]]:
    """Cells that are not done, by status and reason."""
    groups: dict[tuple[CellStatus, str], list[CellSummary]] = {}
    for cell in summary.cells:
        if cell.status != "done":
            groups.setdefault((cell.status, cell.reason), []).append(cell)
    order: list[CellStatus] = ["failed", "partial", "skipped", "pending"]
    return dict(sorted(groups.items(), key=lambda item: (order.index(item[0][0]), -len(item[1]))))
