"""From numbers to words: ratings, sentences, findings, advice and the page that explains the metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.analysis import advice, ratings
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Advice, Estimate, Measured, Rating, Summary
from llmtester.domain.records import Absent
from llmtester.views.metrics_reference import page
from tests.worlds import LENS, World, fake_plan

TTFT, DECODE = METRICS["ttft_ms"].info, METRICS["decode_tok_per_s"].info


@pytest.mark.parametrize(
    ("value", "word"),
    [(30, "excellent"), (29.9, "good"), (15, "good"), (8, "acceptable"), (7.9, "poor"), (0.1, "poor")],
)
def test_bands_of_speed(value: float, word: str) -> None:
    """The limits belong to the better word."""
    assert ratings.rate(value, DECODE).value == word


@given(st.floats(0.01, 1e5), st.floats(1.001, 10))
def test_better_is_never_rated_worse(value: float, factor: float) -> None:
    """More speed or less waiting never lowers a rating."""
    order = ratings.ORDER.index
    assert order(ratings.rate(value * factor, DECODE)) <= order(ratings.rate(value, DECODE))
    assert order(ratings.rate(value / factor, TTFT)) <= order(ratings.rate(value, TTFT))


def test_the_worst_headline_decides() -> None:
    """Fast writing does not make up for a long wait, and the sentence says what decided."""
    metrics = {"ttft_ms": Estimate(5000, None, None, 5), "decode_tok_per_s": Estimate(90, None, None, 5)}
    assert ratings.rate_cell(metrics, (TTFT, DECODE)) == (Rating.ACCEPTABLE, TTFT.title)
    absent: dict[str, Measured] = {"ttft_ms": Absent("gone"), "decode_tok_per_s": Estimate(90, None, None, 5)}
    assert ratings.rate_cell(absent, (TTFT, DECODE))[0] is Rating.NOT_RATED
    assert ratings.rate_cell(metrics, ())[0] is Rating.NOT_RATED


@pytest.mark.parametrize(
    ("tok_per_s", "words"),
    [
        (2.0, "at 39 % of the speed at which you read"),
        (5.2, "about as fast as you read"),
        (10.0, "about 1.9 times as fast as you read"),
        (16.0, "about 3 times as fast as you read"),
    ],
)
def test_speed_in_words(tok_per_s: float, words: str) -> None:
    """Compared with a person who reads 238 words a minute."""
    assert ratings.compared_to_reading(tok_per_s) == words


def run(*scripts: str) -> Summary:
    state, _ = World().run(fake_plan(*scripts))
    return summarise(state, LENS)


def advise(*scripts: str, **facts: tuple[Any, ...]) -> Advice:
    """The advice for chat over fake models whose parameters and bits a weight are given in order."""
    summary = run(*scripts)
    targets = [
        replace(target, model=replace(target.model, **{name: values[index] for name, values in facts.items()}))
        for index, target in enumerate(summary.targets)
    ]
    found = advice.advise(targets, summary.cells)[0]
    assert found.use == "chat"
    return found


FAST, SLOW, CRAWL = (
    f"{name}?ttft_ms=40&decode_tok_per_s={speed}&realtime=0"
    for name, speed in (("fast", 90), ("slow", 20), ("crawl", 3))
)


def test_the_largest_that_is_fast_enough_wins() -> None:
    """Above "good", a larger model is worth more than more speed."""
    found = advise(FAST, SLOW, CRAWL, parameters_count=(10**9, 8 * 10**9, 70 * 10**9))
    assert "slow" in (found.winner or "")
    assert "crawl" in " ".join(found.why)
    assert "not measured" in found.why[-1]


def test_more_bits_win_among_equal_sizes() -> None:
    """Of two quantizations that are fast enough, the one with more bits."""
    found = advise(FAST, SLOW, parameters_count=(10**9, 10**9), bits_per_weight=(4.5, 8.5))
    assert "slow" in (found.winner or "")


def test_none_is_good_enough() -> None:
    """When all are poor the verdict says so and names no winner."""
    found = advise(CRAWL)
    assert found.winner is None
    assert "None of these models is good enough" in found.verdict


def test_equal_models_are_a_tie() -> None:
    """The same times under two names: both are named, none is called better."""
    found = advise(FAST, FAST.replace("fast", "twin"))
    assert len(found.ties) == 1
    assert " or " in found.verdict


def test_nothing_rated_is_said() -> None:
    """If no model could be rated there is no winner and no invented reason."""
    found = advise("dead?fail=oom&realtime=0")
    assert (found.winner, found.certainty) == (None, "unknown")


@settings(deadline=None)
@given(st.lists(st.integers(10, 200), min_size=1, max_size=3), st.integers(1, 7))
def test_a_worse_model_never_changes_the_winner(speeds: list[int], worse: int) -> None:
    """Adding a model that is smaller and slower than all leaves the advice where it was."""
    scripts = [f"m{index}?ttft_ms=9&decode_tok_per_s={speed}&realtime=0" for index, speed in enumerate(speeds)]
    sizes = tuple(10**9 * (index + 2) for index in range(len(speeds)))
    before = advise(*scripts, parameters_count=sizes)
    after = advise(
        *scripts, f"worse?ttft_ms=9&decode_tok_per_s={min(worse, *speeds)}&realtime=0", parameters_count=(*sizes, 1)
    )
    assert after.winner == before.winner


def test_certainty_falls_with_doubt() -> None:
    """A quiet measurement is sure; a noisy one is not."""
    assert advise(FAST).certainty == "sure"
    noisy = advise("n?ttft_ms=20&decode_tok_per_s=90&noise=0.5&realtime=0")
    assert noisy.certainty in {"fairly sure", "a first hint"}


def test_the_metrics_page_is_current() -> None:
    """``docs/metrics.md`` is what the table says today."""
    assert (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8") == page()
