"""Deleting the files of a model, and only those that llmtester fetched unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llmtester.domain.errors import EnvironmentNotReady
from llmtester.domain.text import printable
from llmtester.models import ledger
from llmtester.models.ledger import Pulled


def discard(paths: Sequence[Path], records: Sequence[tuple[Path, Pulled]], *, force: bool) -> None:
    """Deletes the files of one model, its record and the folders that are empty then. ``records``: with their folders.

    Raises ``EnvironmentNotReady`` for files that no record names, unless ``force`` is set.
    """
    fetched = next(
        ((folder, record) for folder, record in records if any(folder / file.path in paths for file in record.files)),
        None,
    )
    if fetched is None and not force:
        raise EnvironmentNotReady(
            f"{printable(paths[0].name)} was not fetched by llmtester",
            why=f"it lies in {printable(str(paths[0].parent))} and belongs to you or to another program",
            fix="delete it there, or use --force",
        )
    for path in paths:
        path.unlink(missing_ok=True)
    if fetched is None:
        return
    folder, record = fetched
    ledger.forget(folder, record)
    for parent in (paths[0].parent, paths[0].parent.parent):
        if parent != folder and parent.is_relative_to(folder):
            with suppress(OSError):  # it holds something else
                parent.rmdir()
