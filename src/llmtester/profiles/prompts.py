"""Prompts that no server has seen before, as long as asked for to the token.

A prompt is a heading, prose that breaks off, and a question. The heading is the nonce: six words that differ from
prompt to prompt, so that no engine can answer from a cached prefix whatever its settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from random import Random

from llmtester.domain.ports import CountTokens
from llmtester.domain.work import Message
from llmtester.profiles.prose import chooser, seeded, sentences
from llmtester.profiles.vocabulary import SUBJECTS

QUESTIONS = (
    "What could happen next? Tell it at length.",
    "Explain in detail what this is about.",
    "Who is meant here, and what do they want?",
    "Continue this text in the same style.",
    "Describe the place and the people at length.",
    "Tell this as a long story for children.",
    "Which details matter most, and why?",
    "Turn this into a long letter to a friend.",
    "List the facts and discuss each one.",
    "What questions does this text leave open?",
)
BREAK = " ..."
BEFORE_QUESTION = "\n\n"
FILLERS = ("and", "so", "on", "and", "so", "forth")
"""Words of one token in every tokenizer that knows English. They close a gap that the next whole word overshoots."""
FILLERS_EARLY = 3
"""A gap this small is closed at once; a wider one only when no whole word fits any more."""

EXACT_BELOW_TOK = 1000
"""Shorter prompts are made exact; longer ones may lack one token in a thousand, which saves looks. They are never too
long, because a context may have no room for one token more."""

LOOKS_LIMIT = 16
PARTS_LIMIT = 8
USUAL_TOK_PER_WORD = 1.3
USUAL_TEMPLATE_TOK = 60


def mix(*parts: str | int) -> int:
    """A seed below 2**64 that depends on all parts; equal on every machine and Python."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


_NOUNS = tuple(dict.fromkeys(noun for subject in SUBJECTS for noun in subject.things))
_ADJECTIVES = tuple(dict.fromkeys(adjective for subject in SUBJECTS for adjective in subject.adjectives))
FIRST_WORDS = tuple(dict.fromkeys((*_ADJECTIVES, *_NOUNS)))
_STEP = next(
    step for step in range(int(len(FIRST_WORDS) * 0.618), len(FIRST_WORDS)) if gcd(step, len(FIRST_WORDS)) == 1
)


def heading(seed: int, ordinal: int) -> str:
    """``brass lantern, quiet harbour and humming drum``, the first word given by ``ordinal``, the rest by the seed.

    Up to ``len(FIRST_WORDS)`` neighbouring ordinals begin with different words. Small letters, because capitalised
    words often share their first token: 181 first tokens of 365 words with SmolLM2's tokenizer, against 259.
    """
    first = FIRST_WORDS[ordinal * _STEP % len(FIRST_WORDS)]
    choose = chooser(seeded(mix(seed, ordinal, "heading")))
    one, two, three = (choose(_NOUNS) for _ in range(3))
    return f"{first} {one}, {choose(_ADJECTIVES)} {two} and {choose(_ADJECTIVES)} {three}"


async def fresh_prompt(target_tok: int, seed: int, ordinal: int, count_tokens: CountTokens) -> tuple[Message, ...]:
    """One user message of ``target_tok`` tokens, template included.

    Equal arguments and tokenizer give equal messages. Exact below ``EXACT_BELOW_TOK`` for tokenizers that know English
    words, at most one short where each byte is a token; above up to a thousandth shorter, never longer. Where template
    and heading alone are longer, the shortest prompt. Looks at the count about four times. Raises what
    ``count_tokens`` raises.
    """
    document = await fresh_document(target_tok, seed, ordinal, count_tokens)
    return (document.asking(document.question),)


@dataclass(frozen=True, slots=True)
class Planted:
    """A sentence that stands in a document after ``depth_ratio`` of its words, between two of its sentences."""

    depth_ratio: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text that no server has seen, and a question about it; together they have the length that was asked for."""

    text: str
    question: str

    def asking(self, question: str) -> Message:
        """The text with a question after it. Whatever the question, the text before it is the same."""
        return Message("user", f"{self.text}{BEFORE_QUESTION}{question}")


async def fresh_document(
    target_tok: int, seed: int, ordinal: int, count_tokens: CountTokens, planted: Sequence[Planted] = ()
) -> Document:
    """A document of ``target_tok`` tokens, template and question included, as ``fresh_prompt`` has it."""
    search = _Search(target_tok, count_tokens)
    random = seeded(mix(seed, ordinal, "text"))
    question = chooser(random)(QUESTIONS)
    ending = f"{BEFORE_QUESTION}{question}"
    draft = _Draft(heading(seed, ordinal), ending, _pieces(random), planted)
    await _fit(search, draft)
    whole = search.best.endswith(ending)
    return Document(search.best.removesuffix(ending), question) if whole else _Bare(search.best, "")


class _Bare(Document):
    """A text too short to have a question."""

    def asking(self, question: str) -> Message:
        return Message("user", self.text)


class _Draft:
    """A prompt with its first ``count`` words of prose, for any ``count``."""

    def __init__(self, start: str, ending: str, pieces: Iterator[str], planted: Sequence[Planted] = ()) -> None:
        self._start = start
        self._ending = ending
        self._source = pieces
        self._pieces: list[str] = []
        self._planted = sorted(planted, key=lambda one: one.depth_ratio)

    def piece(self, index: int) -> str:
        """The word at ``index`` with the white space before it."""
        while len(self._pieces) <= index:
            self._pieces.append(next(self._source))
        return self._pieces[index]

    def text(self, count: int, extra: str = "") -> str:
        """The prompt with ``count`` words of prose, ``extra`` after them (after the heading, where there are none).

        Below zero, words of the heading go instead, down to two; then the question goes, then the second word.
        """
        if count > 0:
            self.piece(count - 1)
            return f"{self._start}:{self._prose(count)}{extra}{BREAK}{self._ending}"
        words = self._start.split(" ")
        if count >= 2 - len(words):
            return f"{' '.join(words[: len(words) + count]).rstrip(',')}{extra}:{self._ending}"
        return " ".join(words[: 2 if count > -len(words) else 1]) + extra

    def _prose(self, count: int) -> str:
        """The first ``count`` words, with what is planted among them."""
        cuts = [0]
        for one in self._planted:
            place = max(cuts[-1], int(one.depth_ratio * count))
            while place < count and not self._pieces[place - 1].rstrip('"').endswith((".", "?", "!")):
                place += 1
            cuts.append(place)
        cuts.append(count)
        parts = ["".join(self._pieces[start:end]) for start, end in pairwise(cuts)]
        sentences = [f" {one.sentence}" for one in self._planted]
        return parts[0] + "".join(sentence + part for sentence, part in zip(sentences, parts[1:], strict=True))

    @property
    def shortest(self) -> int:
        """The lowest ``count``: a single word is left."""
        return -len(self._start.split(" "))


class _Search:
    """Counts texts and remembers the one nearest to the target."""

    def __init__(self, target_tok: int, count_tokens: CountTokens) -> None:
        self.target_tok = target_tok
        self.best = ""
        self._count_tokens = count_tokens
        self._tolerance_tok = 0 if target_tok < EXACT_BELOW_TOK else target_tok // 1000
        self._best_gap: int | None = None

    async def gap(self, text: str) -> int:
        """Tokens that are missing; negative if the text is too long."""
        gap = self.target_tok - await self._count_tokens((Message("user", text),))
        if self._best_gap is None or _rank(gap) < _rank(self._best_gap):
            self.best, self._best_gap = text, gap
        return gap

    @property
    def found(self) -> bool:
        return self._best_gap is not None and 0 <= self._best_gap <= self._tolerance_tok


def _rank(gap: int) -> tuple[bool, int]:
    """Texts that are too long come after all others."""
    return gap < 0, abs(gap)


async def _fit(search: _Search, draft: _Draft) -> None:
    """Narrows the number of words by interpolation, and closes what is left with small words or a part of a word."""
    low, high = draft.shortest - 1, None
    low_gap, high_gap = 0, 0
    count = max(0, round((search.target_tok - USUAL_TEMPLATE_TOK) / USUAL_TOK_PER_WORD))
    for _ in range(LOOKS_LIMIT):
        gap = await search.gap(draft.text(count))
        if search.found:
            return
        if gap > 0:
            low, low_gap = count, gap
            if gap <= FILLERS_EARLY and await _filled(search, draft, count, gap):
                return
        else:
            high, high_gap = count, gap
        if high is not None and high - low <= 1:
            break
        count = _next_count(low, low_gap, high, high_gap)
    if low >= draft.shortest and not await _filled(search, draft, low, low_gap) and low > 0:
        await _filled_with_part(search, draft, low, low_gap / (low_gap - high_gap))


def _next_count(low: int, low_gap: int, high: int | None, high_gap: int) -> int:
    """Where the target lies between what was too short (``low_gap`` > 0) and what was too long, by a straight line."""
    if high is None:
        return low + max(1, round(low_gap / USUAL_TOK_PER_WORD))
    if low_gap <= 0:
        return max(low + 1, high - max(1, round(-high_gap / USUAL_TOK_PER_WORD)))
    middle = low + round((high - low) * low_gap / (low_gap - high_gap))
    return min(max(middle, low + 1), high - 1)


async def _filled(search: _Search, draft: _Draft, count: int, gap: int) -> bool:
    await search.gap(draft.text(count, "".join(f" {word}" for word in FILLERS[:gap])))
    return search.found


async def _filled_with_part(search: _Search, draft: _Draft, count: int, share: float) -> None:
    """Closes the gap with the beginning of the next word, of whose tokens ``share`` fit; the likely lengths first."""
    following = draft.piece(count)
    likely = share * len(following)
    for length in sorted(range(2, len(following)), key=lambda length: abs(length - likely))[:PARTS_LIMIT]:
        await search.gap(draft.text(count, following[:length]))
        if search.found:
            return


def _pieces(random: Random) -> Iterator[str]:
    """The words of endless prose, each with the white space that comes before it."""
    before = " "
    for sentence in sentences(random):
        for word in sentence.split():
            yield before + word
            before = " "
        if sentence.endswith("\n"):
            before = "\n\n"
