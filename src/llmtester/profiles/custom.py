"""The user's own prompts: how fast they are answered and, where an answer is expected, how often it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmtester.domain.errors import ConfigurationError, NotMeasurable
from llmtester.domain.ports import Bench
from llmtester.domain.records import Completion, Grade
from llmtester.domain.work import Load, Message, Request, Timeouts
from llmtester.profiles import own_prompts
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.own_prompts import OwnPrompt
from llmtester.profiles.prompts import fresh_prompt, mix

MOST_PER_TRIAL = 20
"""A trial that is lost costs at most that many answers."""

FEWEST_TRIALS = 5
"""From five trials on, a speed has an interval; so few prompts are spread over that many trials."""

CHARACTERS_PER_TOK = 3.0
"""Fewer than any tokenizer needs for prose in a European language, so that the server has room; the real count is taken
before the first request."""

TEMPLATE_TOK = 64
WARM_UP_TOK = 64
TIMEOUTS = Timeouts(total_s=1800.0)


@dataclass(frozen=True, slots=True)
class CustomOptions:
    """``file`` and ``prompts`` (each as a line of JSON Lines would have it) together; ``max_tok`` of the answers."""

    file: Path | None = None
    prompts: tuple[Mapping[str, Any], ...] = ()
    max_tok: int = 512


class CustomProfile(BaseProfile):
    """Every prompt is asked once, cold, and ends when the model ends it. Request ids are those of the prompts."""

    name: ClassVar[str] = "custom"
    summary: ClassVar[str] = "your own prompts: how fast, and how often right"
    headline: ClassVar[tuple[str, ...]] = ("ttft_ms", "decode_tok_per_s")

    def __init__(self, options: CustomOptions | None = None, *, quick: bool = False) -> None:
        self.options = options or CustomOptions()
        self._prompts: tuple[OwnPrompt, ...] | None = None

    @property
    def prompts(self) -> tuple[OwnPrompt, ...]:
        """Read when first needed. Raises ``ConfigurationError`` for what cannot be used, and if there are none."""
        if self._prompts is None:
            options = self.options
            found: list[OwnPrompt] = []
            if options.file is not None:
                found += own_prompts.read_file(options.file)
            if options.prompts:
                places = (f"profiles.custom.prompts, entry {number}" for number in range(1, len(options.prompts) + 1))
                found += own_prompts.collect(zip(places, options.prompts, strict=True))
            if not found:
                raise ConfigurationError(
                    "the profile custom has no prompts", fix="name a file: llmtester run --prompts FILE.jsonl"
                )
            names = [one.id for one in found]
            self._prompts = tuple(
                one if names.count(one.id) == 1 else _renamed(one, number) for number, one in enumerate(found, start=1)
            )
        return self._prompts

    @property
    def content(self) -> str:
        return f"own prompts {own_prompts.content_hash(self.prompts)}"

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """One load. Where a prompt may be too long for the model, it gets all the context that the model has, and the
        real length decides before the first request."""
        output_tok = max(self._answer_tok(one) for one in self.prompts)
        characters = max(len(one.prompt) + len(one.system) for one in self.prompts)
        prompt_tok = TEMPLATE_TOK + round(characters / CHARACTERS_PER_TOK)
        if context_tok is not None:
            prompt_tok = max(1, min(prompt_tok, context_tok - output_tok))
        trials = -(-len(self.prompts) // self._per_trial)
        return (
            Load(
                name="own",
                prompt_tok=prompt_tok,
                output_tok=output_tok,
                requests_per_trial=self._per_trial,
                min_trials=trials,
                max_trials=trials,
                content=self.content,
            ),
        )

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """The prompts of one trial. A warm-up, which is drawn from later trials, asks something of our own.

        Raises ``NotMeasurable`` if a prompt and its answer do not fit into the context of the server, and if the
        prompts are not those that the run was planned with.
        """
        if load.content != self.content:
            raise NotMeasurable("the prompts have changed since this run was planned")
        if trial == 0:
            await self._refuse_too_long(bench)
        first = trial * self._per_trial
        if first >= len(self.prompts):
            return (await self._warm_up(load, trial, seed, bench),)
        return tuple(
            Request(
                id=one.id,
                messages=_messages(one),
                max_tok=self._answer_tok(one),
                fixed_length=False,
                seed=seed,
                timeouts=TIMEOUTS,
            )
            for one in self.prompts[first : first + self._per_trial]
        )

    def grade(self, request: Request, completion: Completion) -> Grade | None:
        """``None`` for a prompt without an expectation."""
        one = next((one for one in self.prompts if one.id == request.id), None)
        return one.expectation.grade(completion.text) if one and one.expectation else None

    async def _warm_up(self, load: Load, trial: int, seed: int, bench: Bench) -> Request:
        messages = await fresh_prompt(WARM_UP_TOK, mix(seed, self.name), trial, bench.count_tokens)
        return Request(f"warm-up-{trial}", messages, min(WARM_UP_TOK, load.output_tok), seed=seed, timed=False)

    @property
    def _per_trial(self) -> int:
        return max(1, min(MOST_PER_TRIAL, -(-len(self.prompts) // FEWEST_TRIALS)))

    def _answer_tok(self, one: OwnPrompt) -> int:
        return one.max_tok or self.options.max_tok

    async def _refuse_too_long(self, bench: Bench) -> None:
        given_tok = bench.facts.context_tok
        for one in self.prompts if given_tok else ():
            prompt_tok, answer_tok = await bench.count_tokens(_messages(one)), self._answer_tok(one)
            if prompt_tok + answer_tok > given_tok:
                raise NotMeasurable(
                    f"{one.where} has {prompt_tok:,} tokens and asks for up to {answer_tok:,} more, "
                    f"the context is {given_tok:,}"
                )


def _messages(one: OwnPrompt) -> tuple[Message, ...]:
    user = Message("user", one.prompt)
    return (Message("system", one.system), user) if one.system else (user,)


def _renamed(one: OwnPrompt, number: int) -> OwnPrompt:
    """Numbers of a file and of the settings may meet; the place in the whole list tells them apart."""
    return OwnPrompt(f"{one.id}.{number}", one.prompt, one.where, one.system, one.max_tok, one.expectation)
