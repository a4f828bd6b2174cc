"""One long text at a time: how long reading it takes, how fast the answer comes, and whether facts in it are found.

Reading is what costs. So each trial reads one fresh text, times the answer to it, and then asks about the facts that
are hidden in the same text, with the cache that a real conversation would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from llmtester.domain.errors import NotMeasurable
from llmtester.domain.ports import Bench
from llmtester.domain.records import Completion, Grade
from llmtester.domain.work import Load, Request, Timeouts
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.haystack import Haystack, Question, haystack, is_right
from llmtester.profiles.prompts import fresh_document, mix

SIZES_TOK = (1024, 4096, 8192, 16384, 32768, 65536, 131072)
"""A short text, which shows what the model can do at all, and then steps in which the work at least doubles."""

OWN_LIMIT_RATIO = 1.25
"""What the model was trained for is a step of its own if it is that far beyond the step below."""

LARGEST_UNKNOWN_TOK = 32768
"""Where it is not known what a model was trained for."""

QUICK_LARGEST_TOK = 16384
QUICK_TRIALS = 1

ANSWER_TOK = 24
"""Room for a number and a few words around it."""

LEAST_ROOM_TOK = 64
"""What the longest question and its answer may need beyond the question that is timed."""

QUESTIONS_UNCACHED = 3
"""One of each kind, where every question costs reading the whole text again."""

TIMEOUTS = Timeouts(first_token_s=900.0, total_s=1800.0)


@dataclass(frozen=True, slots=True)
class LongContextOptions:
    """``sizes_tok``: prompt and answer together, rising. ``output_tok``: length of the answer whose speed counts."""

    sizes_tok: tuple[int, ...] = SIZES_TOK
    output_tok: int = 96
    trials: int = 3


class LongContextProfile(BaseProfile):
    """Loads are named by their size: ``1k``, ``4k``, ``8k`` and on, up to what the model was trained for.

    Request ids are ``SIZE-TRIAL`` for the timed one and ``SIZE-TRIAL.KIND.DEPTH`` for a question.
    """

    name: ClassVar[str] = "long_context"
    summary: ClassVar[str] = "long texts: how much it can work with, how fast, and whether it finds what is in them"
    headline: ClassVar[tuple[str, ...]] = ("ttft_ms", "decode_tok_per_s", "accuracy_ratio")

    def __init__(self, options: LongContextOptions | None = None, *, quick: bool = False) -> None:
        self.options = options or LongContextOptions()
        self.quick = quick

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """The sizes up to ``context_tok``, and that size itself if it is far beyond the last one."""
        limit_tok = LARGEST_UNKNOWN_TOK if context_tok is None else context_tok
        sizes = [size for size in self.options.sizes_tok if size <= limit_tok]
        beyond = [size for size in self.options.sizes_tok if size > limit_tok]
        if beyond and limit_tok > OWN_LIMIT_RATIO * max(sizes, default=0) and limit_tok >= min(SIZES_TOK):
            sizes.append(limit_tok)
        if self.quick:
            sizes = [size for size in sizes if size <= QUICK_LARGEST_TOK]
        return tuple(self._load(size, warmup=size == sizes[0]) for size in sizes)

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """The timed request, then the questions about the same text.

        Raises ``NotMeasurable`` if the server turns out to have less context than the load needs.
        """
        size_tok = load.prompt_tok + load.output_tok
        given_tok = bench.facts.context_tok
        if given_tok and given_tok < size_tok:
            raise NotMeasurable(f"the server has {given_tok:,} tokens of context, this needs {size_tok:,}")
        hidden = haystack(mix(seed, self.name, load.name, trial))
        ordinal = trial * len(SIZES_TOK) + _place(size_tok)
        text_seed = mix(seed, self.name, load.name)
        document = await fresh_document(load.prompt_tok, text_seed, ordinal, bench.count_tokens, hidden.planted)
        timed = Request(
            id=f"{load.name}-{trial}",
            messages=(document.asking(document.question),),
            max_tok=load.output_tok,
            planned_prompt_tok=load.prompt_tok,
            seed=seed,
            timeouts=TIMEOUTS,
        )
        asked = [
            replace(
                timed,
                id=f"{timed.id}.{question.id}",
                messages=(document.asking(question.text),),
                max_tok=ANSWER_TOK,
                planned_prompt_tok=None,
                fixed_length=False,
                reuse_cache=True,
                thinking=False,
                oracle=question.answer,
                timed=False,
            )
            for question in self._questions(hidden, bench)
        ]
        return (timed, *asked)

    def grade(self, request: Request, completion: Completion) -> Grade | None:
        """Right or wrong for a question; ``None`` for the timed request."""
        if not request.oracle:
            return None
        right = is_right(completion.text, request.oracle)
        return Grade(1.0, "right") if right else Grade(0.0, "wrong", f"expected {request.oracle}")

    def _questions(self, hidden: Haystack, bench: Bench) -> Sequence[Question]:
        """All of them, unless the answers to the first text of this target show that its server keeps no cache."""
        first = self.loads(bench.target.model.context_tok)[0]
        earlier = bench.reference(f"{first.name}-0.{hidden.questions[0].id}")
        uncached = earlier is not None and not earlier.cached_tok
        return hidden.questions[:QUESTIONS_UNCACHED] if uncached else hidden.questions

    def _load(self, size_tok: int, *, warmup: bool) -> Load:
        options = self.options
        output_tok = max(options.output_tok, LEAST_ROOM_TOK)
        trials = min(options.trials, QUICK_TRIALS) if self.quick else options.trials
        return Load(
            name=f"{round(size_tok / 1024)}k",
            prompt_tok=size_tok - output_tok,
            output_tok=output_tok,
            warmup_trials=1 if warmup else 0,
            min_trials=trials,
            max_trials=trials,
        )


def _place(size_tok: int) -> int:
    """A number below ``len(SIZES_TOK)`` that differs between neighbouring sizes."""
    return sum(size < size_tok for size in SIZES_TOK) % len(SIZES_TOK)
