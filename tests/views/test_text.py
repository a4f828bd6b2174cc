"""The terminal summary and the plain log."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from llmtester.analysis.summary import Summary
from llmtester.domain import errors, events, records
from llmtester.domain.text import nearest, printable
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Skip, Target
from llmtester.views import text
from llmtester.views.fit import columns, fitted
from llmtester.views.numbers import number, quantity

from . import summaries

ALL = [summaries.summary, summaries.empty, summaries.interrupted, summaries.poisoned]


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_summary_fits_its_width_and_hides_nothing(make: Callable[[], Summary], width: int) -> None:
    """No line is wider than the terminal, and no character can move a cursor."""
    for line in text.summary_lines(make(), width):
        assert columns(line) <= width
        assert printable(line, 1000) == line


def test_the_answer_comes_first_and_ties_are_named() -> None:
    """A person who reads one line gets the answer; the table marks winner and tie."""
    lines = text.summary_lines(summaries.summary(), 80)
    assert lines[0] == "For chat on this machine, use Qwen3-4B-Instruct at Q4_K_M."
    assert [line[0] for line in lines if "Qwen3-4B-Instruct Q" in line][:2] == ["★", "≈"]
    assert any("49 of 60 cells" in line for line in lines)


def test_each_use_has_one_line() -> None:
    """Under the answer: what to take for each other use and how sure, or the command that would tell."""
    lines = text.summary_lines(summaries.summary(), 80)
    assert "long documents  Llama-3.2-1B-Instruct Q4_K_M (sure)" in lines
    assert "coding          not measured: llmtester run --profiles interactive,quality" in lines
    assert any(line.startswith("Mind this: Avoid Llama-3.2-1B-Instruct Q4_K_M for figures") for line in lines)
    assert "Start it: llmtester serve --from 20261124T201500-3f9a" in lines


def test_what_was_only_played_cannot_be_started() -> None:
    """A run of the fake engine advises no command that would be refused."""
    summary = summaries.summary()
    played = replace(summary, targets=tuple(replace(target, engine="fake") for target in summary.targets))
    assert not any("llmtester serve" in line for line in text.summary_lines(played, 80))


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("SMOLLM2", "SmolLM2-135M-Instruct"),  # large and small letters
        ("smolm2", "SmolLM2-135M-Instruct"),  # a slip in the beginning
        ("8b", "qwen3-8b"),  # a part
        ("qwen3-4", "qwen3-4b"),
        ("qwen34b", "qwen3-4b"),
        ("frobnicate", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_the_one_that_was_meant(wanted: str, first: str | None) -> None:
    """Slips, parts and letters of another size find their name; what resembles nothing finds nothing."""
    found = nearest(wanted, ["SmolLM2-135M-Instruct", "qwen3-8b", "qwen3-4b", "phi-3.5-mini"], 1)
    assert found == ([first] if first else [])


def test_a_run_without_result_says_so() -> None:
    """Nothing measured is said in words, not shown as an empty table."""
    lines = text.summary_lines(summaries.empty(), 80)
    assert lines[0] == "Nothing was measured, so there is no recommendation."


def test_ascii_terminals_get_ascii() -> None:
    """A pipe with a small encoding never raises and never shows a replacement for our own marks."""
    for line in text.summary_lines(summaries.summary(), 100, ascii_only=True):
        assert line.isascii()
        assert "?" not in line


def test_the_console_shows_text_as_text_and_files_last() -> None:
    """Rich markup in a name is shown, not obeyed, and the last line is where the report is."""
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    console = Console(file=sink, width=100, force_terminal=False, color_system=None)
    text.print_summary(summaries.poisoned(), console, {"json": "/runs/[bold]/r.json", "html": "/runs/r.html"})
    sink.seek(0)
    shown = sink.read()
    assert "[/bold] [red]markup" in shown
    assert "/runs/[bold]/r.json" in shown
    assert shown.rstrip().endswith("/runs/r.html")
    assert "\x1b" not in shown


@given(st.text(max_size=60), st.integers(1, 40))
@settings(max_examples=200)
def test_a_fitted_text_fits(content: str, width: int) -> None:
    """Cutting respects the width that wide characters take, and leaves short texts alone."""
    shown = fitted(content, width)
    assert columns(shown) <= width
    assert shown == content or columns(content) > width


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.0523, "0.0523"),
        (0.000012, "0.000012"),
        (1.5, "1.50"),
        (3.0, "3"),
        (12.34, "12.3"),
        (99.96, "100"),
        (1234.5, "1,234"),
        (-14.2, "-14.2"),
        (1e7, "10,000,000"),
    ],
)
def test_numbers_are_short_and_without_exponents(value: float, shown: str) -> None:
    """Three digits are enough for people; the files keep the rest."""
    assert number(value) == shown


def test_bytes_are_scaled() -> None:
    """A size is shown in the unit that fits it."""
    assert quantity(1_448_650_000, "bytes") == "1.4 GB"
    assert quantity(26.5, "tok/s") == "26.5 tok/s"


def a_cell(name: str = "Tiny", load: str = "chat") -> Cell:
    model = ModelRef(name, "Q4_0", "/m.gguf", 1, "f")
    return Cell(Target("fake", model, ServerSettings()), "interactive", Load(load, 16, 8))


def a_reading(at_ns: int) -> records.Reading:
    return records.Reading(at_ns, 8_000_000_000, 0)


def a_machine() -> records.Machine:
    return summaries.MACHINE


def log(stream: list[events.Event]) -> list[str]:
    state = text.PlainState()
    lines = (text.plain_line(event, state) for event in stream)
    return [line for line in lines if line is not None]


def test_the_plain_log_tells_a_run_line_by_line() -> None:
    """One line a trial, with place, figures and reasons; quiet events say nothing. The model is named where its server
    starts and wherever another one is meant."""
    cell, skipped, second = a_cell(), a_cell("Huge"), 1_000_000_000
    plan = Plan((cell,), (Skip(skipped, "needs 90 GB"),), expected_s=120)
    facts = records.SessionFacts("fake", "fake 1", ("fake",), 2 * second, 512, 1, records.Capabilities())
    sample = records.Sample(
        "r", 10 * second, 12 * second, (250_000_000, 500_000_000), completion_tok=8, token_source="usage"
    )
    broken = records.Sample(
        "r", 13 * second, 14 * second, (), failure=errors.RequestFailure.STALLED, failure_detail="60 s\nno token"
    )
    lines = log(
        [
            events.RunStarted(5 * second, records.Instant(5 * second, 0), "run1", plan, a_machine(), {}, "0"),
            events.TargetReady(7 * second, cell.target.key, facts),
            events.TrialStarted(8 * second, cell.key, 0),
            events.Pulse(9 * second, cell.key, 3, a_reading(9 * second)),
            events.Pulse(40 * second, cell.key, 7, a_reading(40 * second)),
            events.SampleTaken(41 * second, cell.key, 0, sample),
            events.TrialEnded(41 * second, cell.key, 0),
            events.TrialStarted(42 * second, cell.key, 1),
            events.SampleTaken(43 * second, cell.key, 1, broken),
            events.TrialEnded(43 * second, cell.key, 1),
            events.TargetFailed(44 * second, cell.target.key, errors.EngineFailure.KILLED, "killed", "add memory"),
            events.CellSkipped(45 * second, cell.key, "server gone"),
            events.RunResumed(50 * second, records.Instant(50 * second, 0), a_machine(), "0"),
            events.RunEnded(3700 * second, "finished"),
        ]
    )
    assert lines == [
        "0:00:00  run run1: 1 cell, 1 server start, 1 skipped, about 2 min",
        "0:00:02  fake/Tiny/Q4_0 ready after 2 s (fake 1)",
        "0:00:35  [1/1] interactive/chat running, 7 tokens so far, 8.0 GB of memory free",
        "0:00:36  [1/1] interactive/chat trial 1: first token 250 ms, 16.0 tok/s",
        "0:00:38  [1/1] interactive/chat trial 2: 1 request failed (stalled: 60 s\\x0ano token)",
        "0:00:39  fake/Tiny/Q4_0 failed: killed; add memory",
        "0:00:40  [1/1] Tiny Q4_0 interactive/chat skipped: server gone",
        "0:00:00  run resumed",
        "1:00:50  run finished",
    ]


@pytest.mark.parametrize("poison", summaries.POISON)
def test_the_plain_log_stays_one_safe_line(poison: str) -> None:
    """A hostile name cannot break a line or send a terminal a command."""
    cell = a_cell(poison, poison)
    stream: list[events.Event] = [
        events.RunStarted(0, records.Instant(0, 0), poison, Plan((cell,)), a_machine(), {}, poison),
        events.TrialStarted(1, cell.key, 0),
        events.TrialEnded(2, cell.key, 0),
        events.CellSkipped(3, cell.key, poison),
        events.TargetFailed(4, cell.target.key, errors.EngineFailure.EXITED, poison, poison),
        events.RunEnded(5, "interrupted", poison),
    ]
    for line in log(stream):
        assert printable(line, 2000) == line
