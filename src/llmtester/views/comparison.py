"""Two runs side by side as lines of text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from llmtester.analysis.compare import CellChange, Change, Comparison
from llmtester.domain.records import Absent
from llmtester.domain.text import counted, printable
from llmtester.views.numbers import number

WIDTH = 80
TITLE_COLUMNS = 26
METHOD = (
    "better, worse: Student's t on the logarithms of the trials, beside what two",
    "starts of a server differ in; of all changes called real 5 % may be false, and",
    "each is more than 3 %.",
)


def comparison_lines(found: Comparison) -> Iterator[str]:
    """The comparison as lines; figures fit 80 columns, names are untrusted and made safe."""
    yield f"before  {printable(found.before_run)}"
    yield f"after   {printable(found.after_run)}"
    for text in found.differences:
        yield from _wrapped(f"differs: {text}")
    for cell in found.cells:
        yield from _cell_lines(cell)
    for run, keys in (("before", found.only_before), ("after", found.only_after)):
        if keys:
            yield ""
            yield f"Only in the run {run}, {counted(len(keys), 'cell')}:"
            for key in keys:
                yield from _wrapped(key)
    yield ""
    yield from METHOD


def _cell_lines(cell: CellChange) -> Iterator[str]:
    yield ""
    yield from _wrapped(f"{cell.model} {cell.quantization}, {cell.profile}/{cell.load}", indent="")
    for text in cell.differences:
        yield from _wrapped(f"differs: {text}")
    if not cell.changes:
        yield "  no speed to compare; the report of each run says what this profile found"
        return
    yield f"  {'':{TITLE_COLUMNS}} {'before':>8} {'after':>8} {'change':>8}  result"
    for change in cell.changes:
        yield _row(change)


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    """Untrusted ``text`` made safe, whole, over as many lines as it needs."""
    safe = printable(text, 1000)
    return textwrap.wrap(safe, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)


def _row(change: Change) -> str:
    title = f"{change.metric.title}, {change.metric.unit}" if change.metric.unit else change.metric.title
    shift = "-" if isinstance(change.change_ratio, Absent) else f"{change.change_ratio * 100:+.1f} %"
    values = ["-" if isinstance(value, Absent) else number(value.value) for value in (change.before, change.after)]
    result = "no value" if change.verdict == "absent" else change.verdict
    return f"  {title[:TITLE_COLUMNS]:{TITLE_COLUMNS}} {values[0]:>8} {values[1]:>8} {shift:>8}  {result}"
