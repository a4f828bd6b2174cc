"""The summary of a run as lines of text that fit a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmtester.analysis.advice import UNKNOWN
from llmtester.analysis.serving import PLAYED_ENGINE
from llmtester.analysis.summary import Advice, CellSummary, MetricInfo, Rating, Summary, TargetSummary
from llmtester.domain.text import human_bytes, human_duration, printable
from llmtester.views.fit import columns, fitted, padded
from llmtester.views.numbers import DASH, finite, interval, number
from llmtester.views.outline import (
    HEADLINE_METRICS,
    OUTCOME_WORDS,
    Outline,
    coverage,
    finding_groups,
    machine_line,
    question_of,
    unmeasured,
)
from llmtester.views.plain_log import PlainState, plain_line

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["PlainState", "plain_line", "print_summary", "summary_lines"]

ROWS_LIMIT = 24
"""Rows of the table: what a terminal shows at once; the report has them all."""

ROOMY = 112
"""Columns from which intervals and a third metric are shown."""

HEAD_WIDTH = 12
"""Columns that the title of a figure may take before it is broken."""

Role = Literal["verdict", "plain", "muted", "good", "middling", "bad", "path"]

STYLES: Mapping[Role, str] = {
    "verdict": "bold",
    "plain": "",
    "muted": "dim",
    "good": "green",
    "middling": "yellow",
    "bad": "red",
    "path": "bold",
}

RATING_ROLES: Mapping[Rating, Role] = {
    Rating.EXCELLENT: "good",
    Rating.GOOD: "good",
    Rating.ACCEPTABLE: "middling",
    Rating.POOR: "bad",
    Rating.FAILED: "bad",
    Rating.NOT_RATED: "muted",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Safe text of one line and what it is, for colour."""

    text: str
    role: Role = "plain"


Line = tuple[Span, ...]


def summary_lines(summary: Summary, width: int = 80, *, ascii_only: bool = False) -> tuple[str, ...]:
    """The summary as lines of at most ``width`` columns without colour; everything untrusted is made safe.

    ``ascii_only`` is for terminals and pipes whose encoding knows no more.
    """
    lines = ("".join(span.text for span in line).rstrip() for line in _lines(summary, width))
    return tuple(_ascii(line) if ascii_only else line for line in lines)


def print_summary(summary: Summary, console: Console, files: Mapping[str, str] | None = None) -> None:
    """Write the summary to a Rich console, then where the files are (``files`` maps a format to its path)."""
    from rich.text import Text

    ascii_only = not (console.encoding or "").lower().startswith("utf")
    for line in _lines(summary, console.width):
        shown = Text()
        for span in line:
            shown.append(_ascii(span.text) if ascii_only else span.text, style=STYLES[span.role])
        shown.rstrip()
        console.print(shown, soft_wrap=True)
    for kind, path in (files or {}).items():
        label = padded(printable(kind), max(len(name) for name in files or {}) + 2)
        location = printable(path, 4096)
        shown = Text.assemble((label, STYLES["muted"]), (_ascii(location) if ascii_only else location, STYLES["path"]))
        console.print(shown, soft_wrap=True)


def _ascii(text: str) -> str:
    for mark, plain in ((DASH, "-"), ("…", "~"), ("·", "-"), ("★", "*"), ("≈", "=")):
        text = text.replace(mark, plain)
    return text.encode("ascii", "replace").decode()


def _lines(summary: Summary, width: int) -> Iterable[Line]:
    outline = Outline(summary)
    yield from _verdict(outline, width)
    yield from _table(outline, width)
    yield from _rest(outline, width)


def _verdict(outline: Outline, width: int) -> Iterable[Line]:
    yield from _wrapped(outline.verdict, width, "verdict")
    main = outline.main
    if main:
        sure = f"How sure: {main.certainty}."
        yield from _wrapped(" ".join([sure, *main.why[:2]]), width, "plain")
        for caution in main.cautions[:CAUTIONS_LIMIT]:
            yield from _wrapped(f"Mind this: {caution}", width, "middling", "  ")
        if main.winner and outline.targets[main.winner].engine != PLAYED_ENGINE:
            yield from _wrapped(f"Start it: llmtester serve --from {outline.summary.run_id}", width, "muted", "  ")
    others = outline.summary.advice[1:]
    if others:
        yield ()
    head = max((len(advice.use) for advice in others), default=0)
    for advice in others:
        label = padded(fitted(printable(advice.use), min(head, USE_WIDTH)), min(head, USE_WIDTH)) + "  "
        told, role = _of_use(outline, advice)
        yield (Span(label, "muted"), Span(fitted(printable(told, 300), max(width - columns(label), 8)), role))


CAUTIONS_LIMIT = 2
USE_WIDTH = 16
"""Columns for the name of a use."""


def _of_use(outline: Outline, advice: Advice) -> tuple[str, Role]:
    """One line about a use: the model and how sure, or the command that would tell."""
    if advice.winner:
        names = " or ".join(outline.labels.get(key, key) for key in (advice.winner, *advice.ties[:1]))
        return f"{names} ({advice.certainty})", "plain"
    if advice.basis == "not measured" and advice.next_command:
        return f"not measured: {advice.next_command}", "muted"
    if advice.certainty == UNKNOWN:
        return advice.verdict, "plain"  # the verdict says already that nothing is known
    return f"{advice.verdict} ({advice.certainty})", "plain"


def _wrapped(text: str, width: int, role: Role, indent: str = "") -> Iterable[Line]:
    for line in textwrap.wrap(printable(text, 1000), max(width, 20), subsequent_indent=indent, break_on_hyphens=False):
        yield (Span(line, role),)


def _table(outline: Outline, width: int) -> Iterable[Line]:
    """One row a target: its rating in the profile, its figures under the load that the main advice rests on."""
    if not outline.questions:
        return
    question = outline.questions[0]
    cells = [cell for cell in outline.ranked_cells() if question_of(cell) == question]
    measured = [cell for cell in cells if cell.status in ("done", "partial")]
    if not measured:
        return
    roomy = width >= ROOMY
    metrics = [outline.metrics[name] for name in HEADLINE_METRICS if outline.metrics.get(name) in outline.shown_metrics]
    metrics = metrics[: 3 if roomy else 2 if width >= 72 else 1]
    rows = [_row(outline, cell, metrics, roomy) for cell in measured[:ROWS_LIMIT]]
    heads = _heads(["", "Model", "Rating", *(f"{info.title}\n{info.unit}" for info in metrics), "Peak memory"])
    widths = [max(columns(row[place].text) for row in [*heads, *rows]) for place in range(len(heads[0]))]
    widths[1] = max(8, min(widths[1], width - sum(widths) + widths[1] - 2 * (len(widths) - 1)))
    yield ()
    yield (Span(fitted(f"Measured with {printable(question.explained, 200)}:", width), "muted"),)
    for row in [*heads, *rows]:
        yield _joined(row, widths)
    if len(measured) > ROWS_LIMIT:
        yield (Span(f"{len(measured) - ROWS_LIMIT} more are in the report.", "muted"),)
    if any(row[0].text.strip() for row in rows):
        yield (Span("★ recommended   ≈ as good, within the noise", "muted"),)


def _heads(titles: Sequence[str]) -> list[list[Span]]:
    """Column titles over as many lines as the longest needs, aligned at the bottom; a unit has its own line."""
    stacks = []
    for title in titles:
        name, _, unit = title.partition("\n")
        stack = [fitted(word, HEAD_WIDTH) for word in textwrap.wrap(printable(name, 40), HEAD_WIDTH)]
        stacks.append([*stack, fitted(printable(unit), HEAD_WIDTH)] if unit else stack)
    height = max(len(stack) for stack in stacks)
    aligned = [[""] * (height - len(stack)) + stack for stack in stacks]
    return [[Span(stack[line], "muted") for stack in aligned] for line in range(height)]


def _joined(row: Sequence[Span], widths: Sequence[int]) -> Line:
    """The spans of one row with two spaces between; the first three are words, the rest figures on the right."""
    parts = []
    for place, (span, width) in enumerate(zip(row, widths, strict=True)):
        gap = "  " if place else ""
        parts.append(Span(gap + padded(fitted(span.text, width), width, right=place > 2), span.role))
    return tuple(parts)


def _row(outline: Outline, cell: CellSummary, metrics: Sequence[MetricInfo], spread: bool) -> list[Span]:
    mark = {"winner": "★", "tie": "≈"}.get(outline.standing(cell.target), "")
    target = outline.targets.get(cell.target)
    contender = outline.contender_of.get(cell.target)
    word = outline.rating_of(contender) if contender else cell.rating
    rating = Span(word.value, RATING_ROLES[word])
    label = printable(outline.labels.get(cell.target, cell.target), 120)
    row = [Span(mark, "good"), Span(label), rating]
    for info in metrics:
        estimate = outline.estimate(cell, info.name)
        text = number(estimate.value) if estimate else DASH
        if estimate and spread and interval(estimate):
            text += f" ({interval(estimate)})"
        row.append(Span(text))
    row.append(Span(_memory(target)))
    return row


def _memory(target: TargetSummary | None) -> str:
    peak = finite(target.memory_peak_bytes) if target else None
    return human_bytes(peak.value) if peak else DASH


def _rest(outline: Outline, width: int) -> Iterable[Line]:
    summary = outline.summary
    groups = finding_groups(summary)
    if groups:
        yield ()
    for group in groups[:3]:
        role: Role = "bad" if group.severity == "severe" else "middling" if group.severity == "warning" else "muted"
        seen = group.findings[0]
        yield from _wrapped(f"{group.severity}: {seen.evidence} {group.remedy}", width, role, "  ")
    if len(groups) > 3:
        yield (Span(f"{len(groups) - 3} more kinds of findings are in the report.", "muted"),)
    missing = unmeasured(summary)
    if missing:
        yield ()
    for (status, reason), cells in list(missing.items())[:4]:
        yield from _wrapped(f"{status} ({len(cells)}): {reason or 'no reason was recorded'}", width, "muted", "  ")
    yield ()
    spent = f"{OUTCOME_WORDS[summary.outcome]} {coverage(summary)} It took {human_duration(summary.duration_s)}."
    yield from _wrapped(spent, width, "plain")
    yield from _wrapped(machine_line(summary), width, "muted")
