"""Small worlds for tests: plans, samples and whole runs on the fake engine in virtual time."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmtester.analysis.lens import Lens
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.state import RunState
from llmtester.domain.events import Emit, Event, RunEnded, RunResumed, RunStarted
from llmtester.domain.ports import Bench, Conditions, CountTokens, EngineOptions, OnArrival, Profile, Session
from llmtester.domain.records import (
    Address,
    Capabilities,
    Completion,
    Machine,
    Reading,
    Sample,
    ServerTimings,
    SessionFacts,
)
from llmtester.domain.work import Cell, Load, Message, ModelRef, Plan, Request, ServerSettings, Target
from llmtester.engines.fake import FakeEngine
from llmtester.engines.virtual_clock import VirtualClock
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.runner.matrix import MatrixRunner, Workbench

MACHINE = Machine(
    system="Testos 1",
    architecture="x86_64",
    cpu_model="Test CPU",
    physical_cores=4,
    logical_cores=8,
    memory_bytes=16_000_000_000,
    memory_limit_bytes=16_000_000_000,
    swap_bytes=0,
    cpu_limit_cores=8.0,
)
LENS = Lens({"interactive": InteractiveProfile.headline}, BANDS)
SHORT = Load("short", prompt_tok=64, output_tok=16, min_trials=5, max_trials=6)


def model(name: str = "tiny", quantization: str = "Q4_K_M", **facts: Any) -> ModelRef:
    path = f"/models/{name}.gguf"
    facts = {"size_bytes": 10**9, "fingerprint": f"{name}:{quantization}", **facts}
    return ModelRef(name=name, quantization=quantization, path=path, **facts)


def cell(target_model: ModelRef | None = None, load: Load = SHORT) -> Cell:
    return Cell(Target("fake", target_model or model(), ServerSettings()), "interactive", load)


def bench(count_tokens: CountTokens, **more: Any) -> Bench:
    """What a profile sees of a ready server that counts tokens with ``count_tokens``."""
    facts = SessionFacts("fake", "scripted", (), 0, 4096, 1, Capabilities(tokenize=True, logprobs=True, grammar=True))
    return Bench(Target("fake", model(), ServerSettings()), facts, count_tokens, **more)


def fake_plan(*scripts: str, loads: Sequence[Load] = (SHORT,), seed: int = 1) -> Plan:
    """A plan over fake models, one target a script."""
    refs = FakeEngine(EngineOptions()).catalogue(scripts)
    targets = [Target("fake", ref, ServerSettings()) for ref in refs]
    return Plan(tuple(Cell(target, "interactive", load) for target in targets for load in loads), seed=seed)


def sample(
    *, ttft_ms: float = 100.0, gap_ms: float = 20.0, tok: int = 11, request_id: str = "r", **more: Any
) -> Sample:
    """A clean sample of evenly spaced tokens, with server timings that say the same."""
    arrivals = tuple(round((ttft_ms + gap_ms * index) * 1e6) for index in range(tok))
    values: dict[str, Any] = {
        "request_id": request_id,
        "sent_ns": 0,
        "ended_ns": arrivals[-1],
        "arrivals_ns": arrivals,
        "prompt_tok": 64,
        "cached_tok": 0,
        "completion_tok": tok,
        "token_source": "timings",
        "finish": "length",
        "server": ServerTimings(64, 0, ttft_ms - 2, tok, gap_ms * (tok - 1)),
    }
    return Sample(**{**values, **more})


class StillSensors:
    """Sensors of a machine on which nothing else happens; ``server_bytes`` tells what a fake server takes."""

    def __init__(self, clock: VirtualClock, server_bytes: Callable[[], int | None] = lambda: None) -> None:
        self._clock = clock
        self._server_bytes = server_bytes

    def read(self, server_process_id: int | None) -> Reading:
        return Reading(
            self._clock.now_ns(),
            memory_available_bytes=8 * 10**9,
            swap_used_bytes=0,
            server_anonymous_bytes=self._server_bytes(),
        )


@dataclass(frozen=True, slots=True)
class Weather:
    """What makes a real machine unlike a scripted one: it loses ``drift_ratio`` of its speed over its first
    ``drift_s`` as it gets hot, and each start of a server is faster or slower by ``launch_sd`` (of ln(speed))."""

    drift_ratio: float = 0.0
    drift_s: float = 600.0
    launch_sd: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class HotSession:
    """A session on a machine with weather: everything that it does takes longer by the slowness of the moment."""

    inner: Session
    clock: VirtualClock
    weather: Weather
    launch_factor: float

    @property
    def facts(self) -> SessionFacts:
        return self.inner.facts

    @property
    def address(self) -> Address | None:
        return self.inner.address

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return await self.inner.count_tokens(messages)

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        begun_ns = self.clock.now_ns()
        done = await self.inner.generate(request, on_arrival)
        heat = min(1.0, begun_ns / 1e9 / self.weather.drift_s) * self.weather.drift_ratio
        slowness = self.launch_factor / (1 - heat)

        def later(at_ns: int) -> int:
            return done.sent_ns + round((at_ns - done.sent_ns) * slowness)

        await self.clock.sleep_until_ns(max(later(done.ended_ns), self.clock.now_ns()))
        chunks = tuple(replace(chunk, at_ns=later(chunk.at_ns)) for chunk in done.chunks)
        return replace(done, chunks=chunks, ended_ns=max(later(done.ended_ns), self.clock.now_ns()))


class World:
    """One machine in virtual time: runs plans with the fake engine and keeps every event."""

    def __init__(self, weather: Weather | None = None) -> None:
        self.weather = weather
        self._starts = random.Random(weather.seed if weather else 0)
        self.clock = VirtualClock()
        self.engine = FakeEngine(EngineOptions(), clock=self.clock)
        self.events: list[Event] = []
        self.profiles: dict[str, Profile] = {"interactive": InteractiveProfile()}

    def runner(self, state: RunState, emit: Emit | None = None) -> MatrixRunner:
        bench = Workbench(
            open_target=self.open_target,
            profiles=self.profiles,
            clock=self.clock,
            sensors=StillSensors(self.clock, lambda: self.engine.memory_bytes),
            quiet=nullcontext,
            conditions=self.conditions,
        )
        return MatrixRunner(state, emit or self.events.append, bench)

    def conditions(self) -> Conditions:
        """A machine that never sleeps and is fed by the mains."""
        return Conditions(power_source="mains")

    @asynccontextmanager
    async def open_target(self, target: Target) -> AsyncIterator[Session]:
        """A fake server, in the weather of this world."""
        async with self.engine.open(target, Path()) as session:
            if self.weather is None:
                yield session
            else:
                factor = math.exp(self._starts.gauss(0, self.weather.launch_sd))
                yield HotSession(session, self.clock, self.weather, factor)

    def start(self, plan: Plan) -> RunState:
        """The state of a run whose plan was just stored."""
        first = RunStarted(self.clock.now_ns(), self.clock.instant(), "20260101-000000-abcd", plan, MACHINE, {}, "0")
        self.events.append(first)
        return RunState([first])

    def resume(self) -> RunState:
        """The state that the events so far mean, in a new process."""
        again = RunResumed(self.clock.now_ns(), self.clock.instant(), MACHINE, "0")
        self.events.append(again)
        return RunState(self.events)

    def run(self, plan: Plan) -> tuple[RunState, RunEnded]:
        state = self.start(plan)
        ended = asyncio.run(self.runner(state).run())
        return state, ended
