"""Prompts against the starter model's own tokenizer: their length, and that no two begin alike."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from collections.abc import Sequence

from benchmarks.engines_real import real_session
from llmtester.domain.ports import Session
from llmtester.domain.work import Message
from llmtester.profiles.prompts import fresh_prompt

LENGTHS_TOK = (64, 96, 128, 200, 256, 400, 512, 800, 1024, 2048, 4096, 8192, 16_384, 32_768)
PROMPTS_OF_EACH = 3
LIMIT_RATIO = 0.01
PROMPTS_COUNT = 10_000
PREFIX_TOK = 8
PREFIX_CHARACTERS = 120
"""Longer than eight tokens of prose in any tokenizer; only the beginnings are compared."""

CHARACTERS_PER_TOK = 5
"""For the many prompts a guess is enough: their beginnings do not depend on their length."""


async def _guessed(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages) // CHARACTERS_PER_TOK


async def _worst_error(session: Session) -> float:
    worst = 0.0
    for target_tok in LENGTHS_TOK:
        for ordinal in range(PROMPTS_OF_EACH):
            messages = await fresh_prompt(target_tok, 7, ordinal, session.count_tokens)
            real_tok = await session.count_tokens(messages)
            worst = max(worst, abs(real_tok - target_tok) / target_tok)
    return worst


def _tokens(session: Session, text: str) -> tuple[int, ...]:
    """The first tokens of a text by the server's own tokenizer."""
    address = session.address
    if address is None:
        raise ValueError("a real server has an address")
    request = urllib.request.Request(
        f"{address.url}/tokenize",
        json.dumps({"content": text[:PREFIX_CHARACTERS]}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {address.api_key}"},
    )
    with urllib.request.urlopen(request) as reply:
        return tuple(json.load(reply)["tokens"][:PREFIX_TOK])


async def _shared_beginnings(session: Session) -> int:
    """How many of the prompts begin with the eight tokens of one before them."""
    texts = [(await fresh_prompt(128, 1, ordinal, _guessed))[0].content for ordinal in range(PROMPTS_COUNT)]
    beginnings = {_tokens(session, text) for text in texts}
    return PROMPTS_COUNT - len(beginnings)


async def _measure() -> tuple[float, int]:
    async with real_session() as session:
        return await _worst_error(session), await _shared_beginnings(session)


def run() -> dict[str, object]:
    """The worst relative error of length; prompts with a common beginning count as an error of 100 %."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    error, shared = asyncio.run(_measure())
    return {
        "name": "profiles_prompts",
        "promise": f"from {LENGTHS_TOK[0]} to {LENGTHS_TOK[-1]:,} tokens within {LIMIT_RATIO:.0%}; "
        f"of {PROMPTS_COUNT:,} prompts no two share {PREFIX_TOK} tokens at the front ({shared} do)",
        "measured": 1.0 if shared else error,
        "limit": LIMIT_RATIO,
        "unit": "ratio",
        "passed": error <= LIMIT_RATIO and shared == 0,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
