"""What a fake model answers when its answers matter: right or wrong by script, and probabilities with scripted damage.

Everything follows from the script and the request, so the true effect is known and statistics can be held against it.
"""

from __future__ import annotations

import math
import random
from dataclasses import asdict

from llmtester.domain.logprobs import Position
from llmtester.domain.work import Request, digest
from llmtester.engines.fake_script import Script

VOCABULARY_COUNT = 120
LOGIT_SD = 3.0
"""Spread of the logits: about 70 % of the places have a clear favourite, as in running text."""

WRONG = "Answer: none of these, I believe."


def _chance(*parts: object) -> random.Random:
    return random.Random(digest(list(parts)))  # noqa: S311 - scripted answers, not secrets


def reply(script: Script, request: Request) -> str | None:
    """The answer to a request with an oracle, else ``None``.

    ``skill`` decides, alike for all quantizations of a name, what the model knows; ``flips`` turns that share of the
    answers around either way; ``corrupt`` spoils that share of the rest.
    """
    if request.oracle:
        knows = _chance(script.name, "knows", request.id).random() < script.skill
        own = _chance(script.name, script.quant, script.seed, request.id)
        if own.random() < script.flips:
            knows = not knows
        return request.oracle if knows and own.random() >= script.corrupt else WRONG
    if script.loops and _chance(script.name, script.quant, script.seed, request.id).random() < script.loops:
        return " and so on and on" * max(1, request.max_tok // 5)
    return None


def positions(script: Script, request: Request) -> tuple[Position, ...]:
    """Greedy positions, or those along the forced tokens. ``damage`` is the standard deviation of the noise that is
    added to every logit; the noise of a quantization is the same whenever it is asked the same."""
    asked = digest([asdict(message) for message in request.messages])
    length = len(request.forced_tok) if request.forced_tok is not None else request.max_tok
    found = []
    for place in range(length):
        sound = _chance(script.name, asked, place)
        logits = [sound.gauss(0, LOGIT_SD) for _ in range(VOCABULARY_COUNT)]
        if script.damage:
            noise = _chance(script.name, script.quant, script.seed, asked, place)
            logits = [logit + noise.gauss(0, script.damage) for logit in logits]
        total = math.log(math.fsum(math.exp(logit) for logit in logits))
        ranked = sorted(range(VOCABULARY_COUNT), key=lambda token: -logits[token])
        token = request.forced_tok[place] if request.forced_tok is not None else ranked[0]
        top = tuple((one, logits[one] - total) for one in ranked[: request.top_logprobs_count])
        found.append(Position(token, logits[token] - total, top))
    return tuple(found)


def spelled(found: tuple[Position, ...]) -> str:
    """The text of positions: a tokenizer of its own."""
    return "".join(f" w{position.token}" for position in found)
