"""The append-only file of events: one JSON line a record, checked by sequence number and CRC.

A line is ``{"seq":7,"kind":"trial_ended","data":{...},"crc":"89abcdef"}``; the CRC-32 covers every byte before
``,"crc"``. The first line also names the schema. A record is one ``write`` to a file opened for appending, so a killed
process can only leave the last line torn; durable events are on disk before ``emit`` returns.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import orjson

from llmtester.domain.errors import EnvironmentNotReady, LlmtesterError, StoreError
from llmtester.domain.events import DURABLE, Event, RunStarted
from llmtester.store import schema

POLL_S = 0.1
"""How often a follower looks for new records: fast for the eye, 0.1 % of a core."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Where reading stopped before the end of the file. ``torn`` is the harmless case: an unfinished last line."""

    at_byte: int
    line: int
    torn: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The readable part of a journal."""

    events: tuple[Event, ...]
    good_bytes: int
    damage: Damage | None


def read(path: Path) -> Recorded:
    """Every event up to the first line that is not whole. Raises ``StoreError`` if there is no readable start."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"cannot read the journal {path}", why=error.strerror or str(error), fix="llmtester report latest"
        ) from error
    reader = _Reader()
    damage = None
    for line in content.splitlines(keepends=True):
        try:
            reader.take(line)
        except _BadLine as bad:
            torn = reader.good_bytes + len(line) == len(content)
            damage = Damage(reader.good_bytes, reader.sequence + 1, torn, str(bad))
            break
    if not reader.events:
        raise _nothing_readable(path, damage.reason if damage else "the file is empty")
    return Recorded(tuple(reader.events), reader.good_bytes, damage)


def follow(path: Path, writer_alive: Callable[[], bool]) -> Iterator[Event | None]:
    """Events as they are appended; ``None`` whenever there is nothing new. Ends when the writer is gone and all of
    its records were given. A damaged line ends it too: what follows cannot be trusted. Raises ``StoreError`` if nothing
    can be read."""
    reader = _Reader(keep=False)
    rest = b""
    with path.open("rb") as file:
        while True:
            alive = writer_alive()
            rest += file.read()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                try:
                    yield reader.take(line + b"\n")
                except _BadLine as bad:
                    if reader.sequence == 0:
                        raise _nothing_readable(path, str(bad)) from bad
                    return
            if not lines:
                if not alive:
                    if reader.sequence == 0:
                        raise _nothing_readable(path, "the file is empty")
                    return
                yield None
                time.sleep(POLL_S)


def _nothing_readable(path: Path, reason: str) -> StoreError:
    return StoreError(f"the journal {path} holds no readable record", why=reason, fix="start a new run: llmtester run")


class _BadLine(Exception):
    pass


class _Reader:
    """Turns lines into events and keeps count of the bytes that were good."""

    def __init__(self, *, keep: bool = True) -> None:
        self.events: list[Event] = []
        self.good_bytes = 0
        self.sequence = 0
        self._schema = 0
        self._keep = keep

    def take(self, line: bytes) -> Event:
        body, mark, tail = line.rpartition(b',"crc":"')
        if not mark or not line.endswith(b'"}\n'):
            raise _BadLine("the line is not complete")
        if f"{zlib.crc32(body):08x}".encode() != tail[:-3]:
            raise _BadLine("the checksum does not match")
        try:
            record = orjson.loads(body + b"}")
        except orjson.JSONDecodeError as error:
            raise _BadLine("the line is not JSON") from error
        if record.get("seq") != self.sequence:
            raise _BadLine(f"record {record.get('seq')} where {self.sequence} was expected")
        if self.sequence == 0:
            self._schema = schema.check_version(record.get("schema"))
        if "kind" not in record or "data" not in record:
            raise _BadLine("the record names no kind or holds no data")
        event = schema.decode(record["kind"], record["data"], self._schema)
        self.sequence += 1
        self.good_bytes += len(line)
        if self._keep:
            self.events.append(event)
        return event


class Journal:
    """The one writer of a journal. Use ``create`` for a new run and ``reopen`` to go on with one."""

    def __init__(self, path: Path, descriptor: int, sequence: int, size_bytes: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._sequence = sequence
        self._size_bytes = size_bytes

    @classmethod
    def create(cls, path: Path, first: RunStarted) -> Journal:
        """A new journal whose first record, the plan, is on disk. Nothing stays behind if that fails.

        The file gets its name only then, so a journal that exists always holds a plan.
        """
        unnamed = path.with_name(path.name + ".new")
        try:
            descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise EnvironmentNotReady(
                f"cannot write the journal {path}",
                why=error.strerror or str(error),
                fix="choose another folder: llmtester run --output-dir DIR",
            ) from error
        journal = cls(path, descriptor, sequence=0, size_bytes=0)
        try:
            journal.emit(first)
        except LlmtesterError as error:
            journal.close()
            unnamed.unlink()
            raise EnvironmentNotReady(
                f"cannot write the journal {path}",
                why=error.why,
                fix="free some space, or choose another folder: llmtester run --output-dir DIR",
            ) from error
        unnamed.rename(path)
        _sync_folder(path.parent)
        return journal

    @classmethod
    def reopen(cls, path: Path) -> tuple[Journal, Recorded]:
        """The journal, cut back to its last whole record and open for more, and what it holds.

        A torn last line is dropped. Damage further up is cut off as well, after the whole file was copied to
        ``journal.damaged-N.jsonl`` beside it. Raises ``StoreError``.
        """
        recorded = read(path)
        try:
            if recorded.damage and not recorded.damage.torn:
                taken = len(list(path.parent.glob("journal.damaged-*.jsonl")))
                shutil.copy2(path, path.with_name(f"journal.damaged-{taken + 1}.jsonl"))
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(descriptor, recorded.good_bytes)
        except OSError as error:
            raise StoreError(
                f"cannot write to the journal {path}",
                why=error.strerror or str(error),
                fix="make its folder writable, or copy it to another one and resume there",
            ) from error
        return cls(path, descriptor, len(recorded.events), recorded.good_bytes), recorded

    def emit(self, event: Event) -> None:
        """Append one event; durable ones are on disk on return. Raises ``StoreError`` and leaves no partial line."""
        kind, data = schema.encode(event)
        head = f'{{"seq":{self._sequence},"kind":"{kind}"'
        if self._sequence == 0:
            head += f',"schema":{schema.SCHEMA}'
        body = head.encode() + b',"data":' + data
        line = body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                os.ftruncate(self._descriptor, self._size_bytes)
                raise StoreError(
                    f"only {written} of {len(line)} bytes could be written to {self.path}",
                    why="the disk is full",
                    fix="free some space, then: llmtester run --resume",
                )
            if isinstance(event, DURABLE):
                _sync(self._descriptor)
        except OSError as error:
            raise StoreError(
                f"cannot write to the journal {self.path}",
                why=error.strerror or str(error),
                fix="free some space, then: llmtester run --resume",
            ) from error
        self._sequence += 1
        self._size_bytes += len(line)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        # fsync on macOS stops at the drive's cache; F_FULLFSYNC goes through it.
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
