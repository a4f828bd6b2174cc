"""The folder of runs: where each run keeps its journal, server logs and reports, and how one is found again."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from llmtester.domain.errors import EnvironmentNotReady, Locked, NothingToDo, StoreError
from llmtester.domain.work import Target

_STAMP = "%Y%m%d-%H%M%S"
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk. Nothing here creates or deletes anything but ``server_folder`` and ``discard``."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def lock(self) -> Path:
        return self.path / "run.lock"

    @property
    def log(self) -> Path:
        return self.path / "llmtester.log"

    def server_folder(self, target: Target) -> Path:
        """Where the logs of one target go; made if needed. Raises ``StoreError``."""
        folder = self.path / "servers" / target.folder_name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the folder {folder}",
                why=error.strerror or str(error),
                fix="free some space or make the run folder writable, then: llmtester run --resume",
            ) from error
        return folder

    def discard(self) -> None:
        """Take back the folder if no journal came to be in it."""
        if not self.journal.exists():
            self.lock.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else put something into it
                self.path.rmdir()

    def is_active(self) -> bool:
        """Whether a process is writing this run now. The lock dies with its owner, so a killed run is not active."""
        try:
            with FileLock(self.lock, timeout=0):
                return False
        except Timeout:
            return True


def _stamp(output_folder: Path, now_s: float | None = None) -> str:
    """Now, or a second after the newest run, so that ids are in the order of the runs even if the clock was set back.

    What a report calls the start of a run is in its journal, not in its id.
    """
    now = time.strftime(_STAMP, time.localtime(now_s))
    newest = max((run.run_id[: len(now)] for run in all_runs(output_folder)), default="")
    if now > newest:
        return now
    try:
        return f"{datetime.strptime(newest, _STAMP) + timedelta(seconds=1):{_STAMP}}"
    except (ValueError, OverflowError):  # somebody made up that name
        return now


def create(output_folder: Path) -> RunFolder:
    """A new, empty folder that only its owner can read. Raises ``EnvironmentNotReady`` before anything is measured."""
    run_id = f"{_stamp(output_folder)}-{secrets.token_hex(2)}"
    path = output_folder / run_id
    try:
        output_folder.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except OSError as error:
        raise EnvironmentNotReady(
            f"cannot write to the output folder {output_folder}",
            why=error.strerror or str(error),
            fix="choose another one: llmtester run --output-dir DIR",
        ) from error
    return RunFolder(path)


def all_runs(output_folder: Path) -> tuple[RunFolder, ...]:
    """Every run with a journal, oldest first."""
    if not output_folder.is_dir():
        return ()
    names = sorted(entry.name for entry in output_folder.iterdir() if _RUN_ID.fullmatch(entry.name))
    folders = (RunFolder(output_folder / name) for name in names)
    return tuple(folder for folder in folders if folder.journal.is_file())


def find(output_folder: Path, name: str) -> RunFolder:
    """The run called ``name``: ``latest``, a run id, or the path of a run folder. Raises ``NothingToDo``."""
    if os.sep in name or name in {".", ".."}:
        direct = RunFolder(Path(name))
        if direct.journal.is_file():
            return direct
        raise NothingToDo(f"{name} is not a run folder", why="it holds no journal.jsonl", fix="llmtester report list")
    runs = all_runs(output_folder)
    if not runs:
        raise NothingToDo(f"there is no run in {output_folder} yet", fix="llmtester run --quick")
    if name == "latest":
        return runs[-1]
    known = {run.run_id: run for run in runs}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    raise NothingToDo(
        f"there is no run called {name} in {output_folder}",
        why=f"did you mean {near[0]}?" if near else "",
        fix="llmtester report latest",
    )


@contextmanager
def exclusive(lock: Path, what: str) -> Iterator[None]:
    """Hold ``lock`` for the block. Raises ``Locked``, naming ``what`` is taken, if another process holds it, and
    ``EnvironmentNotReady`` if the lock cannot be written."""
    held = FileLock(lock, timeout=0)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout as error:  # an OSError as well, so it must come first
        raise Locked(
            f"{what} is in use by another llmtester",
            why="two runs at once would slow each other down and measure nonsense",
            fix="wait for it: llmtester watch latest",
        ) from error
    except OSError as error:
        raise EnvironmentNotReady(
            f"cannot write the lock {lock}", why=error.strerror or str(error), fix="make that folder writable"
        ) from error
    try:
        yield
    finally:
        held.release()
