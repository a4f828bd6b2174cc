"""When to try again, and how to stop at once."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

from llmtester.models.hub_options import HubOptions


class Stop:
    """A wish to stop that also wakes threads which wait for a socket or a pause."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        """Wakes every pause and ends every transfer."""
        self._asked.set()
        with self._lock:
            open_sockets = list(self._sockets)
        for one in open_sockets:
            with contextlib.suppress(OSError):  # it may have been closed between the two lines
                one.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> bool:
        """Pauses; true if it was asked to stop."""
        return self._asked.wait(seconds)

    @contextlib.contextmanager
    def watching(self, one: socket.socket | None) -> Iterator[None]:
        """While the block runs, ``ask`` ends what the socket is waiting for."""
        if one is None:
            yield
            return
        with self._lock:
            self._sockets.add(one)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(one)


class Pause:
    """Counts tries in a row that brought nothing, and waits between them."""

    def __init__(self, options: HubOptions, stop: Stop) -> None:
        self._options = options
        self._stop = stop
        self._random = random.SystemRandom()
        self.failed = 0

    def reset(self) -> None:
        """Something arrived: the next failure counts as the first."""
        self.failed = 0

    def wait(self, retry_after: str | None) -> bool:
        """Waits before the next try; false if there is none left or it was asked to stop."""
        self.failed += 1
        if self.failed >= self._options.tries:
            return False
        return not self._stop.wait(self.next_s(retry_after))

    def next_s(self, retry_after: str | None) -> float:
        """The server's own wish within the cap, else exponential with jitter."""
        cap = self._options.backoff_cap_s
        if retry_after and retry_after.isdecimal():
            return min(float(retry_after), cap)
        ceiling = min(self._options.backoff_s * 2.0 ** max(self.failed - 1, 0), cap)
        return ceiling * self._random.uniform(0.5, 1.0)
