"""A file that is still arriving: what has come so far, whose it is, and its checksum as it grows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from llmtester.models.checksum import GrowingChecksum


class Partial:
    """The partial file at ``path``, open for appending, with a note beside it of the ETag and length it belongs to.

    ``have`` is how many bytes are on disk. Every byte is handed to the system as it comes. Raises ``OSError``.
    """

    def __init__(self, path: Path, *, checked: bool) -> None:
        self.path = path
        self._note = path.with_suffix(".json")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        self._checked = checked
        self.have = os.lseek(self._fd, 0, os.SEEK_END)
        self.etag, self.size_bytes = self._read_note()
        self._checksum = GrowingChecksum(path) if checked else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._checksum is not None:
            self._checksum.cancel()
        os.close(self._fd)

    def append(self, data: bytes) -> None:
        view, done = memoryview(data), 0
        while done < len(data):
            done += os.write(self._fd, view[done:])
        self.have += done
        if self._checksum is not None:
            self._checksum.written(self.have)

    def restart(self) -> None:
        """Forgets everything that has arrived and whose it was."""
        if self._checksum is not None:
            self._checksum.cancel()
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self.have, self.etag, self.size_bytes = 0, None, None
        self._note.unlink(missing_ok=True)
        self._checksum = GrowingChecksum(self.path) if self._checked else None

    def belongs_to(self, etag: str | None, size_bytes: int | None) -> None:
        """Notes which version of the file the bytes are from, so that another process can go on with it."""
        if (etag, size_bytes) != (self.etag, self.size_bytes):
            self.etag, self.size_bytes = etag, size_bytes
            self._note.write_text(json.dumps({"etag": etag, "size_bytes": size_bytes}), encoding="utf-8")

    def finish(self) -> str:
        """The SHA-256 of everything that has arrived."""
        return (self._checksum or GrowingChecksum(self.path)).result(self.have)

    def _read_note(self) -> tuple[str | None, int | None]:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            etag, size = note["etag"], note["size_bytes"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, None
        return etag if isinstance(etag, str) else None, size if isinstance(size, int) else None


def place(partial: Path, path: Path) -> None:
    """Makes a whole partial file the file at ``path``: on the disk first, then renamed, so that it is there or not."""
    descriptor = os.open(partial, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(path)
    drop(partial)
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def drop(path: Path) -> None:
    """Removes a partial file and its note."""
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)
