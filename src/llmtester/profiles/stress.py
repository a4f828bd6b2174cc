"""Work without a pause: what is left of the speed when the machine is warm, and whether memory keeps growing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmtester.domain.errors import NotMeasurable
from llmtester.domain.ports import Bench
from llmtester.domain.work import Load, Request
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.prompts import fresh_prompt, mix

TRIAL_S = 60.0
"""A kill loses at most this much work."""

REQUESTS_PER_STREAM = 32
"""More than a minute's worth on all but the fastest machines, whose trials are shorter instead."""

QUICK_DURATION_S = 300.0


@dataclass(frozen=True, slots=True)
class StressOptions:
    """How long, how many requests at the same time, and how long they are in tokens."""

    duration_s: float = 1800.0
    concurrency: int = 1
    prompt_tok: int = 256
    output_tok: int = 512


class StressProfile(BaseProfile):
    """Reading and writing in turn, for half an hour. Which model does it is chosen from the results of the others."""

    name: ClassVar[str] = "stress"
    summary: ClassVar[str] = "work without a pause: speed kept when warm, and memory that keeps growing"
    headline: ClassVar[tuple[str, ...]] = ("sustained_tok_per_s", "sustained_ratio")

    def __init__(self, options: StressOptions | None = None, *, quick: bool = False) -> None:
        self.options = options or StressOptions()
        self.quick = quick

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """``sustained``, unless prompt and answer exceed ``context_tok``."""
        options = self.options
        if context_tok is not None and options.prompt_tok + options.output_tok > context_tok:
            return ()
        duration_s = min(options.duration_s, QUICK_DURATION_S) if self.quick else options.duration_s
        trials = math.ceil(duration_s / TRIAL_S)
        load = Load(
            name="sustained",
            prompt_tok=options.prompt_tok,
            output_tok=options.output_tok,
            concurrency=options.concurrency,
            requests_per_trial=REQUESTS_PER_STREAM * options.concurrency,
            min_trials=trials,
            max_trials=trials,
            duration_s=duration_s,
            trial_s=min(TRIAL_S, duration_s),
        )
        return (load,)

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """As many prompts as one trial can use at most, each its own."""
        if bench.facts.slots < load.concurrency:
            raise NotMeasurable(f"this server answers {bench.facts.slots} at a time, not {load.concurrency}")
        prompt_seed = mix(seed, self.name, load.name)
        ordinals = range(trial * load.requests_per_trial, (trial + 1) * load.requests_per_trial)
        return tuple(
            [
                Request(
                    id=f"{load.name}-{ordinal}",
                    messages=await fresh_prompt(load.prompt_tok, prompt_seed, ordinal, bench.count_tokens),
                    max_tok=load.output_tok,
                    planned_prompt_tok=load.prompt_tok,
                    seed=seed,
                )
                for ordinal in ordinals
            ]
        )
