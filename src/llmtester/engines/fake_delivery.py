"""Handing out a scripted answer: chunks at their times, failures at theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.logprobs import Position
from llmtester.domain.ports import Clock, OnArrival
from llmtester.domain.records import Chunk, Finish, ServerTimings
from llmtester.domain.work import Timeouts
from llmtester.engines.virtual_clock import VirtualClock


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as scripted: ``offsets_s`` from the start of the request, one for each chunk."""

    pieces: tuple[str, ...]
    offsets_s: tuple[float, ...]
    end_s: float
    finish: Finish
    completion_tok: int
    cached_tok: int
    server: ServerTimings | None
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """Hands out one answer at its scripted times, within the time-outs of its request."""

    clock: Clock
    timeouts: Timeouts
    sent_ns: int
    begun_ns: int
    on_arrival: OnArrival

    async def run(
        self, answer: Answer, broken: tuple[RequestFailure, int] | None, die: Callable[[], None]
    ) -> list[Chunk]:
        """The chunks, stamped. In virtual time stamps are exact and only the end is waited for."""
        chunks: list[Chunk] = []
        virtual = isinstance(self.clock, VirtualClock)
        for index, (piece, offset_s) in enumerate(zip(answer.pieces, answer.offsets_s, strict=True)):
            if broken and index == broken[1]:
                await self._fail(broken[0], chunks, offset_s, die)
            at_ns = self.begun_ns + round(offset_s * 1e9)
            await self._within_limits(at_ns, chunks)
            if not virtual:
                await self._sleep_until(at_ns)
                at_ns = self.clock.now_ns()
            chunks.append(Chunk(at_ns, "content", piece))
            self.on_arrival(at_ns)
        await self._sleep_until(self.begun_ns + round(answer.end_s * 1e9))
        return chunks

    async def _within_limits(self, at_ns: int, chunks: list[Chunk]) -> None:
        limits = [(self.sent_ns + round(self.timeouts.total_s * 1e9), RequestFailure.TOTAL_TIMEOUT)]
        if chunks:
            limits.append((chunks[-1].at_ns + round(self.timeouts.between_tokens_s * 1e9), RequestFailure.STALLED))
        else:
            first_ns = self.sent_ns + round(self.timeouts.first_token_s * 1e9)
            limits.append((first_ns, RequestFailure.FIRST_TOKEN_TIMEOUT))
        limit_ns, failure = min(limits)
        if at_ns > limit_ns:
            await self._sleep_until(limit_ns)
            raise RequestFailed(failure, "the script was slower than the limit", arrivals_ns=_arrivals(chunks))

    async def _fail(
        self, failure: RequestFailure, chunks: list[Chunk], offset_s: float, die: Callable[[], None]
    ) -> None:
        if failure is RequestFailure.STALLED:
            await self._within_limits(2**62, chunks)
        await self._sleep_until(self.begun_ns + round(offset_s * 1e9))
        if failure is RequestFailure.SERVER_GONE:
            die()
        raise RequestFailed(failure, "scripted failure", arrivals_ns=_arrivals(chunks))

    async def _sleep_until(self, at_ns: int) -> None:
        if isinstance(self.clock, VirtualClock):
            await self.clock.sleep_until_ns(at_ns)
        elif (wait_ns := at_ns - self.clock.now_ns()) > 0:
            await self.clock.sleep(wait_ns / 1e9)


def _arrivals(chunks: Sequence[Chunk]) -> tuple[int, ...]:
    return tuple(chunk.at_ns for chunk in chunks)
