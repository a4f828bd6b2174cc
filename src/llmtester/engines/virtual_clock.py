"""A clock whose time passes only while everybody sleeps, so that a scripted hour takes milliseconds."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field

from llmtester.domain.records import Instant

_IDLE_TURNS = 25  # turns of the event loop in which nobody went to sleep: then everybody is asleep


@dataclass(slots=True)
class VirtualClock:
    """A ``Clock`` that jumps to the next waking time once the event loop has nothing else to do.

    ``start_ns`` is the first reading, ``start_unix_ns`` the wall time that goes with it. All sleepers must belong to
    one event loop. Work that waits for something outside the loop (a socket, a thread) is not seen: time may pass.
    """

    start_ns: int = 0
    start_unix_ns: int = 1_700_000_000_000_000_000
    _now_ns: int = field(init=False)
    _sleepers: list[tuple[int, int, asyncio.Future[None]]] = field(init=False, default_factory=list)
    _sleeps_count: int = field(init=False, default=0)
    _turns_left: int = field(init=False, default=0)
    _loop: asyncio.AbstractEventLoop | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._now_ns = self.start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def instant(self) -> Instant:
        return Instant(self._now_ns, self.start_unix_ns + self._now_ns - self.start_ns)

    async def sleep(self, seconds: float) -> None:
        """Return when virtual time has moved on by ``seconds``; equal waking times wake in the order of the calls."""
        await self.sleep_until_ns(self._now_ns + round(max(0.0, seconds) * 1e9))

    async def sleep_until_ns(self, at_ns: int) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # sleepers of an earlier loop are gone with it
            self._loop, self._turns_left = loop, 0
            self._sleepers.clear()
        waking = loop.create_future()
        self._sleeps_count += 1
        heapq.heappush(self._sleepers, (at_ns, self._sleeps_count, waking))
        if self._turns_left == 0:
            loop.call_soon(self._turn, loop)
        self._turns_left = _IDLE_TURNS
        await waking

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turns_left -= 1
        if self._turns_left == 0:
            self._wake_next()
            self._turns_left = _IDLE_TURNS if self._sleepers else 0
        if self._turns_left:
            loop.call_soon(self._turn, loop)

    def _wake_next(self) -> None:
        while self._sleepers:
            at_ns, _, waking = heapq.heappop(self._sleepers)
            if not waking.done():
                self._now_ns = max(self._now_ns, at_ns)
                waking.set_result(None)
                return
