"""Is a model what it should be: readable from end to end, and equal to what its source published."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from llmtester.domain.errors import ModelError
from llmtester.domain.text import printable
from llmtester.models.facts import ModelFacts
from llmtester.models.naming import LocalModel
from llmtester.models.progress import OnProgress, Progress, Rate
from llmtester.models.scan import read_model

BLOCK_BYTES = 4 << 20
Trust: TypeAlias = Literal["source", "pull", "none"]


@dataclass(frozen=True, slots=True)
class Verification:
    """A model that passed. ``trust`` says what the checksums were compared with: those that the ``source`` published,
    those noted at the ``pull``, or ``none`` because nobody knows them. ``sha256`` has one entry for each part."""

    model: LocalModel
    facts: ModelFacts
    sha256: tuple[str, ...]
    trust: Trust


def verify(model: LocalModel, on_progress: OnProgress) -> Verification:
    """Raises ``ModelError`` naming the part and the difference; reads every byte once."""
    known = read_model(model.paths)
    facts = known.facts or model.facts
    record = model.pulled
    promised = {model.folder / file.path: file for file in record.files} if record else {}
    checksums = []
    for path in model.paths:
        expected = promised.get(path)
        size = path.stat().st_size
        if expected is not None and size != expected.size_bytes:
            raise _differs(path, f"it has {size} bytes and had {expected.size_bytes} when it was fetched")
        checksum = sha256_of(path, size, on_progress)
        if expected is not None and expected.sha256 and checksum != expected.sha256:
            raise _differs(path, f"its sha256 is {checksum}, expected {expected.sha256}")
        checksums.append(checksum)
    trust: Trust = "none" if record is None else "source" if record.promised else "pull"
    return Verification(model, facts, tuple(checksums), trust)


def sha256_of(path: Path, size: int, on_progress: OnProgress) -> str:
    """Hexadecimal SHA-256 of a file. Raises ``ModelError`` if it cannot be read to its end."""
    hashed, done, rate = hashlib.sha256(), 0, Rate()
    name = printable(path.name)
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK_BYTES):
                hashed.update(block)
                done += len(block)
                speed = rate.add(time.monotonic(), done)
                on_progress(Progress("verify", name, done, size, speed, (size - done) / speed if speed else None))
    except OSError as error:
        raise ModelError(f"{name} cannot be read", why=error.strerror or "", at_byte=done) from error
    return hashed.hexdigest()


def _differs(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{printable(path.name)} is not the file that was fetched", why=why, fix="remove it and pull it again"
    )
