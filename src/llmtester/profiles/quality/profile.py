"""``QualityProfile``: asks the reference and each of its quantizations the same, in small steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from llmtester.domain.errors import NotMeasurable
from llmtester.domain.logprobs import unpack
from llmtester.domain.ports import Bench
from llmtester.domain.records import Completion, Grade
from llmtester.domain.work import Load, Message, Request, ServerSettings, Timeouts
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.quality import question_set, scoring
from llmtester.profiles.quality.question_set import QuestionSet
from llmtester.profiles.quality.texts import OPEN_TEXTS, TEXTS, Text, texts_content

FIDELITY, FLOOR, TASKS, STABILITY = "fidelity", "floor", "tasks", "stability"
TEXTS_PER_TRIAL, FLOOR_TRIALS, ITEMS_PER_TRIAL, OPEN_PER_TRIAL = 4, 2, 8, 2
"""Small trials, so that a kill loses little."""

REFERENCE_LIST_COUNT = 60
"""Listed at each place for reference and candidate alike; the first 40 of the reference enter the divergence."""

SHORTEST_TEXT_TOK = 8
"""A text of which fewer tokens could be followed says nothing about its kind."""

QUICK_ITEMS, QUICK_OPEN = 72, 4
LONGEST_PROMPT_TOK = 420
"""The longest of our prompts, in tokens of a small vocabulary; a longer context is not needed."""

TYPICAL_PROMPT_TOK = 80
"""For the forecast: questions take 60 to 110 tokens, texts 40."""

OPEN_TEMPERATURE = 0.7
DAMAGING_CACHES = frozenset({"q4_0"})
"""Measured on a sound file: 0.05 nats and one word in ten, as much as a file of 4 bits; 8 bits cost 0.004 nats."""

TIMEOUTS = Timeouts(total_s=1800.0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QualityOptions:
    """``questions``: a file that replaces or extends the standard set; ``texts`` are followed. Lengths in tokens."""

    questions: Path | None = None
    texts: tuple[Text, ...] = TEXTS
    text_tok: int = 40
    open_tok: int = 256
    items_count: int | None = None


class QualityProfile(BaseProfile):
    """Fidelity to the reference, questions with known answers, and long free answers.

    Request ids say what a sample is: ``text.KIND.N`` (followed text), ``floor.KIND.N`` (the reference along its own
    text), ``CATEGORY.TEMPLATE.N`` (question), ``open.KIND.N`` (free answer).
    """

    name: ClassVar[str] = "quality"
    summary: ClassVar[str] = "how much a quantization costs: same words, same answers, no loops"
    headline: ClassVar[tuple[str, ...]] = ()
    compares: ClassVar[bool] = True
    reference_loads: ClassVar[tuple[str, ...]] = (FLOOR,)

    def __init__(self, options: QualityOptions | None = None, *, quick: bool = False) -> None:
        self.options = options or QualityOptions()
        self.quick = quick
        self._questions: QuestionSet | None = None

    @property
    def questions(self) -> QuestionSet:
        """The set in force, read when first needed. Raises ``ConfigurationError`` for a file that cannot be used."""
        if self._questions is None:
            path = self.options.questions
            self._questions = question_set.load(path) if path else question_set.standard()
        return self._questions

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """All loads that fit ``context_tok``; trials are batches of texts or questions and never repeat."""
        options = self.options
        items = self._items_count()
        texts = len(options.texts)
        opens = QUICK_OPEN if self.quick else len(OPEN_TEXTS)
        longest_tok = max((item.max_tok for item in self.questions.items[:items]), default=1)
        texts_name, items_name = texts_content(options.texts), f"questions {self.questions.hash[:12]}"
        candidates = (
            _load(FIDELITY, texts, TEXTS_PER_TRIAL, options.text_tok, texts_name),
            _load(FLOOR, min(texts, FLOOR_TRIALS * TEXTS_PER_TRIAL), TEXTS_PER_TRIAL, options.text_tok, texts_name),
            replace(_load(TASKS, items, ITEMS_PER_TRIAL, longest_tok, items_name), **self._stopping(items)),
            _load(STABILITY, opens, OPEN_PER_TRIAL, options.open_tok, texts_name),
        )
        return tuple(load for load in candidates if context_tok is None or _needed_tok(load) <= context_tok)

    def refuses(self, server: ServerSettings) -> str | None:
        """A cache that damages the reference would hide what the quantization costs."""
        if not DAMAGING_CACHES & {server.cache_type_k, server.cache_type_v}:
            return None
        return (
            "a cache of 4 bits damages the reference too, so nothing sound is left to compare with; measure quality by "
            "itself: --profiles quality --set server.cache_type_k=f16 --set server.cache_type_v=f16"
        )

    def _stopping(self, items: int) -> dict[str, Any]:
        """In quick mode questions end as soon as the answer is clear, after two batches at least."""
        return {"sequential": True, "min_trials": min(2, _trials(items, ITEMS_PER_TRIAL))} if self.quick else {}

    def _items_count(self) -> int:
        wanted = self.options.items_count or len(self.questions.items)
        wanted = min(wanted, QUICK_ITEMS) if self.quick and self.options.items_count is None else wanted
        return min(wanted, len(self.questions.items))

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """The batch number ``trial``. ``seed`` is not used: everybody is asked the same, so that runs compare.

        Raises ``NotMeasurable`` where the server tells no probabilities, the model has no chat template, or the
        reference has nothing to follow.
        """
        if load.name in {FIDELITY, FLOOR}:
            return self._followed(load, trial, bench)
        if bench.target.model.has_chat_template is False:
            raise NotMeasurable("the file holds no chat template, so it cannot be asked questions")
        return self._free(trial) if load.name == STABILITY else self._asked(trial)

    def grade(self, request: Request, completion: Completion) -> Grade | None:
        """Right or wrong for a question; ``None`` for texts."""
        item = next((item for item in self.questions.items if item.id == request.id), None)
        if item is None:
            return None
        return scoring.grade(item, completion.text, complete=completion.finish != "length")

    def _followed(self, load: Load, trial: int, bench: Bench) -> tuple[Request, ...]:
        if not bench.facts.capabilities.logprobs:
            raise NotMeasurable(f"{bench.facts.engine} does not tell the probabilities of tokens")
        made = []
        for text in _batch(self.options.texts, trial, TEXTS_PER_TRIAL):
            prefix = "floor" if load.name == FLOOR else "text"
            if bench.is_reference and load.name == FIDELITY:
                made.append(self._text_request(prefix, text, None))
                continue
            told = bench.reference(f"text.{text.id}")
            forced = tuple(position.token for position in unpack(told.logprobs)) if told else ()
            if len(forced) >= SHORTEST_TEXT_TOK:
                made.append(self._text_request(prefix, text, forced))
        if not made and trial == 0:
            raise NotMeasurable("the reference wrote nothing that could be followed")
        return tuple(made)

    def _text_request(self, prefix: str, text: Text, forced: tuple[int, ...] | None) -> Request:
        return Request(
            id=f"{prefix}.{text.id}",
            messages=(Message("user", text.prompt),),
            max_tok=len(forced) if forced else self.options.text_tok,
            fixed_length=False,
            forced_tok=forced,
            top_logprobs_count=REFERENCE_LIST_COUNT,
            thinking=False,
            timeouts=TIMEOUTS,
        )

    def _asked(self, trial: int) -> tuple[Request, ...]:
        items = self.questions.items[: self._items_count()]
        return tuple(
            Request(
                id=item.id,
                messages=(Message("user", item.prompt),),
                max_tok=item.max_tok,
                fixed_length=False,
                thinking=False,
                oracle=item.oracle,
                timeouts=TIMEOUTS,
            )
            for item in _batch(items, trial, ITEMS_PER_TRIAL)
        )

    def _free(self, trial: int) -> tuple[Request, ...]:
        return tuple(
            Request(
                id=f"open.{text.id}",
                messages=(Message("user", text.prompt),),
                max_tok=self.options.open_tok,
                fixed_length=False,
                temperature=OPEN_TEMPERATURE,
                thinking=False,
                timeouts=TIMEOUTS,
            )
            for text in _batch(OPEN_TEXTS, trial, OPEN_PER_TRIAL)
        )


def _trials(asked_count: int, per_trial: int) -> int:
    return -(-asked_count // per_trial)


def _load(name: str, asked_count: int, per_trial: int, output_tok: int, content: str) -> Load:
    trials = _trials(asked_count, per_trial)
    return Load(
        name=name,
        prompt_tok=TYPICAL_PROMPT_TOK,
        output_tok=output_tok,
        requests_per_trial=per_trial,
        warmup_trials=0,
        min_trials=trials,
        max_trials=trials,
        content=content,
    )


def _needed_tok(load: Load) -> int:
    return LONGEST_PROMPT_TOK + load.output_tok


def _batch(items: Sequence[T], number: int, size: int) -> Sequence[T]:
    return items[number * size : (number + 1) * size]
