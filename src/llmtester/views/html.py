"""The report as one self-contained HTML page: readable without JavaScript, explorable with it.

Safety is structural: Jinja escapes everything, ``finalize`` makes hidden characters visible in every text that the
template prints, data lie in ``application/json`` blocks, and the Content Security Policy allows exactly two scripts by
their hashes and no connection.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from llmtester.analysis.summary import Summary
from llmtester.domain.text import human_duration, printable
from llmtester.views import (
    appendix,
    charts,
    depth_page,
    details,
    figures,
    forecast_page,
    outline,
    page,
    palette,
    quality_page,
    svg,
    tables,
)
from llmtester.views.plotly_bundle import bundle, policy_hash

if TYPE_CHECKING:
    from jinja2 import Environment

TEXT_LIMIT = 4000
"""Characters of any one text that the page shows; the JSON file holds the whole."""


class HtmlExporter:
    """``report.html``."""

    suffix = "report.html"

    def render(self, summary: Summary) -> bytes:
        """The whole page in UTF-8. Pure but for the caching of its own templates."""
        text = environment().get_template("report.html.j2").render(context(summary))
        return text.encode("utf-8")


@cache
def environment() -> Environment:
    """Jinja with escaping always on, unknown names refused, and every printed text made visible."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def visible(value: Any) -> Any:
        return printable(value, TEXT_LIMIT) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["short"] = printable
    return made


def _template(name: str) -> str:
    return (files("llmtester.views") / "templates" / name).read_text("utf-8")


def data_block(value: object) -> Any:
    """``value`` as JSON that no parser of HTML can leave: ASCII, with ``<``, ``>`` and ``&`` as escapes."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for mark, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark, code)
    return Markup(text)  # noqa: S704 - cannot hold a tag or an entity after the replacement above


def context(summary: Summary) -> dict[str, Any]:
    """The names that the template uses."""
    from markupsafe import Markup

    shape = outline.Outline(summary)
    shown = tables.columns(shape)
    rows = tables.result_rows(shape, shown)
    plots = charts.plots(shape)
    script = _template("report.js")
    packed = bundle()
    cards = page.cards(shape)
    return {
        "summary": summary,
        "outline": shape,
        "verdict": shape.verdict,
        "cards": cards,
        "main": cards[0] if cards else None,
        "started": outline.started(summary),
        "machine": outline.machine_line(summary),
        "outcome": outline.OUTCOME_WORDS[summary.outcome],
        "coverage": outline.coverage(summary),
        "questions": appendix.asked_labels(shape.questions),
        "columns": shown,
        "brief_columns_count": 4 + sum(column.brief for column in shown),
        "rows": rows,
        "matrix": tables.matrix(shape, shown, rows),
        "ladder": charts.ladder(shape),
        "strips": charts.strips(shape),
        "plots": plots,
        "figures": data_block({chart.id: figures.figure(chart) for chart in plots}),
        "svg": svg,
        "shown_value": svg.shown_value,
        "ranks": {rating.value: rank for rating, rank in outline.RATING_RANK.items()},
        "details": details.details(shape),
        "findings": outline.finding_groups(summary),
        "gaps": [
            (status, reason, cells, appendix.gap_names(shape, cells))
            for (status, reason), cells in outline.unmeasured(summary).items()
        ],
        "settings": appendix.settings_rows(shape),
        "machine_rows": appendix.machine_rows(shape),
        "run_rows": appendix.run_rows(shape),
        "rule_rows": appendix.rule_rows(),
        "quality": quality_page.quality(shape),
        "front": quality_page.front_rows(shape),
        "forecast": forecast_page.forecast_lines(shape),
        "forecast_sentence": forecast_page.forecast_sentence(shape),
        "spent": forecast_page.spent(shape),
        "depths": depth_page.depth_rows(shape),
        "resources": quality_page.resource_rows(shape),
        "stress": quality_page.stress_rows(shape),
        "duration": human_duration(summary.duration_s),
        "status_words": outline.STATUS_WORDS,
        # The three texts below are files of this package and the colours of ``palette``, nothing from outside.
        "style": Markup(palette.css() + _template("report.css")),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "bundle": Markup(packed.packed),  # noqa: S704
        "policy": f"default-src 'none'; script-src '{policy_hash(script.encode())}' '{packed.policy_hash}'; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'",
    }
