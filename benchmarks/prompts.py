"""What a prompt of 32,768 tokens costs besides counting its tokens: the time between two trials of a long load."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence

from llmtester.domain.work import Message
from llmtester.profiles.prompts import fresh_prompt

TARGET_TOK = 32_768
PROMPTS = 20
LIMIT_S = 0.5
CHARACTERS_PER_TOKEN = 5
"""Of our prose with the starter model's tokenizer; only the order of magnitude matters here."""


async def _count(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages) // CHARACTERS_PER_TOKEN


def run() -> dict[str, object]:
    """Median seconds for one prompt."""
    taken_s = []
    for ordinal in range(PROMPTS):
        started = time.perf_counter()
        asyncio.run(fresh_prompt(TARGET_TOK, 1, ordinal, _count))
        taken_s.append(time.perf_counter() - started)
    measured = statistics.median(taken_s)
    return {
        "name": "prompts",
        "promise": f"a prompt of {TARGET_TOK} tokens is written in {LIMIT_S} s, counting aside",
        "measured": measured,
        "limit": LIMIT_S,
        "unit": "s",
        "passed": measured <= LIMIT_S,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
