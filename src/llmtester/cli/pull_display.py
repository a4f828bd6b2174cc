"""Shows transfers: bars on a terminal, one plain line every few seconds elsewhere, JSON Lines for programs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from llmtester.cli.console import say
from llmtester.cli.json_output import print_line
from llmtester.domain.text import human_bytes, human_duration, printable

PLAIN_EVERY_S = 5.0
_VERBS = {
    "ask": "reads the header of",
    "index": "fetches",
    "download": "fetches",
    "wait": "waits:",
    "unpack": "unpacks",
    "verify": "checks",
    "done": "has",
}


class PullDisplay:
    """An ``on_progress`` for pulls and checks: ``with PullDisplay() as show: manager.pull(name, show)``.

    ``quiet`` shows nothing; ``as_json`` writes to standard output what a plain line would say.
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self._quiet = quiet
        self._as_json = as_json
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._last_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        if not (self._quiet or self._as_json) and _is_terminal():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, progress: Any) -> None:
        """``progress`` is a ``models.progress.Progress``."""
        if self._quiet:
            return
        if self._bars is not None:
            self._move_bar(progress)
        else:
            self._plain(progress)

    def _move_bar(self, progress: Any) -> None:
        from rich.text import Text

        name = printable(progress.file, 60)
        if progress.note:
            self._bars.console.print(Text(f"{name}: {printable(progress.note)}"))
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = self._bars.add_task(name, total=progress.total_bytes, stage="")
        verb = _VERBS[progress.stage]
        self._bars.update(task, completed=progress.done_bytes, total=progress.total_bytes, stage=verb)

    def _plain(self, progress: Any) -> None:
        now_s = time.monotonic()
        key = f"{progress.file} {progress.stage}"
        ends = progress.stage == "done"
        if not (ends or progress.note) and now_s - self._last_s.get(key, now_s - 2 * PLAIN_EVERY_S) < PLAIN_EVERY_S:
            return
        self._last_s[key] = now_s
        if self._as_json:
            print_line("pull", "progress", asdict(progress))
        else:
            say(plain_line(progress))


def plain_line(progress: Any) -> str:
    """``fetches NAME: 31.0 MB of 98.4 MB, 12.1 MB/s, 6 s left``."""
    total = f" of {human_bytes(progress.total_bytes)}" if progress.total_bytes is not None else ""
    parts = [f"{_VERBS[progress.stage]} {progress.file}: {human_bytes(progress.done_bytes)}{total}"]
    if progress.rate_bytes_per_s:
        parts.append(f"{human_bytes(progress.rate_bytes_per_s)}/s")
    if progress.left_s is not None and progress.stage != "done":
        parts.append(f"{human_duration(progress.left_s)} left")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.fields[stage]} {task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
    )
