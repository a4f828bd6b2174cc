"""Answers that were given before: a reference that was measured elsewhere takes part as if it were served here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.ports import OnArrival, Session
from llmtester.domain.records import Chunk, Completion, Sample, SessionFacts
from llmtester.domain.work import Message, Request


@dataclass(frozen=True, slots=True)
class ReplaySession:
    """Gives the stored answer to a request id. Its times are those of today and mean nothing."""

    facts: SessionFacts
    samples: Mapping[str, Sample]

    @property
    def address(self) -> None:
        """Nothing is served."""
        return

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Raises ``RequestFailed``: only stored answers are here."""
        raise RequestFailed(RequestFailure.HTTP_STATUS, "a stored reference cannot count tokens")

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        """The stored answer. Raises ``RequestFailed`` for a request that the reference was never sent."""
        told = self.samples.get(request.id)
        if told is None or told.finish is None:
            raise RequestFailed(RequestFailure.HTTP_STATUS, f"the stored reference has no answer to {request.id}")
        now_ns = time.perf_counter_ns()
        on_arrival(now_ns)
        return Completion(
            sent_ns=now_ns,
            ended_ns=now_ns,
            chunks=(Chunk(now_ns, "content", told.text),),
            finish=told.finish,
            prompt_tok=told.prompt_tok,
            cached_tok=told.cached_tok,
            completion_tok=told.completion_tok,
            token_source=told.token_source,
            logprobs=told.logprobs,
        )


@asynccontextmanager
async def replaying(facts: SessionFacts, samples: Mapping[str, Sample]) -> AsyncIterator[Session]:
    """A session for the time of the block."""
    yield ReplaySession(facts, samples)
