"""The last lines of the servers of a run, for a report that asks for them: without keys and without the user's name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from llmtester.analysis.summary import Summary, TargetSummary
from llmtester.domain.work import Target
from llmtester.store.runs import RunFolder

LINES_LIMIT = 60
TAIL_BYTES = 32_768
NAMES = ("server.log", "server-older.log", "server-recent.log")
"""In the order in which they were written: the beginning, then what was kept of the rest."""

_SECRET = re.compile(r"(?i)((?:api[-_ ]?key|token|authorization|bearer|password|secret)s?\W{1,4})\S{8,}")


def redacted(line: str, home: str) -> str:
    """``line`` with what follows the name of a secret taken out and the home folder as ``~``."""
    without_home = line.replace(home, "~") if len(home) > 1 else line
    return _SECRET.sub(r"\1[removed]", without_home)


def with_logs(said: Summary, folder: RunFolder) -> Summary:
    """The summary with the last log lines of each server where there are any; a failed one keeps its own."""
    return replace(said, targets=tuple(_with_log(target, folder) for target in said.targets))


def _with_log(target: TargetSummary, folder: RunFolder) -> TargetSummary:
    if target.log_tail:
        return target
    place = folder.path / "servers" / Target(target.engine, target.model, target.settings).folder_name
    home = str(Path.home())
    return replace(target, log_tail=tuple(redacted(line, home) for line in _tail(place)))


def _tail(place: Path) -> list[str]:
    """The last lines over the parts of a log, untrusted."""
    lines: list[str] = []
    for name in NAMES:
        path = place / name
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                lines += file.read().decode("utf-8", "replace").splitlines()
    return lines[-LINES_LIMIT:]
