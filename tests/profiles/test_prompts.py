"""Prompts: exact length, never twice, equal everywhere, and made of real sentences."""

from __future__ import annotations

import asyncio
import re
import time
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.profiles.prompts import FIRST_WORDS, fresh_prompt, heading, mix
from llmtester.profiles.prose import seeded, sentences
from tests.profiles.tokenizers import TEMPLATE_TOK, TOKENIZERS, counter, pieces_of_four, words_and_marks

TOLERANCE_RATIO = 0.01


def prompt(target_tok: int, ordinal: int = 0, tokenizer: str = "pieces", seed: int = 1) -> str:
    messages = asyncio.run(fresh_prompt(target_tok, seed, ordinal, counter(TOKENIZERS[tokenizer])))
    (message,) = messages
    assert message.role == "user"
    return message.content


@settings(max_examples=60, deadline=None)
@given(
    target_tok=st.integers(64, 6000),
    seed=st.integers(0, 2**64 - 1),
    ordinal=st.integers(0, 10**7),
    tokenizer=st.sampled_from(["words", "pieces"]),
)
def test_length_is_within_one_percent(target_tok: int, seed: int, ordinal: int, tokenizer: str) -> None:
    """Any length, seed and word tokenizer: the templated prompt is within 1 % of what was asked for."""
    text = prompt(target_tok, ordinal, tokenizer, seed)
    measured = TEMPLATE_TOK + TOKENIZERS[tokenizer](text)
    assert abs(measured - target_tok) <= target_tok * TOLERANCE_RATIO


@settings(max_examples=40, deadline=None)
@given(target_tok=st.integers(256, 20_000), seed=st.integers(0, 2**64 - 1))
def test_byte_tokenizers_are_met_as_well(target_tok: int, seed: int) -> None:
    """Where each byte is a token, a word costs up to fifteen, and the length still fits."""
    measured = TEMPLATE_TOK + TOKENIZERS["bytes"](prompt(target_tok, 3, "bytes", seed))
    assert abs(measured - target_tok) <= target_tok * TOLERANCE_RATIO


def test_a_gap_of_nearly_a_long_word_is_closed_with_its_beginning() -> None:
    """Twelve bytes are missing and the next word has thirteen: its first twelve are found, to the byte."""
    assert TEMPLATE_TOK + TOKENIZERS["bytes"](prompt(257, 3, "bytes", 17_964)) == 257


@pytest.mark.parametrize("target_tok", [64, 512, 4096, 32_768])
def test_few_looks_at_the_tokenizer(target_tok: int) -> None:
    """Counting is a request to the server; five are enough on average, whatever the length."""
    looks: list[str] = []
    for ordinal in range(20):
        asyncio.run(fresh_prompt(target_tok, 5, ordinal, counter(pieces_of_four, looks)))
    assert len(looks) / 20 <= 5


def test_a_long_prompt_is_written_quickly() -> None:
    """32k tokens take well under a second besides counting (measured: 25 ms on one core)."""
    started_ns = time.perf_counter_ns()
    asyncio.run(fresh_prompt(32_768, 1, 1, counter(lambda text: len(text) // 5)))
    assert time.perf_counter_ns() - started_ns < 500_000_000


def test_ten_thousand_prompts_share_no_beginning() -> None:
    """No two of 10,000 prompts of one run have the first eight tokens in common, at four characters a token."""
    beginnings = {tuple(re.findall(r" ?\w{1,4}|[^\w\s]", heading(1, ordinal))[:8]) for ordinal in range(10_000)}
    assert len(beginnings) == 10_000


def test_neighbouring_prompts_differ_from_the_first_word_on() -> None:
    """As many neighbours as there are first words begin with different words."""
    first = {heading(9, ordinal).split()[0] for ordinal in range(500, 500 + len(FIRST_WORDS))}
    assert len(first) == len(FIRST_WORDS) >= 300


def test_equal_seeds_give_equal_prompts_on_every_python() -> None:
    """The words for a seed are frozen here: a change would silently make two runs incomparable."""
    assert heading(1, 0) == "salty ticket, rhythmic parcel and golden tune"
    assert mix(1, "interactive", "short") == 300561800098490817
    assert next(sentences(seeded(1))).startswith(
        "Felix Lorimer wrote down the price of the jar, the weight of the barley"
    )


def test_different_ordinals_and_seeds_change_the_text_itself() -> None:
    """Not only the heading differs: the prose and the question are drawn anew as well."""
    bodies = {prompt(256, ordinal, seed=seed).partition(":")[2] for ordinal in range(10) for seed in (1, 2)}
    assert len(bodies) == 20


def test_sentences_are_sentences() -> None:
    """2,000 sentences begin with a capital or a quotation mark, end with a mark, and leave no slot unfilled."""
    for sentence in islice(sentences(seeded(3)), 2000):
        text = sentence.strip()
        assert re.fullmatch(r"[A-Z\"].*[.?!\"]", text)
        assert not re.search(r"[{}]|  ", text)
        assert not re.search(r"\ba [aeiou]|\ban (?!hour)[^aeiou]", text)


def test_prose_does_not_repeat_itself() -> None:
    """Among 2,000 sentences hardly any is said twice, so a model cannot fall into copying."""
    said = list(islice(sentences(seeded(4)), 2000))
    assert len(set(said)) > 1990


def test_a_target_below_the_template_gives_the_shortest_prompt() -> None:
    """Where the template alone is longer than asked for, one word is sent instead of nothing."""
    text = prompt(8, tokenizer="words")
    assert words_and_marks(text) <= 2
    assert text
