"""Looking through folders: which files are models, which belong together, which cannot be used and why."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmtester.domain.errors import ModelError
from llmtester.domain.text import printable
from llmtester.models.cursor import ArrayMemo
from llmtester.models.facts import ModelFacts, facts_of
from llmtester.models.facts_cache import FactsCache, Known, Stamp, stamp_of
from llmtester.models.fingerprint import combined, fingerprint
from llmtester.models.gguf import read_header
from llmtester.models.places import Candidate, Origin, candidates
from llmtester.models.quantization import split_part, split_stem


@dataclass(frozen=True, slots=True)
class Found:
    """One model on disk with all its parts, before it has a name."""

    paths: tuple[Path, ...]
    origin: Origin
    folder: Path
    given_name: str | None
    facts: ModelFacts
    fingerprint: str
    copies: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that looks like a model and cannot be used."""

    path: Path
    origin: Origin
    error: ModelError


def scan_folders(
    folders: Sequence[Path], cache: FactsCache, until_s: float | None = None
) -> tuple[tuple[Found, ...], tuple[Unusable, ...]]:
    """Everything under the folders: what was found, each content once, and what cannot be used.

    Two paths to one file count once; equal content at several places becomes one entry with ``copies``.
    From the monotonic time ``until_s`` on no header is read: files that the cache does not know are left out then.
    """
    memo = ArrayMemo()
    found: dict[str, Found] = {}
    unusable: list[Unusable] = []
    for group in _groups(_distinct(candidates(folders))):
        first = group[0]
        try:
            paths = _complete(group)
            known = _known(paths, cache, memo, until_s)
        except ModelError as error:
            unusable.append(Unusable(first.path, first.origin, error))
            continue
        if known is None:
            continue
        if known.error is not None or known.facts is None:
            why = known.error or ModelError(f"{printable(first.path.name)} cannot be used")
            unusable.append(Unusable(first.path, first.origin, why))
            continue
        earlier = found.get(known.fingerprint)
        if earlier is not None:
            found[known.fingerprint] = _with_copy(earlier, paths[0])
            continue
        found[known.fingerprint] = Found(
            paths, first.origin, first.folder, first.given_name, known.facts, known.fingerprint
        )
    cache.save()
    return tuple(found.values()), tuple(unusable)


def _with_copy(found: Found, path: Path) -> Found:
    return Found(
        found.paths,
        found.origin,
        found.folder,
        found.given_name,
        found.facts,
        found.fingerprint,
        (*found.copies, path),
    )


def _distinct(listed: Iterable[Candidate]) -> Iterable[Candidate]:
    """Each file once, however many links lead to it. A dangling link is a partial download: left out."""
    seen: set[tuple[int, int] | str] = set()
    for candidate in listed:
        try:
            facts = candidate.path.stat()
        except OSError:
            continue
        identity = (facts.st_dev, facts.st_ino) if facts.st_ino else str(candidate.path.resolve())
        if identity not in seen:
            seen.add(identity)
            yield candidate


def _groups(listed: Iterable[Candidate]) -> list[list[Candidate]]:
    """Parts of split models together, in order; every other file alone."""
    groups: dict[tuple[str, str, int], list[Candidate]] = {}
    for candidate in listed:
        part = split_part(candidate.path.name)
        if part is None:
            groups[(str(candidate.path), "", 0)] = [candidate]
        else:
            key = (str(candidate.path.parent), split_stem(candidate.path.name), part[1])
            groups.setdefault(key, []).append(candidate)
    return [sorted(group, key=lambda candidate: candidate.path.name) for group in groups.values()]


def _complete(group: Sequence[Candidate]) -> tuple[Path, ...]:
    part = split_part(group[0].path.name)
    if part is None:
        return (group[0].path,)
    numbers = {number for number, _ in filter(None, (split_part(candidate.path.name) for candidate in group))}
    missing = [number for number in range(1, min(part[1], 10_000) + 1) if number not in numbers]
    if missing:
        shown = ", ".join(str(number) for number in missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise ModelError(
            f"{printable(group[0].path.name)} is not complete",
            why=f"part {shown} of {part[1]} is missing",
            fix="pull it again",
        )
    return tuple(candidate.path for candidate in group)


def _known(paths: tuple[Path, ...], cache: FactsCache, memo: ArrayMemo, until_s: float | None) -> Known | None:
    """``None`` if the cache does not know the model and there is no time left to read it."""
    try:
        stamp = stamp_of(paths)
        known = cache.get(stamp)
        if known is None and (until_s is None or time.monotonic() < until_s):
            known = _read(paths, stamp, cache, memo)
        return known
    except OSError as error:
        raise ModelError(
            f"{printable(paths[0].name)} cannot be read",
            why=error.strerror or "",
            fix=f"look at {printable(str(paths[0]))}",
        ) from error


def _read(paths: tuple[Path, ...], stamp: Stamp, cache: FactsCache, memo: ArrayMemo) -> Known:
    try:
        known = read_model(paths, memo)
    except ModelError as error:
        known = Known(None, "", error)
    cache.put(stamp, known)
    return known


def read_model(paths: Sequence[Path], memo: ArrayMemo | None = None) -> Known:
    """Facts and fingerprint of one model from all its parts. Raises ``ModelError`` and ``OSError``."""
    headers = [read_header(path, memo=memo) for path in paths]
    facts = facts_of(headers, paths[0].name)
    if facts.split_count > 1 and facts.split_count != len(paths):
        raise ModelError(
            f"{printable(paths[0].name)} is not complete",
            why=f"its header says {facts.split_count} parts, {len(paths)} lie here under matching names",
            fix="pull it again, or give the parts their names ending in -00001-of-0000N.gguf back",
        )
    tensors = sum(len(header.tensors) for header in headers)
    if facts.split_tensors_count is not None and tensors != facts.split_tensors_count:
        raise ModelError(
            f"{printable(paths[0].name)} has parts of different models",
            why=f"its header promises {facts.split_tensors_count} tensors, the parts hold {tensors}",
            fix="pull it again",
        )
    prints = [fingerprint(path, header.data_at_byte) for path, header in zip(paths, headers, strict=True)]
    return Known(facts, combined(prints), None)
