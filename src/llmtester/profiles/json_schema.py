"""The part of JSON Schema that says whether an answer has the right shape, and what of a schema is understood here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
IGNORED = frozenset({"$schema", "title", "description"})

_BOUNDS: Mapping[str, tuple[str, int]] = {
    "minItems": ("array", 1),
    "maxItems": ("array", -1),
    "minLength": ("string", 1),
    "maxLength": ("string", -1),
    "minimum": ("number", 1),
    "maximum": ("number", -1),
}
"""Keyword to the type that it bounds, and the sign that makes it a lower bound."""


def understood() -> tuple[str, ...]:
    """Every keyword that is understood, and those that say nothing about the shape."""
    return (*_VALUES, "items", *IGNORED)


def schema_problem(schema: Any, where: str = "$") -> str | None:
    """What in a schema is not understood here; ``None`` if all of it is."""
    if not isinstance(schema, dict):
        return f"{where} is no object"
    for keyword, value in schema.items():
        if keyword in IGNORED:
            continue
        if keyword != "items" and keyword not in _VALUES:
            return f"{where}.{keyword} is not supported; supported are {', '.join(sorted((*_VALUES, 'items')))}"
        if problem := _keyword_problem(keyword, value, f"{where}.{keyword}"):
            return problem
    return None


def _keyword_problem(keyword: str, value: Any, where: str) -> str | None:
    if keyword == "properties" and isinstance(value, dict):
        return next((found for name, one in value.items() if (found := schema_problem(one, f"{where}.{name}"))), None)
    if keyword == "items":
        return schema_problem(value, where)
    allowed, words = _VALUES[keyword]
    return None if allowed(value) else f"{where} is {words}"


def _names_types(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in TYPES for name in names)


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError):
        return False
    return True


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "type": (_names_types, f"none of {', '.join(TYPES)}"),
    "enum": (_is_list, "no list"),
    "const": (lambda value: True, ""),
    "properties": (lambda value: isinstance(value, dict), "no object"),
    "required": (_is_list, "no list"),
    "additionalProperties": (lambda value: isinstance(value, bool), "neither true nor false"),
    "pattern": (_is_pattern, "no regular expression"),
    **dict.fromkeys(_BOUNDS, (_is_number, "no number")),
}
"""Keyword to what its value must be, and the words for a value that is not."""


def violation(value: Any, schema: Mapping[str, Any], where: str = "$") -> str | None:
    """The first thing about a JSON value that the schema does not allow; ``None`` if it fits."""
    wanted = schema.get("type")
    if wanted is not None and not any(_is(value, name) for name in (wanted if isinstance(wanted, list) else [wanted])):
        return f"{where} is not of type {wanted}"
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        return f"{where} is none of the allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        return f"{where} is not the expected value"
    for keyword, (kind, sign) in _BOUNDS.items():
        if keyword in schema and _is(value, kind):
            size = value if kind == "number" else len(value)
            if sign * size < sign * schema[keyword]:
                return f"{where} breaks {keyword} {schema[keyword]}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        return f"{where} does not match the pattern"
    if isinstance(value, dict):
        return _object_violation(value, schema, where)
    if isinstance(value, list) and "items" in schema:
        return next(
            (
                found
                for index, one in enumerate(value)
                if (found := violation(one, schema["items"], f"{where}[{index}]"))
            ),
            None,
        )
    return None


def _object_violation(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> str | None:
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return f"{where}.{missing[0]} is missing"
    known = schema.get("properties", {})
    if schema.get("additionalProperties") is False and (beyond := [name for name in value if name not in known]):
        return f"{where}.{beyond[0]} is not allowed"
    found = (violation(value[name], one, f"{where}.{name}") for name, one in known.items() if name in value)
    return next((one for one in found if one), None)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name])


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON, in which ``true`` is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
