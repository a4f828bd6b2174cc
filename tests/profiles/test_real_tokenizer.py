"""Prompts against the tokenizer and chat template of a real model, counted by a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmtester.domain.work import Message, ModelRef, ServerSettings, Target
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.profiles.prompts import fresh_prompt
from tests.worlds import bench

PROMPTS_OF_EACH_LENGTH = 5
MEAN_LOOKS_LIMIT = 5.0


@pytest.mark.engine
def test_lengths_are_met_on_the_starter_model(starter_model: Path, tmp_path: Path) -> None:
    """From 64 to 32,768 tokens within 1 % (exact up to 999), with at most five looks on average; and the profile's
    requests arrive at the model with the length that they announce."""
    model = ModelRef("starter", "Q4_1", str(starter_model), starter_model.stat().st_size, "starter")
    target = Target("embedded", model, ServerSettings(context_tok=1024, threads=1))

    async def measure() -> None:
        async with EmbeddedEngine().open(target, tmp_path) as session:
            looks = 0

            async def count(messages: Sequence[Message]) -> int:
                nonlocal looks
                looks += 1
                return await session.count_tokens(messages)

            for target_tok in (64, 65, 127, 512, 999, 2048, 32_768):
                looks = 0
                for ordinal in range(PROMPTS_OF_EACH_LENGTH):
                    messages = await fresh_prompt(target_tok, 11, ordinal, count)
                    measured = await session.count_tokens(messages)
                    assert abs(measured - target_tok) <= (0 if target_tok < 1000 else target_tok / 100)
                assert looks / PROMPTS_OF_EACH_LENGTH <= MEAN_LOOKS_LIMIT

            profile = InteractiveProfile()
            load, *_ = profile.loads(None)
            (request,) = await profile.requests(load, 0, 1, bench(session.count_tokens))
            completion = await session.generate(request, lambda at_ns: None)
            assert completion.prompt_tok == request.planned_prompt_tok == load.prompt_tok
            assert completion.completion_tok == load.output_tok
            assert not completion.cached_tok

    asyncio.run(measure())
