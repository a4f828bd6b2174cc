"""``docs/metrics.md`` from the metric table: ``python -m llmtester.views.metrics_reference > docs/metrics.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from llmtester.analysis.evidence import TIMES
from llmtester.analysis.findings import CHECKS, SEVERITIES
from llmtester.analysis.lay_terms import NEEDS, ORIGINS, SCALES
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.ratings import BANDS, WORDS


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield "Generated from the metric table; do not edit. `llmtester.analysis.metrics` holds the code of each formula."
    yield ""
    yield "t0 is the moment before the request is written, t_first and t_last the arrivals of the first and last event"
    yield "that carried output, N the generated tokens as the server counts them, n1 those in the first event. A value"
    yield "that cannot be computed is absent with its reason, never 0."
    yield ""
    yield "| name | what | unit | better | formula |"
    yield "|---|---|---|---|---|"
    for name, metric in METRICS.items():
        info = metric.info
        yield f"| `{name}` | {info.title} | {info.unit or 'share'} | {info.better} | {info.formula} |"
    yield ""
    yield "## Bands"
    yield ""
    yield "What is worse than the last limit is poor. `ratings` in the settings replaces a row."
    yield ""
    yield f"| metric | {' | '.join(word.value for word in WORDS)} |"
    yield "|---|---|---|---|"
    for name, limits in BANDS.items():
        sign = "at least" if METRICS[name].info.better == "higher" else "at most"
        yield f"| `{name}` | {' | '.join(f'{sign} {limit:g} {METRICS[name].info.unit}' for limit in limits)} |"
    yield from _meanings()
    yield from _doubts()


def _meanings() -> Iterator[str]:
    yield ""
    yield "## What values mean"
    yield ""
    yield "| metric | from | sentence |"
    yield "|---|---|---|"
    for name, (steps, worse) in SCALES.items():
        info = METRICS[name].info
        sign = "at least" if info.better == "higher" else "at most"
        for limit, sentence in steps:
            yield f"| `{name}` | {f'{sign} {_plain(limit)} {info.unit}'.strip()} | {sentence} |"
        yield f"| `{name}` | else | {worse} |"
    yield ""
    yield "## What speeds are enough for"
    yield ""
    yield "| use | needs |"
    yield "|---|---|"
    for need in NEEDS:
        limits = (
            f"`{name}` {'at least' if METRICS[name].info.better == 'higher' else 'at most'} {_plain(limit)}"
            for name, limit in need.limits.items()
        )
        yield f"| {need.use} | {', '.join(limits)} |"
    yield ""
    yield "## Where the limits come from"
    yield ""
    yield from (f"- {origin}" for origin in ORIGINS)


def _doubts() -> Iterator[str]:
    yield ""
    yield "## Doubts"
    yield ""
    yield "What casts doubt on a figure, most serious first. A severe one that touches a deciding metric takes the"
    yield "rating away."
    yield ""
    yield "| code | how serious | what to do | figures it touches |"
    yield "|---|---|---|---|"
    for check in sorted(CHECKS, key=lambda one: SEVERITIES.index(one.severity)):
        touched = "all times and speeds" if check.touches == TIMES else ", ".join(f"`{name}`" for name in check.touches)
        yield f"| `{check.code}` | {check.severity} | {check.remedy} | {touched or 'all'} |"


def _plain(limit: float) -> str:
    """Four significant digits without an exponent."""
    return f"{float(f'{limit:.4g}'):.12g}"


if __name__ == "__main__":
    sys.stdout.write(page())
