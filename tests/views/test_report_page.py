"""The report as text: its size, its policy, its colours, and the drawings without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.summary import Finding, Summary
from llmtester.views import charts, details, forecast_page, palette, svg, tables
from llmtester.views.exporters import exporter
from llmtester.views.figures import figure
from llmtester.views.outline import Outline, finding_groups

from . import summaries

ALL = [summaries.summary, summaries.empty, summaries.interrupted, summaries.poisoned]


def page_of(make: Callable[[], Summary]) -> str:
    return exporter("html").render(make()).decode()


class Elements(HTMLParser):
    """Every element with its attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


@pytest.mark.parametrize("make", ALL)
def test_nothing_is_loaded_and_nothing_runs_inline(make: Callable[[], Summary]) -> None:
    """No source, style sheet or handler from outside or from a text, whatever the run is called."""
    elements = Elements(page_of(make))
    assert len(elements.scripts) == 3
    for tag, attributes in elements.found:
        assert tag not in ("iframe", "object", "embed", "base", "form", "img")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action", "xlink:href"):
                assert (value or "").startswith(("#", "data:,"))


def test_the_policy_allows_exactly_the_two_scripts() -> None:
    """The hashes are those of the script in the page and of the bundle once it is inflated."""
    text = page_of(summaries.summary)
    elements = Elements(text)
    packed, own = elements.scripts[1], elements.scripts[2]
    inflated = zlib.decompress(base64.b64decode(packed), -zlib.MAX_WBITS)
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    allowed = policy.partition("script-src ")[2].partition(";")[0].split()
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode() + "'"
        for script in (own.encode(), inflated)
    ]
    assert allowed == hashes
    assert b"plotly.js" in inflated[:200]
    assert "default-src 'none'" in policy


def test_sixty_cells_fit_in_the_promised_size() -> None:
    """A report of a whole evening stays under 2.6 MB, charts included."""
    assert len(page_of(summaries.summary)) < 2_600_000


@pytest.mark.parametrize("make", ALL)
def test_no_hidden_character_reaches_the_page(make: Callable[[], Summary]) -> None:
    """Escapes, bidirectional marks and lone surrogates are visible text; only our own line ends remain."""
    text = page_of(make)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)


@pytest.mark.parametrize("theme", [0, 1])
def test_every_pair_of_colours_has_enough_contrast(theme: int) -> None:
    """WCAG: 4.5 for text, 3 for marks, in light and in dark."""
    for first, second, ratio in palette.PAIRS:
        found = palette.contrast(palette.COLOURS[first][theme], palette.COLOURS[second][theme])
        assert found >= ratio, (first, second, round(found, 2))


def test_contrast_is_the_published_measure() -> None:
    """Black on white is 21, and the order of the two does not matter."""
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#0072b2", "#ffffff") == pytest.approx(5.19, abs=0.01)


@pytest.mark.parametrize("make", ALL)
def test_figures_are_plain_json_with_encoded_texts(make: Callable[[], Summary]) -> None:
    """Plotly's own HTML dialect gets no live tag out of a name, and numbers are finite."""
    for chart in charts.plots(Outline(make())):
        text = json.dumps(figure(chart), allow_nan=False)
        assert "<script" not in text
        assert "<img" not in text
        assert "<a " not in text


def numbers_in(value: object) -> set[float]:
    """Every number anywhere in a JSON document."""
    if isinstance(value, dict):
        return {number for item in value.values() for number in numbers_in(item)}
    if isinstance(value, list):
        return {number for item in value for number in numbers_in(item)}
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


@pytest.mark.parametrize("make", ALL)
def test_every_exact_number_of_the_page_stands_in_the_json(make: Callable[[], Summary]) -> None:
    """Cards, results, trade-off, quality and resources carry their exact values: each is one of the JSON file."""
    known = numbers_in(json.loads(exporter("json").render(make())))
    shown = [a["data-v"] or "" for _, a in Elements(page_of(make)).found if "data-v" in a]
    values = [float(number) for text in shown for number in text.split()]
    assert not [value for value in values if value not in known]
    if make().cells:
        assert len(values) > 200


def test_the_verdict_is_the_first_heading_and_ties_are_named() -> None:
    """What a person reads first is the answer, how sure it is, and what is as good."""
    text = page_of(summaries.summary)
    body = re.sub(r"<script.*?</script>", "", text[text.index("<main>") :], flags=re.S)
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))
    places = [
        plain.index(words)
        for words in (
            "For chat on this machine, use Qwen3-4B-Instruct at Q4_K_M.",
            "How sure: fairly sure",
            "Just as good",
        )
    ]
    assert places == sorted(places)
    assert "Qwen3-4B-Instruct Q5_K_M" in plain


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=30), st.sampled_from(["higher", "lower", "neither"]))
def test_heat_levels_keep_the_order(values: list[float], better: str) -> None:
    """A better value never gets a paler square, and the extremes get the ends of the scale."""
    ranks = tables.levels(values, better)
    assert all(0 <= rank <= 5 for rank in ranks)
    if better != "neither" and min(values) != max(values):
        ordered = [rank for _, rank in sorted(zip(values, ranks, strict=True), key=lambda pair: pair[0])]
        assert ordered == sorted(ordered, reverse=better == "lower")
        assert {ranks[values.index(min(values))], ranks[values.index(max(values))]} == {1, 5}


@given(st.floats(1e-6, 1e12))
def test_scales_have_a_handful_of_round_ticks(top: float) -> None:
    """Every scale starts at zero and has between two and nine marks, none beyond the end."""
    marks = svg.ticks(top)
    assert marks[0] == 0
    assert 2 <= len(marks) <= 9
    assert marks[-1] <= top * 1.0001


def test_long_lists_keep_what_the_advice_is_about() -> None:
    """A chart of 250 targets shows 30, the recommended ones among them, and says how many it left out."""
    for chart in charts.strips(Outline(summaries.summary(25, 10, 1))):
        assert len(chart.rows) <= charts.ROWS_LIMIT
        assert {"winner", "tie"} <= {row.standing for row in chart.rows}
        assert chart.left_out_count > 0


def test_one_model_twice_stays_apart() -> None:
    """Two targets with one label get what sets them apart, in labels and in the matrix."""
    base = summaries.summary(1, 1, 1)
    target, cell = base.targets[0], base.cells[0]
    other = replace(target, key="other", settings=replace(target.settings, threads=4))
    both = replace(base, targets=(target, other), cells=(cell, replace(cell, key="other/x", target="other")))
    outline = Outline(both)
    assert len(set(outline.labels.values())) == 2
    assert "threads 4" in outline.labels["other"]
    shown = tables.columns(outline)
    grid = tables.matrix(outline, shown, tables.result_rows(outline, shown))
    assert grid is not None
    assert len(grid.rows) == 2


def test_findings_are_grouped_by_kind_and_the_worst_comes_first() -> None:
    """Five equal doubts are one entry with five places."""
    groups = finding_groups(summaries.summary())
    assert [group.severity for group in groups] == ["warning", "note", "note"]
    assert [len(group.findings) for group in groups] == [1, 1, 5]


def test_a_doubt_stands_beside_the_figures_that_it_touches() -> None:
    """A warning about waiting marks the times of its cell and not its memory; a note is only in the details."""
    base = summaries.summary(1, 1, 1)
    doubts = (
        Finding("busy_machine", "warning", "Busy.", "Close.", base.cells[0].key, ("ttft_ms",)),
        Finding("too_few", "note", "Few.", "More.", base.cells[0].key, ("decode_tok_per_s",)),
    )
    cell = replace(base.cells[0], findings=doubts, outliers={"ttft_ms": (2,)})
    outline = Outline(replace(base, cells=(cell,)))
    (row,) = tables.result_rows(outline, tables.columns(outline))
    assert (row.figures["ttft_ms"].doubt, row.figures["ttft_ms"].doubted) == ("warning", "busy machine")
    assert row.figures["decode_tok_per_s"].doubt == ""
    (detail,) = details.details(outline)
    lines = {line.name: line for line in detail.lines}
    assert lines["decode_tok_per_s"].figures[0].doubt == "note"
    assert "trial 3" in lines["ttft_ms"].outliers
    assert 'title="in doubt: busy machine"' in exporter("html").render(outline.summary).decode()


def test_predictions_stand_beside_what_was_measured() -> None:
    """How far each was off, how good they were on the whole, and which causes took the time."""
    outline = Outline(summaries.summary())
    first, second = forecast_page.forecast_lines(outline)
    assert (first.error, first.predicted.text, first.measured.text) == ("-9%", "71.5 tok/s", "78.8 tok/s")
    assert second.measured.text == "1.4 GB"
    assert forecast_page.forecast_sentence(outline).startswith("Half of the 2 predictions were off by at most 6%")
    assert [row.cause for row in forecast_page.spent(outline)] == [
        "requests that count",
        "starting servers",
        "warming up",
    ]


def test_answers_keep_their_lines() -> None:
    """Two answers to one question stand side by side as they were written, line by line."""
    assert "He gets 7 coins back.\nAnswer: 7\n</pre>" in page_of(summaries.summary)


def test_the_head_of_the_table_repeats_on_paper() -> None:
    """Chromium does not paint a button again on the next sheet, so print dissolves the buttons in the head."""
    printed = page_of(summaries.summary).split("@media print", 2)[-1]
    assert ".sort{display:contents}" in printed
