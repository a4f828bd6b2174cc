"""What the report page says about predictions and about where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtester.analysis.stats import median
from llmtester.analysis.summary import Estimate
from llmtester.domain.text import human_duration, printable
from llmtester.views.numbers import quantity
from llmtester.views.outline import Outline
from llmtester.views.tables import Figure, figure

CAUSES: Mapping[str, str] = {
    "measured": "requests that count",
    "warm_up": "warming up",
    "server_start": "starting servers",
    "server_stop": "stopping servers",
    "prompts": "making prompts",
    "tokenizer": "counting tokens",
    "lost": "trials that did not end",
    "other": "everything else",
}
"""Where time goes, in words."""


MEMORY = "Peak memory"
"""The one predicted quantity that is no metric of a cell."""


@dataclass(frozen=True, slots=True)
class ForecastLine:
    label: str
    quantity: str
    predicted: Figure
    measured: Figure
    error: str
    learned_from: int


@dataclass(frozen=True, slots=True)
class Spent:
    """One cause and its seconds; ``share`` of all of them in percent."""

    cause: str
    time: str
    share: str


def forecast_lines(outline: Outline) -> tuple[ForecastLine, ...]:
    """Each prediction beside what was measured later."""
    lines = []
    for row in outline.summary.forecast:
        info = outline.metrics.get(row.quantity)
        unit = info.unit if info else "bytes" if row.quantity.endswith("_bytes") else ""
        target = outline.targets.get(row.target)
        lines.append(
            ForecastLine(
                label=printable(outline.server_label(target) if target else row.target, 100),
                quantity=printable(info.title if info else MEMORY if unit else row.quantity.replace("_", " "), 60),
                predicted=figure(row.predicted, unit),
                measured=Figure(quantity(row.measured, unit), "", repr(row.measured), 0, ""),
                error=f"{row.error_ratio:+.0%}",
                learned_from=row.predicted.trials_count,
            )
        )
    return tuple(lines)


def forecast_sentence(outline: Outline) -> str:
    """How good the predictions were on the whole; empty if there was none."""
    errors = [abs(row.error_ratio) for row in outline.summary.forecast]
    if not errors:
        return ""
    inside = sum(_inside(row.predicted, row.measured) for row in outline.summary.forecast)
    return (
        f"Half of the {len(errors)} predictions were off by at most {median(errors):.0%}; "
        f"{inside} of them had the measured value in their interval."
    )


def _inside(predicted: Estimate, measured: float) -> bool:
    low = predicted.value if predicted.low is None else predicted.low
    high = predicted.value if predicted.high is None else predicted.high
    return low <= measured <= high


def spent(outline: Outline) -> tuple[Spent, ...]:
    """Causes of the wall time, the largest first, without those that took none."""
    told = outline.summary.wall_time_s
    total_s = sum(told.values())
    return tuple(
        Spent(printable(CAUSES.get(cause, cause), 60), human_duration(seconds), f"{seconds / total_s:.0%}")
        for cause, seconds in sorted(told.items(), key=lambda item: -item[1])
        if seconds > 0 and total_s > 0
    )
