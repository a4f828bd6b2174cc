"""A YAML file as plain values with the place of each: no code, no surprises, every refusal with line and column.

Plain scalars follow YAML 1.2's core schema: ``on``, ``yes`` and ``2024-01-01`` are text, ``010`` is ten. Tags, anchors
and duplicate keys are refused, so nothing in a file can stand for more than what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable

KeyPath: TypeAlias = tuple[str | int, ...]

LARGEST_FILE_BYTES = 1_000_000
"""No settings file that a person wrote comes near; a larger one is another file named by mistake."""

_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Document:
    """``values`` as written, and for each key path the place of the key (of the item, in a list)."""

    file: str
    values: dict[str, Any]
    places: dict[KeyPath, Place] = field(default_factory=dict)


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar by YAML 1.2's core schema, without its octal and hexadecimal forms."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read_document(path: Path, shown: str) -> Document:
    """The mapping in the file at ``path``, called ``shown`` in messages; an empty file is an empty mapping.

    Raises ``ConfigurationError`` for a file that cannot be read or is not plain YAML.
    """
    text = _text(path, shown)
    try:
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _refused(Place(shown, *_line_column(event.start_mark)), "anchors and aliases are not used here")
        return _document(yaml.compose(text, Loader=yaml.BaseLoader), shown)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, shown) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{shown} is not YAML", why=printable(str(error)), fix="save it as plain text in UTF-8"
        ) from error
    except RecursionError as error:
        raise ConfigurationError(
            f"{shown} is nested too deeply", fix="compare it with `llmtester config init`"
        ) from error


def _document(root: yaml.Node | None, shown: str) -> Document:
    if root is None or (isinstance(root, yaml.ScalarNode) and root.style is None and not root.value):
        return Document(shown, {})
    if not isinstance(root, yaml.MappingNode):
        place = Place(shown, *_line_column(root.start_mark))
        raise _refused(
            place, "a settings file is a list of `name: value` lines", "compare it with `llmtester config init`"
        )
    places: dict[KeyPath, Place] = {}
    return Document(shown, _mapping(root, (), shown, places), places)


def _text(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{shown} cannot be read", why=reason, fix="check the path and its permissions"
        ) from error
    if len(raw) > LARGEST_FILE_BYTES:
        raise ConfigurationError(f"{shown} is no settings file", why="it is larger than 1 MB", fix="check the path")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{shown}:{line} is not UTF-8 text", fix="save the file as UTF-8") from error


def _mapping(node: yaml.MappingNode, path: KeyPath, file: str, places: dict[KeyPath, Place]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = Place(file, *_line_column(key_node.start_mark))
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refused(place, "a key must be a name")
        key = str(key_node.value)
        dotted = ".".join(map(str, (*path, key)))
        if key in values:
            first = places[(*path, key)].line
            raise _refused(
                place, f"{printable(dotted)} is set twice, first in line {first}", "keep one of the two lines"
            )
        places[(*path, key)] = place
        values[key] = _value(value_node, (*path, key), file, places)
    return values


def _value(node: yaml.Node, path: KeyPath, file: str, places: dict[KeyPath, Place]) -> Any:
    if node.tag not in _PLAIN_TAGS:
        place = Place(file, *_line_column(node.start_mark))
        raise _refused(
            place, f"the tag {printable(str(node.tag))} is not used here", "remove the word that begins with !"
        )
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, file, places)
    if isinstance(node, yaml.SequenceNode):
        return list(_items(node, path, file, places))
    text = str(node.value)
    quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return text if quoted else scalar(text)


def _items(node: yaml.SequenceNode, path: KeyPath, file: str, places: dict[KeyPath, Place]) -> Iterator[Any]:
    for index, item in enumerate(node.value):
        places[(*path, index)] = Place(file, *_line_column(item.start_mark))
        yield _value(item, (*path, index), file, places)


def _line_column(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _syntax(error: yaml.MarkedYAMLError, shown: str) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    place = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
    problem = error.problem or "it cannot be parsed"
    if "'\\t'" in problem:
        return ConfigurationError(
            f"{place}: a tab is used for indentation",
            why="YAML is indented with spaces only",
            fix="replace the tab by spaces",
        )
    why = printable(f"{error.context}: {problem}" if error.context else problem)
    return ConfigurationError(
        f"{place}: this is not valid YAML", why=why, fix="check indentation, colons and quotes there"
    )


def _refused(place: Place, what: str, fix: str = "compare the line with `llmtester config init`") -> ConfigurationError:
    return ConfigurationError(f"{place}: {what}", fix=fix)
