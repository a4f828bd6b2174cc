"""The summary for pasting into an issue or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llmtester.analysis.summary import Summary
from llmtester.domain.text import human_bytes, human_duration, printable
from llmtester.views.numbers import DASH, finite, interval, measured
from llmtester.views.outline import (
    HEADLINE_METRICS,
    OUTCOME_WORDS,
    Outline,
    coverage,
    finding_groups,
    machine_line,
    question_of,
    started,
    unmeasured,
)

ROWS_LIMIT = 100
"""A chat message or an issue comment holds about 64 kB; more rows than this belong in the CSV."""

_MARKS = re.compile(
    r"""
    [\\`*\[\]<>|~&$]                   # emphasis, code, links, HTML, entities, tables, strikes, formulas
    | (?<![^\W_])_ | _(?![^\W_])         # an underscore that is not inside a word
    | ^[-+=#>] | (?<=^\d)[.)] | (?<=^\d\d)[.)]   # what starts a list, a heading or a quotation
    | (?<=\bwww)\. | :(?=//)             # what a host would turn into a link
    """,
    re.VERBOSE,
)


def text(value: str, limit_characters: int = 500) -> str:
    """``value`` as literal Markdown text on one line, hidden characters made visible and every active mark escaped.

    A zero-width space after ``@`` keeps a host from notifying somebody whose name a model file contains.
    """
    escaped = _MARKS.sub(lambda found: "\\" + found.group(), printable(value, limit_characters).strip())
    return escaped.replace("@", "@\u200b")


def code(value: str, limit_characters: int = 120) -> str:
    """``value`` as a code span that fits into a table cell and that no run of backticks inside can close."""
    safe = printable(value, limit_characters).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", safe)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if not safe or safe[0] in "` " or safe[-1] in "` " else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


class MarkdownExporter:
    """``summary.md``: verdict, advice, one row a cell, findings and what is missing."""

    suffix = "summary.md"

    def render(self, summary: Summary) -> bytes:
        outline = Outline(summary)
        lines = [
            *_verdict(outline),
            *_advice(outline),
            *_results(outline),
            *_findings(summary),
            *_missing(outline),
            *_conditions(summary),
        ]
        return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _verdict(outline: Outline) -> Iterator[str]:
    yield f"# {text(outline.verdict)}"
    yield ""
    main = outline.main
    if main:
        yield f"**How sure:** {text(main.certainty)}."
        yield ""
        yield from _items(main.why)
        for title, said in (("Mind this", main.cautions), ("What would change this answer", main.changes)):
            if said:
                yield f"**{title}:**"
                yield ""
                yield from _items(said)
        if main.command:
            yield f"**Start it:** {code(main.command, 1000)}"
            yield ""
    yield f"{OUTCOME_WORDS[outline.summary.outcome]} {coverage(outline.summary)}"
    yield ""


def _items(said: Sequence[str]) -> Iterator[str]:
    yield from (f"- {text(one)}" for one in said)
    yield ""


def _advice(outline: Outline) -> Iterator[str]:
    others = outline.summary.advice[1:]
    if not others:
        return
    yield "## For other uses"
    yield ""
    for advice in others:
        how = f" {code(advice.next_command)}" if advice.next_command else ""
        sure = "" if advice.basis == "not measured" else f" ({text(advice.certainty)})"
        yield f"- **{text(advice.use)}:** {text(advice.verdict)}{sure}{how}"
        for caution in advice.cautions[:2]:
            yield f"  - {text(caution)}"
    yield ""


def _results(outline: Outline) -> Iterator[str]:
    cells = [cell for cell in outline.ranked_cells() if cell.status in ("done", "partial")]
    if not cells:
        return
    metrics = [outline.metrics[name] for name in HEADLINE_METRICS if outline.metrics.get(name) in outline.shown_metrics]
    yield "## Results"
    yield ""
    titles = [
        "Model",
        "Profile",
        "Rating",
        *(f"{info.title} ({info.unit})" for info in metrics),
        "Peak memory",
        "Trials",
    ]
    yield "| " + " | ".join(text(title) for title in titles) + " |"
    yield "|" + "---|" * 3 + "---:|" * (len(titles) - 3)
    for cell in cells[:ROWS_LIMIT]:
        row = [code(outline.labels.get(cell.target, cell.target)), text(question_of(cell).label), cell.rating.value]
        for info in metrics:
            value = cell.metrics.get(info.name)
            estimate = finite(value) if value is not None else None
            spread = f" ({interval(estimate)})" if estimate and interval(estimate) else ""
            row.append(f"{measured(estimate)}{spread}" if estimate else DASH)
        target = outline.targets.get(cell.target)
        peak = finite(target.memory_peak_bytes) if target else None
        row += [human_bytes(peak.value) if peak else DASH, str(cell.trials_count)]
        yield "| " + " | ".join(row) + " |"
    if len(cells) > ROWS_LIMIT:
        yield ""
        yield f"{len(cells) - ROWS_LIMIT} more rows are in the CSV file."
    yield ""
    yield "In brackets: 95 % interval. What differs by less than its interval is a tie."
    yield ""


def _findings(summary: Summary) -> Iterator[str]:
    groups = finding_groups(summary)
    if not groups:
        return
    yield "## Doubts"
    yield ""
    for group in groups:
        more = f" ({len(group.findings) - 1} more like this)" if len(group.findings) > 1 else ""
        yield f"- **{group.severity}:** {text(group.findings[0].evidence)}{more} *{text(group.remedy)}*"
    yield ""


def _missing(outline: Outline) -> Iterator[str]:
    groups = unmeasured(outline.summary)
    if not groups:
        return
    yield "## Not measured"
    yield ""
    for (status, reason), cells in groups.items():
        labels = list(dict.fromkeys(outline.labels.get(cell.target, cell.target) for cell in cells))
        names = ", ".join(code(label) for label in labels[:5])
        more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
        yield f"- **{status}:** {text(reason) or 'no reason was recorded'}: {names}{more}"
    yield ""


def _conditions(summary: Summary) -> Iterator[str]:
    yield (
        f"{text(machine_line(summary))}. {started(summary)}, {human_duration(summary.duration_s)}, "
        f"llmtester {text(summary.version)}, plan {code(summary.plan_digest)}, run {code(summary.run_id)}."
    )
