"""The doors between layers: what the runner is given and what an engine or a profile must offer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from llmtester.domain.records import (
    Address,
    Available,
    Completion,
    Grade,
    Instant,
    Missing,
    Reading,
    Sample,
    SessionFacts,
)
from llmtester.domain.work import Load, Message, ModelRef, Request, ServerSettings, Target

OnArrival: TypeAlias = Callable[[int], None]
"""Called with the monotonic time of each event of the stream as it is read; for displays, never for metrics."""


class Session(Protocol):
    """One ready server."""

    @property
    def facts(self) -> SessionFacts: ...

    @property
    def address(self) -> Address | None:
        """Where other programs reach it; ``None`` for what no other program can reach."""
        ...

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        """The whole answer. Raises ``RequestFailed``; cancelling it also cancels the work of the server."""
        ...

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt as the model will see it, template included. Raises ``RequestFailed``."""
        ...


CountTokens: TypeAlias = Callable[[Sequence[Message]], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a profile may use while it prepares requests: the ready server and, for comparisons, the reference.

    ``reference`` gives the finished sample of a request id of the same profile on the reference target, or ``None``;
    ``is_reference`` says that this target is the one that others are compared with.
    """

    target: Target
    facts: SessionFacts
    count_tokens: CountTokens
    reference: Callable[[str], Sample | None] = lambda request_id: None
    is_reference: bool = True


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine may need beyond a target. ``folder`` is where it may keep small state of its own.

    ``check_processor`` lets ``available`` start a binary once to see whether it was built for this processor.
    """

    binary: str | None = None
    url: str | None = None
    api_key: str | None = None
    load_timeout_s: float = 300.0
    port: int | None = None
    folder: Path | None = None
    check_processor: bool = False


class Engine(Protocol):
    """A way to serve models. Built-ins are rows of ``plugins.ENGINES``; constructed with ``EngineOptions``."""

    name: str

    def available(self) -> Available | Missing:
        """Cheap (well under a second), starts nothing."""
        ...

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...] | None:
        """The engine's own models that match the names, or ``None`` if it serves GGUF files of this machine."""
        ...

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        """A ready server for the time of the block; logs go into ``folder``. Raises ``EngineError`` on entering."""
        ...


class Profile(Protocol):
    """What is asked and what counts as good. ``headline`` names the metrics that decide its rating."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def headline(self) -> tuple[str, ...]: ...

    @property
    def compares(self) -> bool:
        """Whether quantizations of a model are compared with its largest one, which is then measured first."""
        ...

    @property
    def reference_loads(self) -> tuple[str, ...]:
        """Names of the loads that are measured on the reference only."""
        ...

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """The loads to measure for a model that was trained for ``context_tok`` (``None``: unknown)."""
        ...

    def refuses(self, server: ServerSettings) -> str | None:
        """In words why nothing sound can be measured on servers started like this, and what to do; else ``None``."""
        ...

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """The requests of one trial: equal arguments and tokenizer give equal requests, and no two trials share a
        prompt. Raises ``NotMeasurable`` if this server cannot be asked, and what ``bench.count_tokens`` raises."""
        ...

    def grade(self, request: Request, completion: Completion) -> Grade | None:
        """A grade where the profile can tell right from wrong, else ``None``."""
        ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a trial must find unchanged at its end: time that the machine was suspended so far, and what feeds it."""

    asleep_ns: int = 0
    power_source: str | None = None

    def spoiled_since(self, before: Conditions) -> str | None:
        """Why a trial that began under ``before`` does not count, or ``None``."""
        slept_s = (self.asleep_ns - before.asleep_ns) / 1e9
        if slept_s > ASLEEP_S:
            return f"the machine was suspended for {slept_s:.0f} s"
        if self.power_source != before.power_source:
            return f"the power source changed from {before.power_source} to {self.power_source}"
        return None


ASLEEP_S = 0.5
"""The two clocks that tell a suspension are read one after the other, and may be a scheduling delay apart."""


class Clock(Protocol):
    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...

    def instant(self) -> Instant: ...

    async def sleep(self, seconds: float) -> None: ...


class Sensors(Protocol):
    def read(self, server_process_id: int | None) -> Reading:
        """A reading; costs about a millisecond."""
        ...
