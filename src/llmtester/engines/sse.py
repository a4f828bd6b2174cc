"""Bytes of a stream -> payloads of its events, however the network cuts them. No I/O, no decoding.

Lines are split at LF only: U+2028 and U+0085 travel raw inside JSON, and whoever splits text there breaks it
(facts/engines.md section 2). Lone CR as a line end, which the standard allows, is sent by no known server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

MAX_EVENT_BYTES = 64 << 20  # full-vocabulary probabilities of one token take 5 MB (measured)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Oversized(Exception):
    """A line longer than any event: not a stream of events."""


class Splitter(Protocol):
    """What turns the bytes of one stream into payloads; one instance for one stream."""

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads of the events that ``data`` completed. Raises ``Oversized``."""
        ...

    def finish(self) -> list[bytes]:
        """What was left when the stream ended: an event without its blank line, whole or cut."""
        ...


@dataclass(slots=True)
class LineSplitter:
    """Newline-delimited JSON: each line that is not blank is a payload."""

    limit_bytes: int = MAX_EVENT_BYTES
    _parts: list[bytes] = field(default_factory=list)
    _held_bytes: int = 0

    def feed(self, data: bytes) -> list[bytes]:
        return [line for line in map(bytes.strip, self.lines(data)) if line]

    def finish(self) -> list[bytes]:
        rest, self._parts, self._held_bytes = b"".join(self._parts).strip(), [], 0
        return [rest] if rest else []

    @property
    def is_within_line(self) -> bool:
        """Whether a line has begun whose end has not arrived."""
        return bool(self._parts)

    def lines(self, data: bytes) -> list[bytes]:
        """Lines that ``data`` completed, without their LF."""
        if b"\n" not in data:
            self._parts.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > self.limit_bytes:
                raise Oversized(f"a line of more than {self.limit_bytes} bytes")
            return []
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
        *lines, rest = data.split(b"\n")
        self._parts = [rest] if rest else []
        self._held_bytes = len(rest)
        return lines


@dataclass(slots=True)
class EventSplitter:
    """Server-sent events: LF or CRLF, comments, several ``data:`` lines, with or without the space after the colon.

    Fields other than ``data`` are dropped: every known server repeats its event type inside the JSON.
    """

    lines: LineSplitter = field(default_factory=LineSplitter)
    _data: list[bytes] = field(default_factory=list)
    _started: bool = False

    def feed(self, data: bytes) -> list[bytes]:
        whole = self._started and not self._data and not self.lines.is_within_line
        if whole and data.endswith(b"\n\n") and data.startswith(b"data: ") and data.count(b"\n") == 2:
            return [data[6:-2]]  # one read, one event: what a server at its usual pace sends
        events: list[bytes] = []
        for line in self.lines.lines(data):
            self._take(line, events)
        return events

    def finish(self) -> list[bytes]:
        events: list[bytes] = []
        for line in self.lines.finish():
            self._take(line, events)
        self._take(b"", events)
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if not self._started:
            self._started = True
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line.endswith(b"\r"):
            line = line[:-1]
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
        elif not line and self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()
