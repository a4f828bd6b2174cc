"""The dotted names of all settings, what kind of value each takes, and what a person may have meant by another name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llmtester.settings.schema import Settings
from llmtester.settings.yaml_reader import scalar

Name: TypeAlias = tuple[str, ...]

OPEN_SECTIONS: dict[str, str] = {"ratings": "METRIC"}
"""Sections whose keys are chosen by the user, and what stands for the key in documentation."""

ENVIRONMENT_PREFIX = "LLMTESTER_"
OTHER_VARIABLES = frozenset(
    f"{ENVIRONMENT_PREFIX}{name}"
    for name in ("CHROMIUM", "ITEMS_COUNT", "KILLS", "MLX_PYTHON", "SECOND_MODEL", "SERVER_KEY", "STARTER_MODEL")
)
"""Variables with the prefix that tests, benchmarks and the process of a server read; no settings."""


def walk(model: type[BaseModel] = Settings, prefix: Name = ()) -> Iterator[tuple[Name, FieldInfo]]:
    """Every section and setting in declaration order, sections before their settings."""
    for key, info in model.model_fields.items():
        yield (*prefix, key), info
        section = section_of(info)
        if section is not None:
            yield from walk(section, (*prefix, key))


def section_of(info: FieldInfo) -> type[BaseModel] | None:
    """The model behind a field that is a section, else ``None``."""
    annotation = info.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


SECTIONS: dict[Name, type[BaseModel]] = {
    name: section for name, info in walk() if (section := section_of(info)) is not None
}
LEAVES: dict[Name, FieldInfo] = {name: info for name, info in walk() if name not in SECTIONS}


def field_of(name: Name) -> FieldInfo | None:
    """The setting of that name; for a key of an open section the section's own field; ``None`` if there is none."""
    if len(name) == 2 and name[0] in OPEN_SECTIONS:
        return LEAVES[name[:1]]
    return LEAVES.get(name) if name[:1] not in {(key,) for key in OPEN_SECTIONS} else None


def environment_name(name: Name) -> str:
    return ENVIRONMENT_PREFIX + "__".join(name).upper()


def nearest(name: str) -> str | None:
    """The dotted name that ``name`` most resembles: as a whole, else by its last word alone."""
    dotted = [".".join(one) for one in (*LEAVES, *SECTIONS)]
    whole = get_close_matches(name.lower(), dotted, n=1, cutoff=0.75)
    if whole:
        return whole[0]
    last_words = {one.rpartition(".")[2]: one for one in reversed(dotted)}
    by_last = get_close_matches(name.lower().rpartition(".")[2], last_words, n=1, cutoff=0.75)
    return last_words[by_last[0]] if by_last else None


def from_text(name: Name, text: str) -> Any:
    """What ``text`` from the environment or the command line means for a setting.

    Lists are separated by commas, with or without the brackets of YAML; ``null`` empties a setting that may be empty;
    numbers and truth values read as in YAML. What does not fit stays text, so that validation refuses it with its name.
    """
    found = set(kinds(info_of(name).annotation))
    if text.strip() in {"null", "~"} and type(None) in found:
        return None
    textual = bool(found & _TEXTUAL)
    if tuple in found or dict in found:
        listed = text.strip()
        if listed.startswith("[") and listed.endswith("]"):
            listed = listed[1:-1]
        items = [item.strip() for item in listed.split(",") if item.strip()]
        return items if textual else [scalar(item) for item in items]
    return text if textual else scalar(text.strip())


def info_of(name: Name) -> FieldInfo:
    """The field behind a known setting. Raises ``KeyError`` for others."""
    return LEAVES[name[:1]] if name[0] in OPEN_SECTIONS else LEAVES[name]


def choices(name: Name) -> tuple[str, ...]:
    """Every value that a setting can have where these are few, else its default if that is one word, else nothing."""
    annotation = info_of(name).annotation
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    default = info_of(name).default
    return (str(default),) if isinstance(default, str | int | float) else ("",)


_TEXTUAL: set[Any] = {str, Literal}


def kinds(annotation: Any) -> Iterator[Any]:
    """``str`` for text and paths, ``Literal``, ``tuple``, ``dict``, and the plain types, at any depth of a type."""
    origin = get_origin(annotation)
    if origin is Literal:
        yield Literal
    elif origin is Annotated:
        yield from kinds(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for part in get_args(annotation):
            yield from kinds(part)
    elif origin is dict:
        yield dict
        yield from kinds(get_args(annotation)[1])
    elif origin is tuple:
        yield tuple
        for part in get_args(annotation):
            if part is not Ellipsis:
                yield from kinds(part)
    else:
        yield annotation if annotation in {int, float, bool, type(None)} else str
