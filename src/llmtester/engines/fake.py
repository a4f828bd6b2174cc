"""An engine that needs no model: its times and failures are written in the model's name. ``--engine fake``.

It exists so that whole runs can be tried and tested exactly. Times are scripted, so nothing that it reports says
anything about a machine.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import accumulate
from os.path import commonprefix
from pathlib import Path

from llmtester.domain.errors import EngineError, EngineFailure, RequestFailed, RequestFailure
from llmtester.domain.logprobs import pack
from llmtester.domain.ports import Clock, EngineOptions, OnArrival, Session
from llmtester.domain.records import (
    Available,
    Buffer,
    Capabilities,
    Completion,
    Finish,
    Instant,
    Missing,
    ServerTimings,
    SessionFacts,
)
from llmtester.domain.text import printable
from llmtester.domain.work import Message, ModelRef, Request, Target, digest
from llmtester.engines import fake_quality
from llmtester.engines.fake_delivery import Answer, Delivery
from llmtester.engines.fake_script import Script, parse
from llmtester.engines.virtual_clock import VirtualClock

DEMO = (
    "demo-small?prefill_tok_per_s=900&decode_tok_per_s=60&noise=0.02&jitter=0.05&scaling=0.4&load_ms=200&size_mb=90:Q4_K_M",
    "demo-small?prefill_tok_per_s=700&decode_tok_per_s=45&noise=0.02&jitter=0.05&scaling=0.4&load_ms=250&size_mb=140:Q8_0",
    "demo-large?prefill_tok_per_s=250&decode_tok_per_s=18&noise=0.03&jitter=0.05&scaling=0.3&load_ms=400&size_mb=900:Q4_K_M",
)
OUTLIER_SD = 0.25  # of ln(speed), as in the simulation of facts/measuring.md section 3
MESSAGE_OVERHEAD_TOK = 4  # what a chat template adds to each message
PROMPT_OVERHEAD_TOK = 3  # and once at the end, to open the answer
_PIECE = re.compile(r"\w{1,5}|[^\w\s]")
_WORDS = (
    "the",
    "a",
    "of",
    "to",
    "in",
    "it",
    "is",
    "was",
    "that",
    "for",
    "on",
    "river",
    "light",
    "stone",
    "small",
    "field",
)


class _RealClock:
    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def instant(self) -> Instant:
        return Instant(time.perf_counter_ns(), time.time_ns())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeEngine:
    """See the module. ``clock`` is the real one unless the script says ``realtime=0``."""

    name = "fake"

    def __init__(self, options: EngineOptions | None = None, clock: Clock | None = None) -> None:
        self.options = options or EngineOptions()
        self._clock = clock
        self._virtual: VirtualClock | None = None
        self._session: FakeSession | None = None

    @property
    def memory_bytes(self) -> int | None:
        """What the fake server takes, its leak included; ``None`` while none is open. For fake sensors only: it is not
        the memory of this process."""
        return self._session.memory_bytes if self._session else None

    def available(self) -> Available | Missing:
        return Available("scripted", "times are made up; for trying out and testing")

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...]:
        """A model for every name with a script (``name?...``), and the demo models whose name matches.

        Raises ``ConfigurationError`` for a script that cannot be read.
        """
        if not wanted:
            return tuple(_model(parse(script), script) for script in DEMO)
        scripts = [
            match
            for name in wanted
            for match in ([name] if "?" in name else [demo for demo in DEMO if _is_called(demo, name)])
        ]
        return tuple(_model(parse(script), script) for script in dict.fromkeys(scripts))

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        return self._open(target)

    @asynccontextmanager
    async def _open(self, target: Target) -> AsyncIterator[Session]:
        script = parse(target.model.path)
        clock = self._clock_for(script)
        started_ns = clock.now_ns()
        await clock.sleep(script.load_ms / 1000)
        if script.fail and script.fail.kind in _LOAD_FAILURES:
            failure, why, fix = _LOAD_FAILURES[script.fail.kind]
            what = f"the fake model {printable(target.model.label)} did not start"
            raise EngineError(failure, what, why=why, fix=fix, log_tail=(f"scripted: fail={script.fail.kind}",))
        facts = _facts(script, target, clock.now_ns() - started_ns)
        self._session = FakeSession(script, clock, facts, target.settings.slots)
        try:
            yield self._session
        finally:
            self._session = None

    def _clock_for(self, script: Script) -> Clock:
        if self._clock is not None:
            return self._clock
        if script.realtime:
            return _RealClock()
        if self._virtual is None:
            self._virtual = VirtualClock(time.perf_counter_ns(), time.time_ns())
        return self._virtual


_LOAD_FAILURES: dict[str, tuple[EngineFailure, str, str]] = {
    "load": (EngineFailure.EXITED, "its script says fail=load", "take fail=load out of the model's name"),
    "oom": (EngineFailure.OUT_OF_MEMORY, "its script says fail=oom", "take fail=oom out of the model's name"),
    "corrupt": (EngineFailure.CORRUPT_FILE, "its script says fail=corrupt", "take fail=corrupt out of the name"),
}


def _is_called(script: str, wanted: str) -> bool:
    demo = parse(script)
    return fnmatchcase(demo.name, wanted) or fnmatchcase(f"{demo.name}:{demo.quant}", wanted)


def _model(script: Script, spelled: str) -> ModelRef:
    size_bytes = round(script.size_mb * 1e6)
    return ModelRef(
        name=script.name,
        quantization=script.quant,
        path=spelled,
        size_bytes=size_bytes,
        fingerprint=digest(["fake", spelled]),
        architecture="fake",
        context_tok=script.context_tok,
        has_chat_template=True,
        licence="none",
    )


def _facts(script: Script, target: Target, load_ns: int) -> SessionFacts:
    return SessionFacts(
        engine="fake",
        build="scripted",
        command=("llmtester", "run", "--engine", "fake", "--models", target.model.path),
        load_ns=load_ns,
        context_tok=min(target.settings.context_tok, script.context_tok),
        slots=target.settings.slots,
        capabilities=Capabilities(
            tokenize=True, timings=script.timings, fixed_length=True, no_cache=True, logprobs=True, grammar=True
        ),
        buffers=(Buffer("fake", "model", round(script.size_mb * 1e6)),),
    )


@dataclass(slots=True)
class FakeSession:
    """A ready fake server. Streams beyond ``slots`` wait for a free slot, as on a real one."""

    script: Script
    clock: Clock
    facts: SessionFacts
    slots: int
    _free: asyncio.Semaphore = field(init=False)
    _requests_count: int = field(init=False, default=0)
    _active_count: int = field(init=False, default=0)
    _dead: bool = field(init=False, default=False)
    _kept: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.slots)

    @property
    def address(self) -> None:
        """Nothing else can reach it."""
        return

    @property
    def memory_bytes(self) -> int:
        """The scripted size and what leaked so far."""
        return round((self.script.size_mb + self.script.leak_mb * self._requests_count) * 1e6)

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Pieces of up to five letters and single signs, plus what a template would add."""
        if self._dead:
            raise RequestFailed(RequestFailure.SERVER_GONE, "the script ended the server")
        return PROMPT_OVERHEAD_TOK + sum(
            MESSAGE_OVERHEAD_TOK + len(_PIECE.findall(message.content)) for message in messages
        )

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        prompt_tok = await self.count_tokens(request.messages)
        if prompt_tok >= self.facts.context_tok:
            detail = f"{prompt_tok} tokens do not fit into a context of {self.facts.context_tok}"
            raise RequestFailed(RequestFailure.CONTEXT_EXCEEDED, detail, status=400)
        self._requests_count += 1
        number = self._requests_count
        sent_ns = self.clock.now_ns()
        async with self._free:
            self._active_count += 1
            try:
                answer = self._answer(request, number, prompt_tok)
                self._kept = _conversation(request, "".join(answer.pieces))
                begun_ns = self.clock.now_ns()
                delivery = Delivery(self.clock, request.timeouts, sent_ns, begun_ns, on_arrival)
                chunks = await delivery.run(answer, self._broken_at(number, len(answer.pieces)), self._die)
            finally:
                self._active_count -= 1
        return Completion(
            sent_ns=sent_ns,
            ended_ns=max(self.clock.now_ns(), chunks[-1].at_ns if chunks else 0),
            chunks=tuple(chunks),
            finish=answer.finish,
            prompt_tok=prompt_tok,
            cached_tok=answer.cached_tok,
            completion_tok=answer.completion_tok,
            token_source="timings" if answer.server else "usage",
            server=answer.server,
            logprobs=pack(answer.positions),
        )

    def _reused_tok(self, request: Request) -> int:
        """What the request shares with the conversation before it, if it may use that."""
        if not request.reuse_cache:
            return 0
        shared = commonprefix([_conversation(request), self._kept])  # noqa: RUF071 (texts, not paths)
        return len(_PIECE.findall(shared))

    def _die(self) -> None:
        self._dead = True

    def _broken_at(self, number: int, chunks_count: int) -> tuple[RequestFailure, int] | None:
        fail = self.script.fail
        if fail is None:
            return None
        broken = {
            "crash_after": (RequestFailure.SERVER_GONE, number > fail.at_request),
            "hang_after": (RequestFailure.STALLED, number > fail.at_request),
            "error_event": (RequestFailure.ERROR_EVENT, number == fail.at_request),
        }.get(fail.kind)
        return (broken[0], chunks_count // 2) if broken and broken[1] else None

    def _answer(self, request: Request, number: int, prompt_tok: int) -> Answer:
        script = self.script
        chance = random.Random(digest([script.seed, script.name, script.quant, request.id, request.seed]))  # noqa: S311 - scripted times, not secrets
        speed = math.exp(chance.gauss(0, script.noise)) if script.noise else 1.0
        speed *= 1 - script.drift_ratio * min(1.0, (number - 1) / script.drift_requests)
        if chance.random() < script.outliers:
            speed *= math.exp(-abs(chance.gauss(0, OUTLIER_SD)))
        said = fake_quality.reply(script, request)
        positions = fake_quality.positions(script, request) if request.top_logprobs_count else ()
        text = fake_quality.spelled(positions) if positions else said
        completion_tok, finish = _length(script, request) if text is None else _length_of(text, request)
        cached_tok = min(max(script.cached, self._reused_tok(request)), max(0, prompt_tok - 1))
        unread_tok = min(cached_tok + script.hidden, max(0, prompt_tok - 1))
        first_s = (
            script.ttft_ms / 1000
            if script.ttft_ms is not None
            else script.overhead_ms / 1000 + (prompt_tok - unread_tok) / script.prefill_tok_per_s
        ) / speed
        decode_s = 1 / (script.decode_tok_per_s * speed * self._active_count ** (script.scaling - 1))
        gaps_s = [decode_s * math.exp(chance.gauss(0, script.jitter)) for _ in range(completion_tok - 1)]
        if script.stall_s and number == script.stall_at and gaps_s:
            gaps_s[len(gaps_s) // 2] += script.stall_s
        token_s = list(accumulate(gaps_s, initial=first_s))
        shown = completion_tok - (finish == "stop" and completion_tok > 1)  # the end token brings no text
        words = _pieces(script, chance, shown) if text is None else _split(text)[:shown]
        starts = range(0, shown, script.tok_per_chunk)
        last = [min(start + script.tok_per_chunk, shown) - 1 for start in starts]
        timings = ServerTimings(
            prompt_tok=prompt_tok - cached_tok,
            cached_tok=cached_tok,
            prompt_ms=max(0.0, first_s * 1000 - script.overhead_ms),
            predicted_tok=completion_tok,
            predicted_ms=(token_s[-1] - first_s) * 1000,
        )
        return Answer(
            pieces=tuple("".join(words[start : start + script.tok_per_chunk]) for start in starts),
            offsets_s=tuple(token_s[index] for index in last),
            end_s=token_s[-1],
            finish=finish,
            completion_tok=completion_tok,
            cached_tok=cached_tok,
            server=timings if script.timings else None,
            positions=positions,
        )


def _conversation(request: Request, answer: str = "") -> str:
    return "\n".join([*(message.content for message in request.messages), *([answer] if answer else [])])


def _split(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+", text) or [text]


def _length_of(text: str, request: Request) -> tuple[int, Finish]:
    """Tokens of a given answer, the end token included; cut where there is no more room."""
    needed = len(_split(text)) + 1
    return (needed, "stop") if needed <= request.max_tok else (request.max_tok, "length")


def _length(script: Script, request: Request) -> tuple[int, Finish]:
    if script.stop_early is not None:
        return max(1, int(request.max_tok * script.stop_early)), "stop"
    if not request.fixed_length and script.answer_tok is not None and script.answer_tok < request.max_tok:
        return script.answer_tok, "stop"
    return max(1, request.max_tok), "length"


def _pieces(script: Script, chance: random.Random, count: int) -> list[str]:
    if not script.text:
        return [" " + chance.choice(_WORDS) for _ in range(count)]
    given = re.findall(r"\s*\S+", script.text) or [script.text]
    return [given[index] if index < len(given) else " ." for index in range(count)]
