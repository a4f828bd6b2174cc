"""JSON, CSV and Markdown: complete, equal numbers, and nothing hostile survives."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.summary import Estimate, Summary
from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable
from llmtester.views import markdown, schema
from llmtester.views.exporters import EXPORTERS, exporter
from llmtester.views.results_csv import FORMULA_STARTS, columns, text_cell
from llmtester.views.results_json import plain

from . import summaries
from .schema_check import problems

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "results.schema.json"
ALL = [summaries.summary, summaries.empty, summaries.interrupted, summaries.poisoned]


def rows(summary: Summary) -> list[dict[str, str]]:
    text = exporter("csv").render(summary).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_every_format_renders_every_kind_of_run_twice_alike(name: str, make: Callable[[], Summary]) -> None:
    """Each exporter is pure: the same summary gives the same bytes, also when it is empty, cut short or poisoned."""
    first, second = exporter(name).render(make()), exporter(name).render(make())
    assert first == second
    assert exporter(name).suffix.rpartition(".")[2] == name


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    """A wrong format name is a usage error that lists what there is."""
    with pytest.raises(ConfigurationError) as caught:
        exporter("docx")
    assert "html" in caught.value.fix


@pytest.mark.parametrize("make", ALL)
def test_json_is_complete_and_reads_back_equal(make: Callable[[], Summary]) -> None:
    """What is written is exactly the summary: every field, every number, every character."""
    summary = make()
    document = json.loads(exporter("json").render(summary))
    assert document.pop("schema") == 1
    assert document.pop("kind") == "llmtester/results"
    assert document == plain(summary)


@pytest.mark.parametrize("make", ALL)
def test_json_obeys_its_published_schema(make: Callable[[], Summary]) -> None:
    """The schema in the documentation describes the files that are written."""
    published = json.loads(SCHEMA_FILE.read_text())
    assert problems(json.loads(exporter("json").render(make())), published, published) == []


def test_the_published_schema_is_the_generated_one() -> None:
    """`python -m llmtester.views.schema` was run after the last change of a type."""
    said = "run: python -m llmtester.views.schema > docs/results.schema.json"
    assert json.loads(SCHEMA_FILE.read_text()) == schema.document(), said


def test_the_schema_notices_a_wrong_document() -> None:
    """The check itself can fail: a missing field, a wrong type and an unknown word are found."""
    published = schema.document()
    document = json.loads(exporter("json").render(summaries.summary()))
    del document["machine"]
    document["duration_s"] = "long"
    document["outcome"] = "exploded"
    assert len(problems(document, published, published)) == 3


def test_csv_has_one_row_a_cell_and_the_same_numbers_as_json() -> None:
    """Every figure of the CSV is the one of the JSON, to the last bit; what is absent there is empty here."""
    summary = summaries.summary()
    table = rows(summary)
    assert [row["cell"] for row in table] == [cell.key for cell in summary.cells]
    for row, cell in zip(table, summary.cells, strict=True):
        for info in summary.metrics:
            value = cell.metrics[info.name]
            shown = [row[info.name], row[f"{info.name}_ci95_low"], row[f"{info.name}_ci95_high"]]
            if isinstance(value, Estimate):
                assert [float(text) if text else None for text in shown] == [value.value, value.low, value.high]
            else:
                assert shown == ["", "", ""]


def test_csv_numbers_of_a_target_are_those_of_the_json() -> None:
    """Memory, right answers and questions of each row equal what the JSON says of its target."""
    document = json.loads(exporter("json").render(summaries.summary()))
    targets = {target["key"]: target for target in document["targets"]}
    judged = {one["target"]: one for one in document["quality"]}
    for row, cell in zip(rows(summaries.summary()), document["cells"], strict=True):
        for name in ("memory_peak_bytes", "memory_expected_bytes", "load_s"):
            told = targets[cell["target"]][name].get("value")
            assert row[name] == ("" if told is None else repr(told))
        kinds = judged[cell["target"]]["tasks"]["categories"] if cell["target"] in judged else []
        shown = [row["questions_right_count"], row["questions_asked_count"]]
        asked = [sum(kind[name] for kind in kinds) for name in ("correct_count", "asked_count")]
        assert shown == ([str(count) for count in asked] if kinds else ["", ""])


def test_csv_columns_do_not_depend_on_what_was_measured() -> None:
    """A script that reads the CSV of one run can read that of another."""
    assert columns(summaries.summary()) == columns(summaries.interrupted()) == columns(summaries.empty())


def test_no_field_of_a_poisoned_csv_is_a_formula() -> None:
    """A spreadsheet shows every text and evaluates none, and no field breaks its row."""
    summary = summaries.poisoned()
    text = exporter("csv").render(summary).decode()
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in table} == {len(columns(summary))}
    for row in table:
        for field in row:
            is_number = field.replace(".", "").replace("e-", "").lstrip("-").isdigit()
            assert is_number or not field.startswith(FORMULA_STARTS)
            assert printable(field, 40_000) == field


@given(st.text(max_size=80))
def test_any_text_becomes_a_harmless_csv_field(text: str) -> None:
    """Whatever the text, the field starts no formula, has no control character, and shows the text."""
    field = text_cell(text)
    assert not field.lstrip().startswith(FORMULA_STARTS)
    assert field.removeprefix("'") == printable(text, 32_000) or field == printable(text, 32_000)


def test_markdown_says_verdict_results_and_what_is_missing() -> None:
    """The text to paste holds the answer first, one row a cell, doubts and gaps."""
    text = exporter("md").render(summaries.summary()).decode()
    assert text.startswith("# For chat on this machine, use Qwen3-4B-Instruct at Q4_K_M.")
    assert "49 of 60 cells were measured" in text
    assert "`Llama-3.2-1B-Instruct Q4_K_M`" in text
    assert "**skipped:** Time to first token would be over 30 s" in text
    assert "Close them and run again." in text


def test_poisoned_markdown_has_no_live_markup() -> None:
    """No tag, link, mention, image or table break from outside is active."""
    text = exporter("md").render(summaries.poisoned()).decode()
    for line in text.splitlines():
        outside = markdown_without_code(line)
        assert "<script" not in outside.replace("\\<", "")
        assert "<img" not in outside.replace("\\<", "")
        assert "http://" not in outside.replace("\\:", "")
        assert "@SUM" not in outside


def markdown_without_code(line: str) -> str:
    """The line with its code spans taken out, as CommonMark finds them: runs of backticks of equal length."""
    out, place = "", 0
    while place < len(line):
        if line[place] == "\\" and place + 1 < len(line):
            out += line[place : place + 2]
            place += 2
        elif line[place] == "`":
            run = len(line[place:]) - len(line[place:].lstrip("`"))
            end = place + run
            while (end := line.find("`" * run, end)) != -1:
                after = end + run
                if line[end - 1] != "`" and (after == len(line) or line[after] != "`"):
                    break
                end = after
            if end == -1:
                out += "`" * run
                place += run
            else:
                place = end + run
        else:
            out += line[place]
            place += 1
    return out


@given(st.text(alphabet="`| a\\<", max_size=12))
def test_a_code_span_holds_any_text(text: str) -> None:
    """No text can end its code span early."""
    assert markdown_without_code(markdown.code(text)) == ""


def test_plain_words_stay_readable_in_markdown() -> None:
    """Escaping leaves ordinary names and sentences alone."""
    for ordinary in ("Qwen3-4B-Instruct Q4_K_M", "About 2.5 s (fairly sure).", "3 times as fast, at 14 %"):
        assert markdown.text(ordinary) == ordinary
    assert markdown.text("# title") == "\\# title"
    assert markdown.text("1. item") == "1\\. item"


def test_the_guide_names_what_the_files_hold() -> None:
    """Suffixes, attribute and certainty words in `docs/reading-a-report.md` are those of the code."""
    guide = (SCHEMA_FILE.parent / "reading-a-report.md").read_text(encoding="utf-8")
    for name in EXPORTERS:
        assert f"`{exporter(name).suffix}`" in guide
    assert "_ci95_low" in columns(summaries.summary())[-2]
    assert 'data-v="' in exporter("html").render(summaries.summary()).decode()
    for word in ("sure", "fairly sure", "a first hint"):
        assert f"`{word}`" in guide
