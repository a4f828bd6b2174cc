"""A profile: can the model write three lines when three lines are asked for, and how fast?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from llmtester.domain.ports import Bench
from llmtester.domain.records import Completion, Grade
from llmtester.domain.work import Load, Message, Request
from llmtester.profiles.base import BaseProfile

SUBJECTS = ("a river", "the first frost", "an empty street", "a kettle", "old maps", "rain on tin")


class HaikuProfile(BaseProfile):
    """One short request for each trial; an answer of exactly three lines scores 1."""

    name: ClassVar[str] = "haiku"
    summary: ClassVar[str] = "three lines of verse on request"
    headline: ClassVar[tuple[str, ...]] = ("ttft_ms", "decode_tok_per_s")

    def __init__(self, options: None = None, *, quick: bool = False) -> None:
        self.quick = quick

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        return (Load("three-lines", prompt_tok=32, output_tok=48, max_trials=5 if self.quick else 8),)

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        # A number in front makes every prompt new, so that no server answers from its cache.
        subject = SUBJECTS[(seed + trial) % len(SUBJECTS)]
        text = f"No. {seed}-{trial}. Write a haiku of three lines about {subject}. Only the haiku."
        return (
            Request(
                id=f"{load.name}-{trial}",
                messages=(Message("user", text),),
                max_tok=load.output_tok,
                fixed_length=False,
                seed=seed,
            ),
        )

    def grade(self, request: Request, completion: Completion) -> Grade:
        lines = [line for line in completion.text.splitlines() if line.strip()]
        return Grade(float(len(lines) == 3), "three lines" if len(lines) == 3 else f"{len(lines)} lines")
