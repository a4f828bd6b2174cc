"""What programs read: one JSON object for a command, or one for each line of a long one."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_object(what: str, data: Any) -> None:
    """The whole answer of a command: ``{"schema": "llmtester/WHAT/1", "ok": true, "data": ...}``."""
    _write({"schema": f"llmtester/{what}/1", "ok": True, "data": data})


def print_line(what: str, kind: str, data: Any) -> None:
    """One step of a long command: ``{"schema": "llmtester/WHAT/1", "type": KIND, "data": ...}``."""
    _write({"schema": f"llmtester/{what}/1", "type": kind, "data": data})
    sys.stdout.flush()


def _write(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record, default=str) + "\n")
