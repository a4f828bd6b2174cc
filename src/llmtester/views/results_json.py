"""The complete summary as JSON; ``docs/results.schema.json`` describes it."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from llmtester.analysis.summary import Summary

SCHEMA = 1
"""1: first published shape. Raised whenever a reader of the old shape would misread the new one."""


def plain(value: object) -> Any:
    """``value`` as dicts, lists, strings and numbers. A dataclass becomes a dict of its fields, in their order.

    An ``Estimate`` keeps its four fields; an ``Absent`` becomes ``{"reason": ...}`` in the same place.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class JsonExporter:
    """``results.json``: everything, exact, pretty-printed."""

    suffix = "results.json"

    def render(self, summary: Summary) -> bytes:
        """UTF-8 JSON. Raises ``ValueError`` for NaN or infinity, which no summary may hold."""
        document = {"schema": SCHEMA, "kind": "llmtester/results", **plain(summary)}
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        # A lone surrogate cannot be encoded; backslashreplace writes it as \udXXX, which JSON reads back as it was.
        return text.encode("utf-8", "backslashreplace") + b"\n"
