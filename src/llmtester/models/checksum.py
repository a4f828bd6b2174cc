"""SHA-256 of a file while it is still growing."""

from __future__ import annotations

import hashlib
import threading
from io import FileIO
from pathlib import Path

BLOCK_BYTES = 1 << 18  # fits into the second-level cache, between reading and hashing
STEP_BYTES = 4 << 20


class GrowingChecksum:
    """Reads behind a writer in a thread of its own, so that hashing costs the transfer nothing.

    Reading a block and hashing it both release the interpreter lock; handing every network chunk from
    one thread to another took half of the rate (measured). What the file already held is hashed as well, which is
    what a resumed download needs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._block = memoryview(bytearray(BLOCK_BYTES))
        self._written = 0
        self._hashed = 0
        self._ended = False
        self._cancelled = False
        self._changed = threading.Condition()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._follow, name="checksum", daemon=True)
        self._thread.start()

    def written(self, count: int) -> None:
        """``count`` bytes from the start of the file are there for good. Cheap: wakes the reader every few MiB."""
        if count - self._written >= STEP_BYTES:
            with self._changed:
                self._written = count
                self._changed.notify()

    def result(self, count: int) -> str:
        """Hexadecimal SHA-256 of the first ``count`` bytes. Raises ``OSError`` if they could not be read."""
        self._end(count)
        if self._failure is not None:
            raise self._failure
        return self._hash.hexdigest()

    def cancel(self) -> None:
        """Ends the thread without a result."""
        self._cancelled = True
        self._end(0)

    def _end(self, count: int) -> None:
        with self._changed:
            self._written, self._ended = count, True
            self._changed.notify()
        self._thread.join()

    def _follow(self) -> None:
        try:
            with self._path.open("rb", buffering=0) as file:
                while not self._cancelled:
                    with self._changed:
                        self._changed.wait_for(lambda: self._ended or self._written - self._hashed >= STEP_BYTES)
                        target, ended = self._written, self._ended
                    self._hash_until(file, target)
                    if ended:
                        return
        except OSError as error:
            self._failure = error

    def _hash_until(self, file: FileIO, target: int) -> None:
        while self._hashed < target and not self._cancelled:
            count = file.readinto(self._block[: target - self._hashed])
            if not count:
                raise OSError("the partial file became shorter while it was read")
            self._hash.update(self._block[:count])
            self._hashed += count
