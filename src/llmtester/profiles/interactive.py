"""One person in a chat: how long until the first word, and how fast the words come after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from llmtester.domain.ports import Bench
from llmtester.domain.work import Load, Message, Request
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.prompts import QUESTIONS, fresh_prompt, mix

SHORT, MEDIUM, FOLLOW_UP = LOAD_NAMES = ("short", "medium", "follow_up")
FIRST_ANSWER_TOK = 32
"""Length of the answer that a follow-up refers to: long enough to be a turn, short enough to be cheap."""

FOLLOW_UP_QUESTION_TOK = 24
"""What the second question takes, template of the turn included; only the plan of the load needs it."""

QUICK_MAX_TRIALS = 6
"""Three rounds of two: the third is a second chance for what the first two left open."""


@dataclass(frozen=True, slots=True)
class InteractiveOptions:
    """Lengths in tokens as the server counts them, template included; trials as in ``domain.work.Load``."""

    short_prompt_tok: int = 96
    short_output_tok: int = 128
    medium_prompt_tok: int = 512
    medium_output_tok: int = 128
    follow_up_prompt_tok: int = 320
    follow_up_output_tok: int = 64
    warmup_trials: int = 1
    min_trials: int = 4
    max_trials: int = 10
    precision_ratio: float = 0.03


class InteractiveProfile(BaseProfile):
    """A chat with one user: a short question, one with a page of text pasted into it, and a second question in the
    same conversation, of which the server has already read all but the end."""

    name: ClassVar[str] = "interactive"
    summary: ClassVar[str] = "one person in a chat: time to the first word and writing speed"
    headline: ClassVar[tuple[str, ...]] = ("ttft_ms", "decode_tok_per_s")

    def __init__(self, options: InteractiveOptions | None = None, *, quick: bool = False) -> None:
        self.options = options or InteractiveOptions()
        self.quick = quick

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """``short``, ``medium`` and ``follow_up``, without those whose prompt and answer exceed ``context_tok``."""
        options = self.options
        candidates = (
            self._load(SHORT, options.short_prompt_tok, options.short_output_tok),
            self._load(MEDIUM, options.medium_prompt_tok, options.medium_output_tok),
            replace(
                self._load(FOLLOW_UP, options.follow_up_prompt_tok, options.follow_up_output_tok),
                requests_per_trial=2,
            ),
        )
        return tuple(
            load for load in candidates if context_tok is None or load.prompt_tok + load.output_tok <= context_tok
        )

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """One request of ``load.prompt_tok`` tokens; for ``follow_up`` an untimed first turn and the one after it."""
        if load.name == FOLLOW_UP:
            return await self._conversation(load, trial, seed, bench)
        requests = []
        for index in range(load.requests_per_trial):
            ordinal = (trial * load.requests_per_trial + index) * len(LOAD_NAMES) + LOAD_NAMES.index(load.name)
            prompt_seed = mix(seed, self.name, load.name)
            requests.append(
                Request(
                    id=f"{load.name}-{trial}-{index}",
                    messages=await fresh_prompt(load.prompt_tok, prompt_seed, ordinal, bench.count_tokens),
                    max_tok=load.output_tok,
                    planned_prompt_tok=load.prompt_tok,
                    seed=seed,
                )
            )
        return tuple(requests)

    async def _conversation(self, load: Load, trial: int, seed: int, bench: Bench) -> tuple[Request, Request]:
        """The second turn continues with the answer that the first one really got, and may use the cache."""
        ordinal = trial * len(LOAD_NAMES) + LOAD_NAMES.index(load.name)
        prompt_seed = mix(seed, self.name, load.name)
        first_tok = load.prompt_tok - FIRST_ANSWER_TOK - FOLLOW_UP_QUESTION_TOK
        first = Request(
            id=f"{load.name}-{trial}-first",
            messages=await fresh_prompt(first_tok, prompt_seed, ordinal, bench.count_tokens),
            max_tok=FIRST_ANSWER_TOK,
            planned_prompt_tok=first_tok,
            seed=seed,
            timed=False,
        )
        second = Request(
            id=f"{load.name}-{trial}-second",
            messages=(Message("user", QUESTIONS[ordinal % len(QUESTIONS)]),),
            max_tok=load.output_tok,
            reuse_cache=True,
            seed=seed,
            continues=first.id,
        )
        return first, second

    def _load(self, name: str, prompt_tok: int, output_tok: int) -> Load:
        options = self.options
        highest = min(options.max_trials, QUICK_MAX_TRIALS) if self.quick else options.max_trials
        return Load(
            name=name,
            prompt_tok=prompt_tok,
            output_tok=output_tok,
            warmup_trials=options.warmup_trials,
            min_trials=options.min_trials,
            max_trials=max(options.min_trials, highest),
            precision_ratio=options.precision_ratio,
        )
