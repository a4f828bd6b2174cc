"""Validates JSON against the subset of JSON Schema that our generator writes."""

from __future__ import annotations

from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> list[str]:
    """What in ``value`` contradicts ``schema``, one line each; empty if nothing does."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "const" in schema and value != schema["const"]:
        return [f"{where}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not one of {schema['enum']}"]
    if "anyOf" in schema:
        branches = [problems(value, branch, root, where) for branch in schema["anyOf"]]
        return [] if any(not branch for branch in branches) else min(branches, key=len)
    if "type" in schema:
        fits = isinstance(value, _TYPES[schema["type"]]) and not (
            isinstance(value, bool) and schema["type"] in ("integer", "number")
        )
        if not fits:
            return [f"{where}: {value!r} is no {schema['type']}"]
    found = []
    if isinstance(value, dict):
        own = schema.get("properties", {})
        found += [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            inner = own.get(name, schema.get("additionalProperties", {}))
            if inner is False:
                found.append(f"{where}: {name} is unknown")
            else:
                found += problems(item, inner, root, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            found += problems(item, schema["items"], root, f"{where}[{place}]")
    return found
