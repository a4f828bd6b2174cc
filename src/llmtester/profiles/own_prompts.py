"""Prompts that a user brings, with what they expect of the answers: JSON Lines, CSV or one prompt a line of text.

Every refusal names the file and the line, so that a person can go there.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import human_bytes, printable
from llmtester.profiles import expectations
from llmtester.profiles.expectations import KINDS, Expectation

KEYS = ("prompt", "id", "system", "max_tok", *KINDS)
LARGEST_FILE_BYTES = 64_000_000
LONGEST_ANSWER_TOK = 32_768
EXAMPLE = '{"prompt": "What is the capital of France? One word.", "contains": "Paris"}'


@dataclass(frozen=True, slots=True)
class OwnPrompt:
    """``where`` says where it stands; ``max_tok`` of ``None`` leaves the length of the answer to the profile."""

    id: str
    prompt: str
    where: str
    system: str = ""
    max_tok: int | None = None
    expectation: Expectation | None = None


def read_file(path: Path) -> tuple[OwnPrompt, ...]:
    """The prompts of a file, by its ending. Raises ``ConfigurationError`` naming what is wrong and in which line."""
    shown = printable(str(path))
    rows = _FORMATS.get(path.suffix.lower())
    if rows is None:
        raise ConfigurationError(
            f"the prompts {shown} are of no known format", fix=f"name the file {', '.join(_FORMATS)}"
        )
    text = _text(path, shown)
    return collect((f"{shown}, line {line}", entry) for line, entry in rows(text, shown))


def collect(entries: Iterator[tuple[str, Any]]) -> tuple[OwnPrompt, ...]:
    """Prompts from what was written at each place. Raises ``ConfigurationError`` for the first that is none, for two
    with one id, and for none at all."""
    found: dict[str, OwnPrompt] = {}
    for number, (where, entry) in enumerate(entries, start=1):
        prompt = _read(where, entry, str(number))
        if prompt.id in found:
            raise _refused(where, f"the id {printable(prompt.id)} is used by {found[prompt.id].where} too")
        found[prompt.id] = prompt
    if not found:
        raise ConfigurationError("there is no prompt in it", why="every line is empty", fix=f"write: {EXAMPLE}")
    return tuple(found.values())


def content_hash(prompts: Sequence[OwnPrompt]) -> str:
    """12 hexadecimal digits that differ when anything that is asked or expected differs."""
    said = [
        [one.id, one.prompt, one.system, one.max_tok, one.expectation and [one.expectation.kind, one.expectation.value]]
        for one in prompts
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def _text(path: Path, shown: str) -> str:
    fix = "check the path given with --prompts or profiles.custom.file"
    if not path.is_file():
        raise ConfigurationError(f"the prompts {shown} cannot be read", why="there is no such file", fix=fix)
    size_bytes = path.stat().st_size
    if size_bytes > LARGEST_FILE_BYTES:
        limit = human_bytes(LARGEST_FILE_BYTES)
        raise ConfigurationError(f"the prompts {shown} are too large", why=f"{human_bytes(size_bytes)}, limit {limit}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the prompts {shown} cannot be read", why=str(error.strerror), fix=fix) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"the prompts {shown} are not UTF-8",
            why=f"line {line} holds the byte 0x{data[error.start]:02x}",
            fix="save the file as UTF-8",
        ) from error
    if not text.strip():
        raise ConfigurationError(f"the prompts {shown} are empty", fix=f"write into it: {EXAMPLE}")
    return text


def _json_lines(text: str, shown: str) -> Iterator[tuple[int, Any]]:
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            yield line, json.loads(written)
        except (ValueError, RecursionError) as error:
            raise _refused(f"{shown}, line {line}", f"it is no JSON: {error}") from error


def _csv_rows(text: str, shown: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = reader.fieldnames or ()
        if "prompt" not in names:
            raise _refused(f"{shown}, line 1", "the first line must name the columns, and one of them is called prompt")
        begins = reader.line_num + 1
        for row in reader:
            if None in row:
                raise _refused(f"{shown}, line {begins}", "it has more columns than the first line")
            yield begins, {name: value for name, value in row.items() if value}
            begins = reader.line_num + 1
    except csv.Error as error:
        raise _refused(f"{shown}, line {reader.line_num}", f"it is no CSV: {error}") from error


def _lines(text: str, shown: str) -> Iterator[tuple[int, Any]]:
    for line, written in enumerate(text.splitlines(), start=1):
        if written.strip():
            yield line, {"prompt": written.strip()}


_FORMATS = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv_rows, ".txt": _lines}


def _read(where: str, entry: Any, number: str) -> OwnPrompt:
    if not isinstance(entry, Mapping):
        raise _refused(where, "it is no object")
    for key in entry:
        if key not in KEYS:
            near = get_close_matches(str(key), KEYS, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; the keys are {', '.join(KEYS)}"
            raise _refused(where, f"the key {printable(str(key))} is not known{hint}")
    prompt = entry.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise _refused(where, "prompt must be text that is not empty")
    system, name = entry.get("system", ""), entry.get("id", number)
    if not isinstance(system, str) or not isinstance(name, str | int) or isinstance(name, bool):
        raise _refused(where, "system and id must be text")
    kinds = [kind for kind in KINDS if entry.get(kind) is not None]
    if len(kinds) > 1:
        raise _refused(where, f"it expects {' and '.join(kinds)}; one prompt has one expectation")
    try:
        expectation = expectations.read(kinds[0], entry[kinds[0]]) if kinds else None
    except ValueError as error:
        raise _refused(where, f"{kinds[0]}: {error}") from error
    return OwnPrompt(str(name), prompt, where, system, _answer_tok(where, entry.get("max_tok")), expectation)


def _answer_tok(where: str, written: Any) -> int | None:
    if written is None:
        return None
    text = str(written)
    if isinstance(written, bool) or not text.isdecimal() or not 1 <= int(text) <= LONGEST_ANSWER_TOK:
        raise _refused(where, f"max_tok must be a whole number from 1 to {LONGEST_ANSWER_TOK}")
    return int(text)


def _refused(where: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{where} cannot be used", why=printable(why), fix=f"write for example {EXAMPLE}")
