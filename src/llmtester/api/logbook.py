"""The log file of a run: what happened, in words, as far as ``log_level`` asks for it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from llmtester.api.reporting import plain_log
from llmtester.domain.errors import StoreError
from llmtester.domain.events import CellSkipped, Event, TargetFailed, kind_of
from llmtester.domain.text import printable
from llmtester.store.runs import RunFolder

_LEVELS = {TargetFailed: logging.ERROR, CellSkipped: logging.WARNING}
_LOGGER = logging.getLogger("llmtester.run")


@contextmanager
def writing(folder: RunFolder, level: str) -> Iterator[None]:
    """Messages of this process and of ``llmtester`` at ``level`` or above go into the run's log file for the block.

    Raises ``StoreError`` if there can be no such file.
    """
    try:
        handler = _LogFile(folder.log, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise StoreError(
            f"cannot write the log {folder.log}",
            why=error.strerror or str(error),
            fix="free some space or make the folder writable, then: llmtester run --resume",
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("llmtester")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        with suppress(OSError):  # lines that a full disk did not take
            handler.close()


class _LogFile(logging.FileHandler):
    """A line that the disk does not take is dropped: the journal, which must not lose any, says so by itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is the base class's)
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class EventLog:
    """Writes events to the log: those worth a line as that line, all others by name at level debug.

    ``before`` are the events that came before the first one to be written; lines refer to them.
    """

    def __init__(self, before: Iterable[Event]) -> None:
        self._line = plain_log()
        for event in before:
            self._line(event)

    def event(self, event: Event) -> None:
        line = self._line(event)
        if line is None:
            _LOGGER.debug("%s", kind_of(type(event)))
        else:
            _LOGGER.log(_LEVELS.get(type(event), logging.INFO), "%s", printable(line, 2000))
