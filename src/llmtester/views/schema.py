"""The JSON Schema of ``results.json``, derived from the types themselves.

``python -m llmtester.views.schema`` prints it; ``docs/results.schema.json`` is that output, and a test holds it so.
"""

from __future__ import annotations

import json
import sys
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from llmtester.analysis.summary import Summary
from llmtester.views.results_json import SCHEMA

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Any: {},
}


def document() -> dict[str, Any]:
    """The schema (draft 2020-12) of the whole file. Raises ``TypeError`` for a field type that it does not know."""
    definitions: dict[str, Any] = {}
    _of(Summary, definitions)
    root = definitions.pop("Summary")
    head = {"schema": {"const": SCHEMA}, "kind": {"const": "llmtester/results"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Results of one llmtester run",
        "description": root["description"],
        "type": "object",
        "properties": {**head, **root["properties"]},
        "required": [*head, *root["required"]],
        "$defs": dict(sorted(definitions.items())),
    }


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return {"anyOf": [_of(argument, definitions) for argument in arguments]}
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return _defined(kind, definitions)
    raise TypeError(f"the schema does not know how {kind!r} is written")


def _defined(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = get_type_hints(kind)
        names = [field.name for field in fields(kind)]
        # What has a default came later: files that older versions wrote obey the schema too.
        required = [field.name for field in fields(kind) if field.default is field.default_factory is MISSING]
        definitions[name] = {
            "description": " ".join((kind.__doc__ or "").split()),
            "type": "object",
            "properties": {field: _of(hints[field], definitions) for field in names},
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")
