"""The real clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from llmtester.domain.records import Instant

_TRIES = 5


@dataclass(frozen=True, slots=True)
class SystemClock:
    """``domain.ports.Clock`` on ``time.perf_counter_ns``; sleeping needs a running event loop."""

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def instant(self) -> Instant:
        """Both clocks read together: of five tries, the one between whose monotonic readings least time passed."""
        spans = []
        for _ in range(_TRIES):
            before_ns, unix_ns, after_ns = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
            spans.append((after_ns - before_ns, Instant((before_ns + after_ns) // 2, unix_ns)))
        return min(spans, key=lambda span: span[0])[1]

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
