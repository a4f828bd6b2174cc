"""Facts of files that did not change since they were read, so that a second scan costs milliseconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

from llmtester.domain.errors import ModelError
from llmtester.models.facts import ModelFacts, Recurrent

FILE_NAME = "model-facts.json"
SCHEMA = 2
MAX_ENTRIES = 20_000

Stamp: TypeAlias = tuple[tuple[str, int, int], ...]
"""Path, size and modification time in nanoseconds of every part."""


@dataclass(frozen=True, slots=True)
class Known:
    """What reading a model gave: its facts and fingerprint, or the error."""

    facts: ModelFacts | None
    fingerprint: str
    error: ModelError | None


class FactsCache:
    """Facts by path, size and modification time. A cache that cannot be read or written is no error, only slower."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._entries: dict[str, Any] = {}
        self._changed = False
        self._load()

    def get(self, stamp: Stamp) -> Known | None:
        entry = self._entries.get(stamp[0][0])
        if not isinstance(entry, dict) or entry.get("stamp") != [list(part) for part in stamp]:
            return None
        try:
            return _known(entry)
        except (KeyError, TypeError, ValueError):
            return None

    def put(self, stamp: Stamp, known: Known) -> None:
        error = known.error
        self._entries[stamp[0][0]] = {
            "stamp": [list(part) for part in stamp],
            "fingerprint": known.fingerprint,
            "facts": asdict(known.facts) if known.facts else None,
            "error": [error.what, error.why, error.fix, error.at_byte] if error else None,
        }
        self._changed = True

    def save(self) -> None:
        """Writes the cache if something is new. Never raises: a full disk must not stop a scan."""
        if not self._changed:
            return
        import orjson

        entries = dict(list(self._entries.items())[-MAX_ENTRIES:])
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(orjson.dumps({"schema": SCHEMA, "shape": _SHAPE, "entries": entries}))
            fresh.replace(self._path)
        except OSError:
            return
        self._changed = False

    def _load(self) -> None:
        import orjson

        try:
            data = orjson.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(data, dict) and (data.get("schema"), data.get("shape")) == (SCHEMA, _SHAPE):
            self._entries = data.get("entries") or {}


_SHAPE = sorted(field.name for field in fields(ModelFacts))
"""A program with other facts must not read the cache of this one."""


def stamp_of(paths: Sequence[Path]) -> Stamp:
    """Raises ``OSError`` if one of the files is gone."""
    stamps = []
    for path in paths:
        facts = path.stat()
        stamps.append((str(path), facts.st_size, facts.st_mtime_ns))
    return tuple(stamps)


def _known(entry: dict[str, Any]) -> Known:
    if entry["error"] is not None:
        what, why, fix, at_byte = entry["error"]
        return Known(None, "", ModelError(what, why=why, fix=fix, at_byte=at_byte))
    raw = {key: _tuples(value) for key, value in entry["facts"].items()}
    if raw["recurrent"] is not None:
        raw["recurrent"] = Recurrent(**raw["recurrent"])
    return Known(ModelFacts(**raw), entry["fingerprint"], None)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
