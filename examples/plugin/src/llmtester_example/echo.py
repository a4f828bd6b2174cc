"""An engine without a model: it writes the same three lines at an even pace. The smallest that can be measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from llmtester.domain.ports import EngineOptions, OnArrival
from llmtester.domain.records import Address, Available, Capabilities, Chunk, Completion, SessionFacts
from llmtester.domain.work import Message, ModelRef, Request, Target

LINES = "the echo engine\n answers in three even lines\n and knows nothing else\n"
PACE_S = 0.002


class EchoEngine:
    """Implements ``domain.ports.Engine``; ``options`` holds address, key and folder for engines that need them."""

    name = "echo"

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()

    def available(self) -> Available:
        return Available("1", "needs nothing")

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...]:
        """The one model there is; ``None`` would mean that this engine serves GGUF files."""
        only = ModelRef(name="echo", quantization="none", path="echo", size_bytes=len(LINES), fingerprint="echo-1")
        return (only,) if not wanted or "echo" in wanted else ()

    @asynccontextmanager
    async def open(self, target: Target, folder: Path) -> AsyncIterator[EchoSession]:
        yield EchoSession()


class EchoSession:
    """Implements ``domain.ports.Session``."""

    address: Address | None = None

    @property
    def facts(self) -> SessionFacts:
        return SessionFacts("echo", "1", (), load_ns=0, context_tok=4096, slots=1, capabilities=Capabilities())

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        sent_ns = time.perf_counter_ns()
        chunks = []
        for word in LINES.split(" "):
            await asyncio.sleep(PACE_S)
            at_ns = time.perf_counter_ns()
            on_arrival(at_ns)
            chunks.append(Chunk(at_ns, "content", f"{word} "))
        return Completion(
            sent_ns=sent_ns,
            ended_ns=time.perf_counter_ns(),
            chunks=tuple(chunks),
            finish="stop",
            prompt_tok=await self.count_tokens(request.messages),
            cached_tok=0,
            completion_tok=len(chunks),
            token_source="tokenizer",
        )
