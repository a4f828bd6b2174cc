"""From signals to an orderly end: the first asks to stop, the second stops at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


def run_until_stopped(work: Callable[[], Coroutine[Any, Any, T]], stop: Callable[[str], None]) -> T:
    """What ``work`` returns, run in an event loop of its own (uvloop where there is one).

    The first signal of ``STOP_SIGNALS`` calls ``stop`` with its name and lets ``work`` end by itself, the second
    cancels it. The handlers that were there before are put back. Call it from the main thread.
    """
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(_guarded(work, stop))


async def _guarded(work: Callable[[], Coroutine[Any, Any, T]], stop: Callable[[str], None]) -> T:
    task = asyncio.create_task(work())
    heard: list[str] = []

    def on_signal(number: int) -> None:
        heard.append(signal.Signals(number).name)
        if len(heard) == 1:
            stop(heard[0])
        else:
            task.cancel()

    with _handling(on_signal):
        return await task


@contextlib.contextmanager
def _handling(on_signal: Callable[[int], None]) -> Iterator[None]:
    """Hear the stop signals inside the loop; restored at the end."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        if sys.platform == "win32":
            # Proactor loops have no add_signal_handler; the handler only schedules, so the loop stays in charge.
            signal.signal(number, lambda got, _frame: loop.call_soon_threadsafe(on_signal, got))
        else:
            loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        if sys.platform == "win32":
            import winloop as loops
        else:
            import uvloop as loops
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = loops.new_event_loop
    return factory
