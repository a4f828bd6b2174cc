"""What was fetched, by whom and with which checksum: one small file per pulled model, beside the models.

The records decide what ``models rm`` may delete and what ``models verify`` can compare with. They never hold a token:
only the public name of the source is kept, never the address that a hub redirected to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from llmtester.domain.work import digest
from llmtester.models.places import OWN_FOLDER

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class PulledFile:
    """``path`` is relative to the model folder, with forward slashes. ``sha256`` is what was received and checked."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """One model that llmtester fetched. ``promised`` says whether the source itself published the checksums."""

    name: str
    quantization: str
    source: str
    revision: str
    licence: str | None
    promised: bool
    fetched_unix_s: int
    files: tuple[PulledFile, ...]


def own_folder(folder: Path) -> Path:
    """The folder for records and partial files, made if it is not there."""
    own = folder / OWN_FOLDER
    own.mkdir(parents=True, exist_ok=True)
    return own


def write(folder: Path, record: Pulled) -> None:
    """Stores the record so that it is there whole or not at all."""
    path = _path(folder, record.files[0].path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps({"schema": SCHEMA} | asdict(record), indent=1), encoding="utf-8")
    fresh.replace(path)


def forget(folder: Path, record: Pulled) -> None:
    _path(folder, record.files[0].path).unlink(missing_ok=True)


def records(folder: Path) -> Iterator[Pulled]:
    """Every readable record of a model folder. A damaged one is left out: its model then counts as not fetched."""
    for path in sorted((folder / OWN_FOLDER / "pulled").glob("*.json")):
        try:
            yield _from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _from_json(data: object) -> Pulled:
    if not isinstance(data, dict):
        raise TypeError("a record is an object")
    fields = {key: value for key, value in data.items() if key not in ("schema", "files")}
    files = data["files"]
    if data["schema"] != SCHEMA or not isinstance(files, list):
        raise ValueError("a record of another version")
    listed = tuple(PulledFile(**file) for file in files)
    for file in listed:
        parts = PurePosixPath(file.path)
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError("a record that leads out of its folder")
    return Pulled(**fields, files=listed)  # a missing or unknown field is a TypeError, handled by the caller


def _path(folder: Path, first_file: str) -> Path:
    return folder / OWN_FOLDER / "pulled" / f"{digest(first_file)}.json"
