"""The long context profile: its steps, its texts, and the facts that are hidden in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.domain.errors import NotMeasurable
from llmtester.domain.ports import Bench
from llmtester.domain.records import Chunk, Completion
from llmtester.domain.work import Load, Request
from llmtester.profiles.haystack import haystack, is_right
from llmtester.profiles.long_context import LongContextProfile
from llmtester.profiles.prompts import fresh_document
from tests.profiles.tokenizers import TEMPLATE_TOK, counter, pieces_of_four
from tests.worlds import bench, sample


def roomy(**more: object) -> Bench:
    ready = bench(counter(pieces_of_four), **more)
    return replace(ready, facts=replace(ready.facts, context_tok=131_072))


def requests(profile: LongContextProfile, load: Load, trial: int = 0, ready: Bench | None = None) -> Sequence[Request]:
    return asyncio.run(profile.requests(load, trial, 1, ready or roomy()))


@pytest.mark.parametrize(
    ("context_tok", "names"),
    [
        (131_072, ["1k", "4k", "8k", "16k", "32k", "64k", "128k"]),
        (8192, ["1k", "4k", "8k"]),
        (40_960, ["1k", "4k", "8k", "16k", "32k"]),
        (24_576, ["1k", "4k", "8k", "16k", "24k"]),
        (2048, ["1k", "2k"]),
        (None, ["1k", "4k", "8k", "16k", "32k"]),
        (512, []),
    ],
)
def test_steps_end_where_the_model_ends(context_tok: int | None, names: list[str]) -> None:
    """Doubling steps up to what the model was trained for, which is a step itself if it lies far beyond the last."""
    loads = LongContextProfile().loads(context_tok)
    assert [load.name for load in loads] == names
    assert all(load.prompt_tok + load.output_tok <= (context_tok or 32_768) for load in loads)
    assert [load.warmup_trials for load in loads[:2]] == [1, 0][: len(loads)]


def test_quick_asks_the_same_once_and_not_the_longest() -> None:
    """Fewer texts of each size, and none that takes minutes."""
    slow, quick = LongContextProfile().loads(131_072), LongContextProfile(quick=True).loads(131_072)
    assert [load.name for load in quick] == ["1k", "4k", "8k", "16k"]
    assert {load.max_trials for load in quick} == {1}
    assert [load.prompt_tok for load in quick] == [load.prompt_tok for load in slow[:4]]


def test_one_reading_serves_many_questions() -> None:
    """The timed request comes first and cold; eight questions follow whose text before the question is the same."""
    profile = LongContextProfile()
    timed, *asked = requests(profile, profile.loads(8192)[1])
    text = timed.messages[0].content
    assert abs(TEMPLATE_TOK + pieces_of_four(text) - timed.planned_prompt_tok) <= timed.planned_prompt_tok / 100
    assert (timed.timed, timed.reuse_cache, timed.oracle) == (True, False, "")
    assert len(asked) == 8
    shared = text[: text.rindex("\n\n")]
    for request in asked:
        assert request.messages[0].content.startswith(shared)
        assert (request.timed, request.reuse_cache) == (False, True)
        assert request.oracle in shared
    assert [request.id for request in asked[:3]] == ["4k-0.needle.10", "4k-0.key.25", "4k-0.chain.70"]


def test_without_a_cache_fewer_questions_are_asked() -> None:
    """Where the first text showed that each question reads it again, one of each kind is enough."""
    profile = LongContextProfile()
    load = profile.loads(8192)[2]
    answers = {cached: replace(sample(), cached_tok=cached) for cached in (0, 900)}
    counts = [len(requests(profile, load, ready=roomy(reference=lambda _, one=one: one))) for one in answers.values()]
    assert counts == [1 + 3, 1 + 8]


def test_a_server_with_too_little_context_is_not_asked() -> None:
    """The reason has both numbers."""
    profile = LongContextProfile()
    with pytest.raises(NotMeasurable, match="4,096 tokens of context, this needs 8,192"):
        requests(profile, profile.loads(8192)[2], ready=bench(counter(pieces_of_four)))


def test_texts_differ_from_the_first_word() -> None:
    """Over loads and trials, so that no cache of a server can help."""
    profile = LongContextProfile()
    texts = [
        requests(profile, load, trial)[0].messages[0].content for load in profile.loads(8192) for trial in range(6)
    ]
    assert len({text.split()[0] for text in texts}) == len(texts)
    load = profile.loads(8192)[0]
    assert requests(profile, load, 2) == requests(profile, load, 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**40))
def test_every_answer_stands_once_in_the_text_at_its_depth(seed: int) -> None:
    """Facts are distinct, and each stands within 6 % of where it was meant to be."""
    hidden = haystack(seed)
    document = asyncio.run(fresh_document(2500, seed, 1, counter(pieces_of_four), hidden.planted))
    for one in hidden.planted:
        assert document.text.count(one.sentence) == 1
        assert abs(document.text.index(one.sentence) / len(document.text) - one.depth_ratio) < 0.06
    assert len({question.answer for question in hidden.questions}) == len(hidden.questions) == 8
    for question in hidden.questions:
        assert document.text.count(question.answer) == 1


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("4817", True),
        ("The combination is 4,817.", True),
        ("Box 3 holds 4817 coins", True),
        ("5555, or 4817", False),
        ("48170", False),
        ("", False),
        ("I do not know.", False),
    ],
)
def test_answers_are_checked_exactly(answer: str, *, right: bool) -> None:
    """The first number of full length counts, however it is written and whatever stands around it."""
    assert is_right(answer, "4817") is right


def test_only_questions_are_graded() -> None:
    """The timed answer has no right or wrong."""
    profile = LongContextProfile()
    timed, question, *_ = requests(profile, profile.loads(8192)[0])

    def answered(text: str) -> Completion:
        return Completion(0, 1, (Chunk(1, "content", text),), "stop", 1, 0, 1, "usage")

    assert profile.grade(timed, answered("anything")) is None
    assert profile.grade(question, answered(question.oracle)).score == 1.0
    assert profile.grade(question, answered("1")).score == 0.0
