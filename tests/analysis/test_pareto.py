"""The front of quality, speed and memory: nobody on it is beaten, and everybody off it names who beats it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.analysis.pareto import front
from llmtester.analysis.summary import FrontPoint, Rating
from llmtester.domain.records import Absent

from .advice_worlds import File, chat_cells, judged, target

MID = File("Mid", billions=8, tok_per_s=20, memory_gb=6, right=30)
SMALL = File("Small", billions=1, tok_per_s=90, memory_gb=1.2, right=15)


def points(*files: File) -> dict[str, FrontPoint]:
    labels = {file.key: file.name for file in files}
    quality = [one for file in files if (one := judged(file, files))]
    cells = [cell for file in files for cell in chat_cells(file)]
    return {labels[point.target]: point for point in front([target(file) for file in files], cells, quality)}


def test_a_trade_leaves_both_on_the_front() -> None:
    """Better answers against more speed and less memory: neither beats the other."""
    found = points(MID, SMALL)
    assert [point.on_front for point in found.values()] == [True, True]
    assert found["Mid"].ties == ()


def test_the_beaten_one_names_who_beats_it() -> None:
    """Slower, larger and no better in its answers."""
    found = points(MID, replace(MID, name="Worse", tok_per_s=12, memory_gb=9))
    assert (found["Worse"].on_front, found["Worse"].beaten_by) == (False, MID.key)
    assert found["Mid"].beaten_by is None


def test_what_cannot_be_told_apart_is_a_tie() -> None:
    """Within three percent on every axis, each names the other."""
    twin = replace(MID, name="Twin", tok_per_s=20.3, right=29)
    found = points(MID, twin)
    assert (found["Mid"].ties, found["Twin"].ties) == ((twin.key,), (MID.key,))
    assert all(point.on_front for point in found.values())


def test_a_larger_model_is_beaten_by_clearly_better_answers_only() -> None:
    """Two answers more of 240 are chance; a faster small model beats a large one only if it surely answers better."""
    lucky, better = replace(SMALL, right=31), replace(SMALL, name="Better", right=40)
    found = points(MID, lucky)
    assert found["Mid"].on_front
    assert points(MID, better)["Mid"].beaten_by == better.key


def test_a_damaged_sibling_is_not_saved_by_equal_counts() -> None:
    """Two files of one model with as many right answers: what probabilities say of the damage counts."""
    whole = replace(MID, name="M", quant="Q8_0", bits=8.5)
    hurt = replace(MID, name="M", quant="Q3_K", bits=3.6, word=Rating.POOR, tok_per_s=20.2)
    cells = [cell for file in (whole, hurt) for cell in chat_cells(file)]
    quality = [one for file in (whole, hurt) if (one := judged(file, (whole, hurt)))]
    found = {point.target: point for point in front([target(whole), target(hurt)], cells, quality)}
    assert found[hurt.key].beaten_by == whole.key


def test_size_stands_for_quality_that_nobody_measured() -> None:
    """A larger model is not beaten by a faster small one; the axis itself stays absent."""
    found = points(replace(MID, right=None), replace(SMALL, right=None))
    assert all(point.on_front for point in found.values())
    assert isinstance(found["Mid"].quality_ratio, Absent)


def test_more_bits_count_where_nobody_measured() -> None:
    """Two files of one model without answers: the one with fewer bits must be faster or leaner to stay."""
    whole = replace(MID, name="M", quant="Q8_0", bits=8.5, right=None)
    less = replace(whole, quant="Q4_0", bits=4.5, tok_per_s=20.1)
    found = front([target(whole), target(less)], [*chat_cells(whole), *chat_cells(less)])
    assert [point.beaten_by for point in found] == [None, whole.key]


def test_measured_and_unmeasured_answers_are_not_compared() -> None:
    """A file whose answers nobody checked neither beats nor is beaten."""
    unknown = replace(MID, name="Unknown", right=None, tok_per_s=40)
    assert [point.on_front for point in points(MID, unknown).values()] == [True, True]


FILES = st.builds(
    File,
    billions=st.sampled_from([1.0, 8.0, 14.0]),
    tok_per_s=st.sampled_from([5.0, 20.0, 20.5, 60.0]),
    memory_gb=st.sampled_from([1.0, 6.0, 6.1, 12.0, None]),
    right=st.integers(0, 40),
)


@given(st.lists(FILES, min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_a_front_has_its_laws(files: list[File]) -> None:
    """Whoever is off the front is beaten by another, and ties are mutual."""
    named = [replace(file, name=f"M{place}") for place, file in enumerate(files)]
    found = points(*named)
    keys = {file.key: file.name for file in named}
    for name, point in found.items():
        assert point.on_front == (point.beaten_by is None)
        assert keys.get(point.beaten_by or "", "") != name
        for tie in point.ties:
            assert any(keys[other] == name for other in found[keys[tie]].ties)
