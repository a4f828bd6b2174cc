"""How late the event loop is: the error bar of every stamp that this process takes."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

PERIOD_S = 0.01  # 100 wake-ups a second cost about 0.2 % of a core; a wake-up each ms would cost ten times that


class LoopCanary:
    """Asks to be woken every 10 ms and remembers the worst lateness. ``async with LoopCanary() as canary``.

    A timer of asyncio is itself up to 1 ms late on an idle loop, so figures below about 2 ms mean nothing.
    """

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self._period_s = period_s
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._worst_ns: int | None = None

    async def __aenter__(self) -> LoopCanary:
        self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_worst_ns(self) -> int | None:
        """The worst lateness since the call before, in nanoseconds; ``None`` if nothing was observed.

        A wake-up that is overdue now counts with what it is late already.
        """
        overdue_ns = time.perf_counter_ns() - self._due_ns if self._timer is not None else 0
        worst_ns, self._worst_ns = self._worst_ns, None
        if overdue_ns > 0:
            return max(overdue_ns, worst_ns or 0)
        return worst_ns

    def _arm(self) -> None:
        self._due_ns = time.perf_counter_ns() + round(self._period_s * 1e9)
        self._timer = asyncio.get_running_loop().call_later(self._period_s, self._wake)

    def _wake(self) -> None:
        late_ns = max(0, time.perf_counter_ns() - self._due_ns)
        self._worst_ns = max(late_ns, self._worst_ns or 0)
        self._arm()
