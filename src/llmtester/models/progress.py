"""What a long transfer says while it works, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["ask", "index", "download", "wait", "unpack", "verify", "done"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a transfer stands. ``total_bytes`` and ``left_s`` are ``None`` while they are not known.

    ``note`` is one sentence for people, such as why a transfer waits before its next try; it may hold untrusted text.
    """

    stage: Stage
    file: str
    done_bytes: int = 0
    total_bytes: int | None = None
    rate_bytes_per_s: float | None = None
    left_s: float | None = None
    note: str = ""


OnProgress: TypeAlias = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Shows nothing."""


class Rate:
    """Bytes per second over about the last five seconds, so that a slow start or a pause is soon forgotten."""

    WINDOW_S = 5.0

    def __init__(self) -> None:
        self._points: list[tuple[float, int]] = []

    def add(self, at_s: float, done_bytes: int) -> float | None:
        """The rate with this observation; ``None`` until half a second was seen."""
        self._points.append((at_s, done_bytes))
        while len(self._points) > 2 and at_s - self._points[1][0] >= self.WINDOW_S:
            self._points.pop(0)
        first_s, first_bytes = self._points[0]
        if at_s - first_s < 0.5 or done_bytes < first_bytes:
            return None
        return (done_bytes - first_bytes) / (at_s - first_s)
