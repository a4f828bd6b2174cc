"""Sentences for a person: every limit is reached, nothing better is called worse, and memory is counted in words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis import lay_terms
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.records import Absent
from tests.worlds import LENS, MACHINE, World, fake_plan


def test_every_limit_is_in_order_and_every_sentence_is_whole() -> None:
    """Best first, in the direction of the metric; sentences begin and end as sentences do."""
    for name, (steps, worse) in lay_terms.SCALES.items():
        sign = 1 if METRICS[name].info.better == "lower" else -1
        assert all(sign * before[0] < sign * after[0] for before, after in pairwise(steps)), name
        for sentence in (*(sentence for _, sentence in steps), worse):
            assert sentence[0].isupper()
            assert sentence.endswith(".")


def test_what_is_rated_is_explained() -> None:
    """Every metric that has bands for a word has sentences too."""
    assert set(BANDS) <= set(lay_terms.SCALES)


@pytest.mark.parametrize("name", sorted(lay_terms.SCALES))
@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_better_values_never_have_worse_sentences(name: str, one: float, other: float) -> None:
    """The order of the sentences is the order of the values."""
    steps, worse = lay_terms.SCALES[name]
    order = [*(sentence for _, sentence in steps), worse]
    good, bad = sorted((one, other), reverse=METRICS[name].info.better == "higher")
    places = [order.index(lay_terms.of_value(name, value) or "") for value in (good, bad)]
    assert places[0] <= places[1]


@pytest.mark.parametrize(
    ("ttft_ms", "decode", "suited"),
    [
        (150.0, 40.0, {"reading along": True, "voice": True, "code completion": True}),
        (900.0, 4.0, {"reading along": False, "voice": True, "code completion": False}),
        (2000.0, 40.0, {"reading along": True, "voice": False, "code completion": False}),
    ],
)
def test_what_a_speed_is_enough_for(ttft_ms: float, decode: float, suited: dict[str, bool]) -> None:
    """Speech needs 3.25 tok/s and a second, completion half a second; documents are unknown without reading speed."""
    metrics: dict[str, Measured] = {
        "ttft_ms": Estimate(ttft_ms, None, None, 5),
        "decode_tok_per_s": Estimate(decode, None, None, 5),
        "prefill_tok_per_s": Absent("the server reports no timings"),
    }
    assert lay_terms.suits(metrics) == suited


def test_what_it_is_enough_for_in_words() -> None:
    """Both sides in one sentence; nothing known is nothing said."""
    said = lay_terms.in_words({"reading along": True, "voice": False})
    assert said == "It is fast enough to read along; it is too slow for a spoken conversation."
    assert lay_terms.in_words({}) == ""


@pytest.mark.parametrize(
    ("used_bytes", "sentence"),
    [
        (10e9, "It leaves 6.0 GB of 16.0 GB for your other programs."),
        (15e9, "It leaves only 1.0 GB of 16.0 GB for your other programs: close them first."),
        (17e9, "It needs all of the 16.0 GB and leaves nothing for your other programs."),
    ],
)
def test_memory_in_words(used_bytes: float, sentence: str) -> None:
    """What is left on a machine with 16 GB."""
    assert lay_terms.memory_left(used_bytes, MACHINE) == sentence


def test_a_limit_of_a_container_counts() -> None:
    """What is left is left of what this process may use."""
    limited = replace(MACHINE, memory_limit_bytes=8 * 10**9)
    assert lay_terms.memory_left(2e9, limited) == "It leaves 6.0 GB of 8.0 GB for your other programs."


def test_a_summary_carries_the_sentences() -> None:
    """Views find them beside the numbers."""
    state, _ = World().run(fake_plan("m?ttft_ms=150&decode_tok_per_s=10&realtime=0"))
    summary = summarise(state, LENS)
    (cell,), (target,) = summary.cells, summary.targets
    assert cell.meanings["ttft_ms"] == "The answer begins at once."
    assert cell.suits["voice"] is True
    assert cell.suits["code completion"] is False
    assert target.memory_meaning == "" or target.memory_meaning.endswith("programs.")
