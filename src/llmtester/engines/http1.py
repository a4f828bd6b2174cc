"""Bytes of one HTTP/1.1 response -> its body, however the network cuts them. No I/O, no decoding (RFC 9112).

One connection carries one response, so nothing follows a body that says how long it is. What is read here comes a
token at a time, tens of thousands of times in a run: a read that holds exactly one chunk takes a short way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 << 10
MAX_LINE_BYTES = 4 << 10  # of a chunk size with its extensions, and of one trailer
MAX_SIZE_DIGITS = 15
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?", re.ASCII)
_SIZE = re.compile(rb"[0-9A-Fa-f]+")
_FIELD_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BODILESS = frozenset({204, 304})


class Malformed(Exception):
    """Bytes that are no HTTP/1.1 response."""


class Cut(Exception):
    """The connection ended before the response did."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header fields as they were sent."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]

    def values(self, name: bytes) -> list[bytes]:
        """What every field called ``name`` (lower case) says, split at commas."""
        told = [value for key, value in self.fields if key.lower() == name]
        return [word.strip() for value in told for word in value.split(b",") if word.strip()]


class ResponseReader:
    """One response: ``feed`` what arrives, ``end_of_input`` once. ``head`` is there as soon as it is known."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.complete = False
        self._held = b""
        self._left_bytes = 0
        self._read: Callable[[bytes], bytes] = self._head

    def feed(self, data: bytes) -> bytes:
        """The part of the body that ``data`` brought. Raises ``Malformed``. After the end everything is ignored."""
        if self._held:
            data, self._held = self._held + data, b""
        return self._read(data)

    def end_of_input(self) -> None:
        """The connection has ended. Raises ``Cut`` if the response has not, ``Malformed`` if it never was one."""
        if self.head is None and self._held and not b"HTTP/1.".startswith(self._held[:7]):
            raise Malformed("the answer is no HTTP response")
        if self._read == self._until_close:
            self.complete = True
        if not self.complete:
            raise Cut("the connection ended before the response did" if self.head else "closed without an answer")

    def _head(self, data: bytes) -> bytes:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise Malformed(f"a head of more than {MAX_HEAD_BYTES} bytes")
            self._held = data
            return b""
        head, rest = _parsed(data[:end]), data[end + 4 :]
        if head.status == 101:
            raise Malformed("the server switches protocols")
        if head.status < 200:
            return self._head(rest)  # 100 Continue, 103 Early Hints: the response is still to come
        self.head = head
        self._read = self._body_of(head)
        return self._read(rest)

    def _body_of(self, head: Head) -> Callable[[bytes], bytes]:
        codings = [coding.lower() for coding in head.values(b"transfer-encoding")]
        lengths = set(head.values(b"content-length"))
        if head.status in _BODILESS:
            self.complete = True
            return self._nothing
        if codings == [b"chunked"]:
            return self._chunked
        if codings:
            raise Malformed(f"unknown transfer coding {codings}")
        if not lengths:
            return self._until_close
        length = lengths.pop()
        if lengths or not length.isdigit() or len(length) > MAX_SIZE_DIGITS:
            raise Malformed("no usable content-length")
        self._left_bytes = int(length)
        return self._counted

    def _nothing(self, data: bytes) -> bytes:
        return b""

    def _until_close(self, data: bytes) -> bytes:
        return data

    def _counted(self, data: bytes) -> bytes:
        body = data[: self._left_bytes]
        self._left_bytes -= len(body)
        self.complete = not self._left_bytes
        return body

    def _chunked(self, data: bytes) -> bytes:
        """At the beginning of a chunk."""
        line = data.find(b"\r\n")
        if line == -1 or line > MAX_SIZE_DIGITS:
            return self._many_chunks(data)
        digits = data[:line]
        if _SIZE.fullmatch(digits) and (size := int(digits, 16)) and len(data) == line + size + 4:
            if not data.endswith(b"\r\n"):
                raise Malformed("a chunk does not end where it says")
            return data[line + 2 : -2]
        return self._many_chunks(data)

    def _many_chunks(self, data: bytes) -> bytes:
        body: list[bytes] = []
        at = 0
        while not self.complete:
            line = data.find(b"\r\n", at)
            if line < 0:
                break
            size = _size(data[at:line])
            if not size:
                self._read = self._trailers
                self._trailers(data[line + 2 :])
                return b"".join(body)
            here = data[line + 2 : line + 2 + size]
            body.append(here)
            at = line + 2 + len(here)
            if len(here) < size:
                self._left_bytes, self._read = size - len(here), self._within_chunk
                return b"".join(body)
            if len(data) < at + 2:
                self._held, self._read = data[at:], self._after_chunk
                return b"".join(body)
            at = self._past_chunk(data, at)
        self._hold(data[at:])
        return b"".join(body)

    def _within_chunk(self, data: bytes) -> bytes:
        here = data[: self._left_bytes]
        self._left_bytes -= len(here)
        if self._left_bytes:
            return here
        self._read = self._after_chunk
        return here + self._after_chunk(data[len(here) :])

    def _after_chunk(self, data: bytes) -> bytes:
        if len(data) < 2:
            self._held = data
            return b""
        at = self._past_chunk(data, 0)
        self._read = self._chunked
        return self._chunked(data[at:])

    def _past_chunk(self, data: bytes, at: int) -> int:
        if data[at : at + 2] != b"\r\n":
            raise Malformed("a chunk does not end where it says")
        return at + 2

    def _trailers(self, data: bytes) -> bytes:
        while not self.complete:
            line, found, rest = data.partition(b"\r\n")
            if not found:
                self._hold(data)
                return b""
            self.complete, data = not line, rest
        self._read = self._nothing
        return b""

    def _hold(self, line: bytes) -> None:
        if len(line) > MAX_LINE_BYTES:
            raise Malformed(f"a line of more than {MAX_LINE_BYTES} bytes between chunks")
        self._held = line


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip(b" \t")
    if not _SIZE.fullmatch(digits) or len(digits) > MAX_SIZE_DIGITS:
        raise Malformed(f"no chunk size: {line[:20]!r}")
    return int(digits, 16)


def _parsed(head: bytes) -> Head:
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise Malformed(f"no HTTP/1.1 status line: {first[:60]!r}")
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _FIELD_NAME.fullmatch(name):
            raise Malformed(f"no header field: {line[:60]!r}")
        fields.append((name, value.strip(b" \t")))
    return Head(int(status[1]), tuple(fields))
