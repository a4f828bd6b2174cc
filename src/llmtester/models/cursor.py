"""A forward reader over an untrusted file: bounded chunks, checked lengths, errors that name the byte."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from llmtester.domain.errors import ModelError
from llmtester.domain.text import printable
from llmtester.models import ggml

CHUNK_BYTES = 1 << 20
MEMO_LEAST_COUNT = 1_024
MEMO_MOST_BYTES = 64 << 20
MAX_STRINGS_COUNT = 4_194_304  # of a whole header: sixteen times the largest vocabulary in use, 0.4 s to walk
MAX_KEPT_BYTES = 16 << 20  # of keys and strings of a whole header; the longest chat templates take 0.1 MB


class HeaderCut(ModelError):
    """The bytes at hand end before the header does."""


class ArrayMemo:
    """Remembers vocabularies by their SHA-256, so that an equal one is stepped over at the speed of hashing.

    The quantizations of one model carry the same tokenizer. Stepping through 300,000 strings takes 30 ms in Python;
    hashing the same bytes takes 3 ms, and equal bytes parse alike.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, bool], list[tuple[int, bytes]]] = {}

    def known(self, count: int, big_endian: bool) -> list[tuple[int, bytes]]:
        """Length in bytes and SHA-256 of each array of ``count`` strings seen so far."""
        return self._seen.get((count, big_endian), [])

    def add(self, count: int, big_endian: bool, length_bytes: int, sha256: bytes) -> None:
        entries = self._seen.setdefault((count, big_endian), [])
        if len(entries) < 8:  # so many vocabularies of one size do not exist; bounds the work per file
            entries.append((length_bytes, sha256))


class Cursor:
    """Reads ``path`` once from the start. ``file_bytes`` may exceed what is on disk for a partial file."""

    def __init__(self, path: Path, file_bytes: int | None = None) -> None:
        self.name = path.name
        self.big_endian = False
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode):
                raise ModelError(f"{printable(path.name)} is not a file", fix="name a file in the GGUF format")
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise ModelError(
                f"{printable(path.name)} cannot be read",
                why=error.strerror or "",
                fix=f"look at {printable(str(path))}",
            ) from error
        self._on_disk_bytes = facts.st_size
        self.file_bytes = facts.st_size if file_bytes is None else file_bytes
        self._buffer = b""
        self._starts_at = 0
        self._position = 0
        self._strings_left = MAX_STRINGS_COUNT
        self._kept_bytes_left = MAX_KEPT_BYTES
        self._u32 = struct.Struct("<I")
        self._u64 = struct.Struct("<Q")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def at_byte(self) -> int:
        return self._starts_at + self._position

    def turn_to_big_endian(self) -> None:
        self.big_endian = True
        self._u32 = struct.Struct(">I")
        self._u64 = struct.Struct(">Q")

    def wrong(self, why: str, at_byte: int) -> ModelError:
        """The error for a header that contradicts itself or the format."""
        return ModelError(
            f"{printable(self.name)} has a damaged or foreign header",
            why=f"{why} (byte {at_byte})",
            fix="pull it again",
            at_byte=at_byte,
        )

    def take(self, size: int, what: str) -> bytes:
        """The next ``size`` bytes. Raises ``HeaderCut`` if they are not there."""
        if self._position + size > len(self._buffer):
            self._load(size, what)
        start = self._position
        self._position = start + size
        return self._buffer[start : self._position]

    def u32(self) -> int:
        value: int = self._u32.unpack(self.take(4, "a number"))[0]
        return value

    def u64s(self, count: int) -> tuple[int, ...]:
        order = ">" if self.big_endian else "<"
        return struct.unpack(f"{order}{count}Q", self.take(8 * count, "numbers"))

    def scalars(self, value_type: int, count: int) -> tuple[int | float | bool, ...]:
        order = ">" if self.big_endian else "<"
        raw = self.take(count * ggml.SCALAR_SIZE_BYTES[value_type], "a value")
        return struct.unpack(f"{order}{count}{ggml.SCALAR_FORMAT[value_type]}", raw)

    def count(self, what: str, most: int, least_bytes_each: int) -> int:
        """A count that is within ``most`` and for which the file has room."""
        at_byte = self.at_byte
        value = self.u64s(1)[0]
        room = (self.file_bytes - self.at_byte) // least_bytes_each
        if value > most or value > room:
            raise self.wrong(f"claims {value} {what}; at most {min(most, max(room, 0))} are possible here", at_byte)
        return value

    def length(self, what: str) -> int:
        at_byte = self.at_byte
        value = self.u64s(1)[0]
        if value > self.file_bytes - self.at_byte:
            raise self.wrong(f"{what} claims {value} bytes; {self.file_bytes - self.at_byte} are left", at_byte)
        return value

    def string(self, most_bytes: int, what: str) -> str:
        at_byte = self.at_byte
        length = self.length(what)
        if length > most_bytes:
            raise self.wrong(f"{what} claims {length} bytes; {most_bytes} is the most", at_byte)
        return self.text(length, what)

    def text(self, length: int, what: str) -> str:
        """The next ``length`` bytes as text. Raises when a header keeps more text than any model has reason to."""
        self._kept_bytes_left -= length
        if self._kept_bytes_left < 0:
            raise self.wrong(f"more than {MAX_KEPT_BYTES} bytes of text", self.at_byte)
        return self.take(length, what).decode("utf-8", "replace")

    def skip(self, size: int, what: str) -> None:
        """Steps over ``size`` bytes without reading them."""
        target = self.at_byte + size
        if target > self.file_bytes:
            raise self.wrong(f"{what} ends at byte {target}; the file has {self.file_bytes}", self.at_byte)
        self._seek(target)

    def skip_strings(self, count: int, memo: ArrayMemo | None = None) -> None:
        """Steps over ``count`` length-prefixed strings."""
        starts_at = self.at_byte
        self._strings_left -= count
        if self._strings_left < 0:
            raise self.wrong(f"more than {MAX_STRINGS_COUNT} strings", starts_at)
        remember = memo is not None and count >= MEMO_LEAST_COUNT
        if remember and memo is not None:
            for length_bytes, sha256 in memo.known(count, self.big_endian):
                if starts_at + length_bytes <= self._on_disk_bytes and self._sha256(starts_at, length_bytes) == sha256:
                    self._seek(starts_at + length_bytes)
                    return
            self._seek(starts_at)
        self._walk_strings(count)
        length_bytes = self.at_byte - starts_at
        if remember and memo is not None and length_bytes <= MEMO_MOST_BYTES:
            memo.add(count, self.big_endian, length_bytes, self._sha256(starts_at, length_bytes))
            self._seek(starts_at + length_bytes)

    def _walk_strings(self, count: int) -> None:
        unpack_from = self._u64.unpack_from
        left = count
        while left:
            if self._position + 8 > len(self._buffer):
                self._load(8, "a string")
            buffer, position = self._buffer, self._position
            last = len(buffer) - 8
            done = left
            for index in range(left):
                if position > last:
                    done = index
                    break
                position += 8 + unpack_from(buffer, position)[0]
            left -= done
            # Only the last length can have led outside the buffer, so one check after the loop is enough.
            if self._starts_at + position > self.file_bytes:
                raise self.wrong(
                    f"a string ends at byte {self._starts_at + position}; the file has {self.file_bytes}",
                    self._starts_at + self._position,
                )
            if position > len(buffer):
                self._seek(self._starts_at + position)
            else:
                self._position = position

    def _sha256(self, starts_at: int, length_bytes: int) -> bytes:
        hashed = hashlib.sha256()
        within = starts_at - self._starts_at
        if within >= 0 and within + length_bytes <= len(self._buffer):
            hashed.update(memoryview(self._buffer)[within : within + length_bytes])
            return hashed.digest()
        self._file.seek(starts_at)
        left = length_bytes
        while left:
            chunk = self._file.read(min(CHUNK_BYTES, left))
            if not chunk:
                break
            hashed.update(chunk)
            left -= len(chunk)
        return hashed.digest()

    def _seek(self, at_byte: int) -> None:
        within = at_byte - self._starts_at
        if 0 <= within <= len(self._buffer):
            self._position = within
            return
        self._buffer, self._starts_at, self._position = b"", at_byte, 0

    def _load(self, size: int, what: str) -> None:
        """Makes ``size`` bytes available at the position, reading at least a chunk."""
        starts_at = self.at_byte
        if starts_at + size > self._on_disk_bytes:
            missing = starts_at + size - self._on_disk_bytes
            raise HeaderCut(
                f"{printable(self.name)} is cut short",
                why=f"{what} at byte {starts_at} needs {missing} bytes more than the {self._on_disk_bytes} that exist",
                fix="pull it again",
                at_byte=starts_at,
            )
        kept = self._buffer[self._position :]
        self._file.seek(starts_at + len(kept), os.SEEK_SET)
        parts, have = [kept], len(kept)
        while have < max(size, CHUNK_BYTES):
            part = self._file.read(max(size, CHUNK_BYTES) - have)
            if not part:
                break
            parts.append(part)
            have += len(part)
        if have < size:
            raise HeaderCut(
                f"{printable(self.name)} became shorter while it was read", fix="run again", at_byte=starts_at
            )
        self._buffer, self._starts_at, self._position = b"".join(parts), starts_at, 0
