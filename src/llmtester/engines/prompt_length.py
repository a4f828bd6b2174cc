"""How long a prompt is on a server that somebody else runs: asked where it tokenizes, else estimated."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.work import Message, Request, Timeouts
from llmtester.engines.client import Retry, StreamingClient
from llmtester.engines.http_session import Dialect, chat_messages
from llmtester.engines.told import count, mapping

CHARACTERS_PER_TOKEN = 4.0  # English prose with a vocabulary of 32k to 256k; used until the server has told better
TEMPLATE_TOK = 8.0
_PROSE = "The river was low that summer, and the children walked across it on flat stones to look for smooth glass. "
_REPEATS = 12


class PromptLength:
    """Counts with ``tokenize`` (a path), else with a line through two prompts whose length the server reported."""

    def __init__(self, client: StreamingClient, dialect: Dialect, model: str, tokenize: str | None) -> None:
        self._client = client
        self._dialect = dialect
        self._model = model
        self._tokenize = tokenize
        self._base_tok = TEMPLATE_TOK
        self._tok_per_character = 1 / CHARACTERS_PER_TOKEN

    async def calibrate(self, limit_s: float) -> int:
        """Ask for one token, which makes the server load the model, and learn the lengths of two prompts.

        Returns the nanoseconds until the first answer was complete. Raises ``RequestFailed``.
        """
        started_ns = time.perf_counter_ns()
        short = secrets.token_hex(4)
        short_tok = await self._ask(short, limit_s)
        load_ns = time.perf_counter_ns() - started_ns
        if self._tokenize is None:
            long = secrets.token_hex(4) + " " + _PROSE * _REPEATS
            long_tok = await self._ask(long, limit_s)
            if short_tok and long_tok and long_tok > short_tok:
                self._tok_per_character = (long_tok - short_tok) / (len(long) - len(short))
                self._base_tok = max(0.0, short_tok - len(short) * self._tok_per_character)
        return load_ns

    async def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt with its template. Raises ``RequestFailed``."""
        if self._tokenize is None:
            characters = sum(len(message.content) for message in messages)
            return max(1, round(self._base_tok + characters * self._tok_per_character))
        body = {"model": self._model, "messages": chat_messages(messages), "add_generation_prompt": True}
        reply = await self._client.call("POST", self._tokenize, body, retry=Retry())
        told = count(mapping(reply).get("count"))
        if told is None:
            raise RequestFailed(RequestFailure.MALFORMED, f"{self._tokenize} gave no count")
        return told

    async def _ask(self, text: str, limit_s: float) -> int | None:
        limits = replace(Timeouts(), first_token_s=limit_s, total_s=limit_s, between_tokens_s=limit_s)
        request = Request("calibration", (Message("user", text),), max_tok=1, fixed_length=False, timeouts=limits)
        raw = await self._client.stream(
            self._dialect.path,
            self._dialect.body(request, self._model),
            timeouts=limits,
            splitter=self._dialect.splitter(),
            on_arrival=lambda at_ns: None,
            max_events=1000,
        )
        return self._dialect.read(raw.events, done=raw.done).prompt_tok or None
