"""Clock, canary and garbage collector."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

from llmtester.host.canary import LoopCanary
from llmtester.host.clock import SystemClock
from llmtester.host.collector import quiet_garbage_collector, settled_heap


def test_the_canary_sees_a_blocked_loop():
    """A loop that is blocked for 150 ms is at least 100 ms late, and the next look starts afresh."""

    async def run() -> tuple[int, int]:
        async with LoopCanary() as canary:
            await asyncio.sleep(0.03)
            time.sleep(0.15)  # noqa: ASYNC251 - blocking the loop is the case under test
            blocked_ns = canary.take_worst_ns()
            await asyncio.sleep(0.03)
            canary.take_worst_ns()
            await asyncio.sleep(0.03)
            return blocked_ns, canary.take_worst_ns()

    blocked_ns, quiet_ns = asyncio.run(run())
    assert blocked_ns > 100_000_000
    assert quiet_ns < 100_000_000


def test_a_canary_that_saw_nothing_says_so():
    """Right after the start there is no lateness yet, and that is not 0."""

    async def run() -> int | None:
        async with LoopCanary() as canary:
            return canary.take_worst_ns()

    assert asyncio.run(run()) is None


def test_the_collector_is_quiet_inside_and_back_after():
    """Inside the block nothing is collected; afterwards all is as before."""
    assert gc.isenabled()
    with quiet_garbage_collector():
        assert not gc.isenabled()
        with quiet_garbage_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_a_program_holds_is_not_looked_at_during_a_run():
    """A cycle from before stays, one of the run is freed, and afterwards nothing is left out any more."""

    class Knot:
        def __init__(self) -> None:
            self.itself = self

    before = Knot()
    kept = weakref.ref(before)
    with settled_heap():
        assert gc.get_freeze_count() > 0
        made = Knot()
        freed = weakref.ref(made)
        del made, before
        with quiet_garbage_collector():
            assert freed() is None
            assert kept() is not None
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert kept() is None


def test_an_instant_ties_both_clocks():
    """Two instants differ by the same amount on both clocks, within 5 ms."""
    clock = SystemClock()
    first = clock.instant()
    asyncio.run(clock.sleep(0.02))
    second = clock.instant()
    assert second.monotonic_ns - first.monotonic_ns >= 19_000_000
    drift_ns = (second.unix_ns - first.unix_ns) - (second.monotonic_ns - first.monotonic_ns)
    assert abs(drift_ns) < 5_000_000
