"""The end of the report page: all that is needed to judge the figures or to measure them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llmtester.analysis.advice_rules import USES
from llmtester.analysis.summary import CellSummary
from llmtester.domain.text import human_bytes, human_duration, printable
from llmtester.views.numbers import number
from llmtester.views.outline import Outline, Question


def settings_rows(outline: Outline) -> list[tuple[str, str, str]]:
    """Name, value and origin of every setting."""
    rows = []
    for name, entry in outline.summary.settings.items():
        known: dict[str, Any] = entry if isinstance(entry, dict) else {"value": entry}
        value = json.dumps(known.get("value"), ensure_ascii=False, default=str)
        rows.append((name, value, str(known.get("origin", "not recorded"))))
    return rows


def machine_rows(outline: Outline) -> list[tuple[str, str]]:
    machine = outline.summary.machine
    return [
        ("System", f"{machine.system} ({machine.architecture})"),
        ("Processor", machine.cpu_model),
        ("Cores", f"{machine.physical_cores} physical, {machine.logical_cores} logical"),
        ("Cores this program may use", number(machine.cpu_limit_cores)),
        ("Memory", human_bytes(machine.memory_bytes)),
        ("Memory this program may use", human_bytes(machine.memory_limit_bytes)),
        ("Swap", human_bytes(machine.swap_bytes)),
        ("Graphics", ", ".join(machine.gpus) or "none found"),
        ("Power", machine.power_source or "not known"),
        ("Frequency governor", machine.governor or "not known"),
        ("Python", machine.python_version),
    ]


def run_rows(outline: Outline) -> list[tuple[str, str]]:
    summary = outline.summary
    engines = sorted({f"{target.engine} {target.facts.build}" for target in summary.targets if target.facts})
    return [
        ("Run", summary.run_id),
        ("Plan", summary.plan_digest),
        ("llmtester", summary.version),
        ("Time spent", human_duration(summary.duration_s)),
        ("Resumed", f"{summary.resumed_count} times" if summary.resumed_count else "never"),
        ("Engines", ", ".join(engines[:12]) or "none started"),
    ]


def gap_names(outline: Outline, cells: Sequence[CellSummary], limit_count: int = 12) -> str:
    """The targets and questions of unmeasured cells, shortened."""
    names = list(dict.fromkeys(outline.labels.get(cell.target, cell.target) for cell in cells))
    shown = ", ".join(printable(name, 80) for name in names[:limit_count])
    return shown + (f" and {len(names) - limit_count} more" if len(names) > limit_count else "")


def asked_labels(questions: Sequence[Question]) -> tuple[str, ...]:
    return tuple(printable(question.explained, 120) for question in questions)


def rule_rows() -> list[tuple[str, str]]:
    """Each use of the advice with what counts as good enough for it."""
    return [(use.name, f"{use.floor}. {ORDERS[use.order]}") for use in USES]


ORDERS = {
    "capable": "Of those the largest model wins whose answers are not proven worse than those of another, then the "
    "least damaged file, then the fastest.",
    "lean": "Of those the one wins that takes least memory.",
    "deep": "Of those the one wins that stays usable deepest, up to 32,768 tokens; then as for chat.",
    "busy": "Of those the one wins that gets most done in an hour.",
    "balanced": "Of those the one wins with the highest product of three shares: right answers, speed between "
    "acceptable and excellent, memory left free.",
}
"""How the order of a use is explained to a person."""
