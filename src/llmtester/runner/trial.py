"""One repetition of one cell: prepare the requests, send them, say what happened to each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from llmtester.analysis.costs import WARMUP_OUTPUT_TOK
from llmtester.analysis.endurance import SILENT
from llmtester.domain.errors import LlmtesterError, RequestFailed, RequestFailure
from llmtester.domain.events import Emit, SampleTaken, TrialDiscarded, TrialEnded, TrialStarted
from llmtester.domain.ports import Bench, Clock, Profile, Session
from llmtester.domain.records import Completion, Sample
from llmtester.domain.work import Cell, Message, Request

WARMUP_PROMPTS_FROM = 1_000_000
"""Warm-up requests are drawn from trial numbers that no measured trial reaches, so that no prompt is met twice."""

SERVER_LOST = frozenset({RequestFailure.SERVER_GONE, RequestFailure.CONNECT})


class ServerDied(Exception):
    """The server was lost in the middle of a trial. The trial does not count."""


@dataclass(slots=True)
class Trial:
    """Runs one repetition. ``arrived_count`` can be watched while it runs; ``spoiled`` says at its end why it does not
    count, or nothing."""

    session: Session
    profile: Profile
    cell: Cell
    bench: Bench
    seed: int
    clock: Clock
    emit: Emit
    stopping: Callable[[], bool]
    spoiled: Callable[[], str | None] = lambda: None
    arrived_count: int = field(default=0, init=False)
    tokenizer_ns: int = field(default=0, init=False)
    _ended: bool = field(default=False, init=False)
    _workers: list[asyncio.Task[None]] = field(default_factory=list, init=False)
    _answered: dict[str, tuple[Message, ...]] = field(default_factory=dict, init=False)

    async def run(self, number: int, *, warmup: bool, quiet: Callable[[], AbstractContextManager[None]]) -> bool:
        """Whether the trial ended and counts. Raises ``ServerDied``, and ``NotMeasurable`` before the trial starts.

        The requests, whose exact lengths cost calls to the tokenizer, are prepared before the trial starts.
        """
        drawn_as = number + WARMUP_PROMPTS_FROM if warmup else number
        load = self.cell.load
        bench = replace(self.bench, count_tokens=self._count_tokens)
        requests = await self.profile.requests(load, drawn_as, self.seed, bench)
        if warmup:
            once = requests if load.duration_s is None else requests[: load.concurrency]
            requests = [_shortened(request) for request in once]
        self.emit(TrialStarted(self.clock.now_ns(), self.cell.key, number, warmup, self.tokenizer_ns))
        with quiet():
            complete = await self._send_all(number, requests, load.concurrency)
        if not complete:
            return False
        spoiled = self.spoiled()
        if spoiled is None:
            self.emit(TrialEnded(self.clock.now_ns(), self.cell.key, number, warmup))
        else:
            self.emit(TrialDiscarded(self.clock.now_ns(), self.cell.key, number, spoiled))
        return spoiled is None

    def end(self) -> None:
        """Send nothing more and let go of what is in flight; the trial counts with what was answered."""
        self._ended = True
        for worker in self._workers:
            worker.cancel()

    async def _send_all(self, number: int, requests: Sequence[Request], concurrency: int) -> bool:
        """Keep ``concurrency`` requests in flight until all are answered; ``False`` if a stop left some unsent.

        Continuous work may end at any request: when its time is over, when the server fell silent, at a stop.
        """
        waiting = iter(requests)
        unsent, answered = len(requests), 0
        trial_s = self.cell.load.trial_s
        last_ns = None if trial_s is None else self.clock.now_ns() + round(trial_s * 1e9)

        async def worker() -> None:
            nonlocal unsent, answered
            for request in waiting:
                if self._ended or self.stopping() or (last_ns is not None and self.clock.now_ns() >= last_ns):
                    return
                unsent -= 1
                sample = await self._send(request)
                self.emit(SampleTaken(self.clock.now_ns(), self.cell.key, number, sample))
                answered += 1
                if sample.failure in SERVER_LOST:
                    raise ServerDied(sample.failure_detail)
                if trial_s is not None and sample.failure in SILENT:
                    self._ended = True

        try:
            async with asyncio.TaskGroup() as tasks:
                self._workers = [tasks.create_task(worker()) for _ in range(min(concurrency, len(requests)))]
        except* (ServerDied, LlmtesterError) as group:
            raise group.exceptions[0] from None
        return unsent == 0 or (trial_s is not None and answered > 0)

    async def _send(self, request: Request) -> Sample:
        request = self._conversation(request)
        sent_ns = self.clock.now_ns()
        try:
            completion = await self.session.generate(request, self._arrived)
        except RequestFailed as failed:
            return Sample(
                request_id=request.id,
                sent_ns=sent_ns,
                ended_ns=self.clock.now_ns(),
                arrivals_ns=tuple(at_ns - sent_ns for at_ns in failed.arrivals_ns),
                planned_prompt_tok=request.planned_prompt_tok,
                failure=failed.failure,
                failure_detail=failed.detail,
                timed=request.timed,
                cache_allowed=request.reuse_cache,
            )
        if self.cell.load.concurrency == 1:
            self._answered[request.id] = (*request.messages, Message("assistant", completion.text))
        return sample_of(request, completion, self.profile)

    def _conversation(self, request: Request) -> Request:
        """The request with what was said before it. After a turn that failed there is nothing to be timed."""
        if request.continues is None:
            return request
        before = self._answered.get(request.continues)
        if before is None:
            return replace(request, timed=False)
        return replace(request, messages=(*before, *request.messages))

    async def _count_tokens(self, messages: Sequence[Message]) -> int:
        asked_ns = self.clock.now_ns()
        counted = await self.bench.count_tokens(messages)
        self.tokenizer_ns += self.clock.now_ns() - asked_ns
        return counted

    def _arrived(self, at_ns: int) -> None:
        self.arrived_count += 1


def _shortened(request: Request) -> Request:
    return replace(request, max_tok=min(request.max_tok, WARMUP_OUTPUT_TOK)) if request.fixed_length else request


def sample_of(request: Request, completion: Completion, profile: Profile) -> Sample:
    """What the journal keeps of a finished request."""
    answers = (chunk.at_ns for chunk in completion.chunks if chunk.kind != "reasoning")
    first_answer_ns = next(answers, None)
    return Sample(
        request_id=request.id,
        sent_ns=completion.sent_ns,
        ended_ns=completion.ended_ns,
        arrivals_ns=tuple(chunk.at_ns - completion.sent_ns for chunk in completion.chunks),
        planned_prompt_tok=request.planned_prompt_tok,
        first_answer_ns=None if first_answer_ns is None else first_answer_ns - completion.sent_ns,
        prompt_tok=completion.prompt_tok,
        cached_tok=completion.cached_tok,
        completion_tok=completion.completion_tok,
        token_source=completion.token_source,
        finish=completion.finish,
        server=completion.server,
        text=completion.text,
        grade=profile.grade(request, completion),
        logprobs=completion.logprobs,
        timed=request.timed,
        cache_allowed=request.reuse_cache,
    )
