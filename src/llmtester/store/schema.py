"""Events to JSON and back, for every schema version that was ever written.

History, newest first. Each entry of ``UPGRADES`` turns the data of one record from its version into the next one, so
a journal of any age is read by walking up. ``tests/data/journals`` holds a frozen journal of each version.

1. First version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_args

import orjson
from pydantic import TypeAdapter, ValidationError

from llmtester.domain import events
from llmtester.domain.errors import StoreError
from llmtester.domain.events import Event, kind_of

Upgrade = Callable[[str, dict[str, Any]], dict[str, Any]]
UPGRADES: Mapping[int, Upgrade] = {}

SCHEMA = 1 + len(UPGRADES)

EVENT_TYPES: Mapping[str, type] = {kind_of(event_type): event_type for event_type in get_args(events.Event)}
_KINDS: Mapping[type, str] = {event_type: kind for kind, event_type in EVENT_TYPES.items()}


@cache
def _adapter(kind: str) -> TypeAdapter[Event]:
    return TypeAdapter(EVENT_TYPES[kind])


def encode(event: Event) -> tuple[str, bytes]:
    """The kind of the event and its data as compact JSON. Raises ``StoreError`` for text that no JSON can hold."""
    try:
        return _KINDS[type(event)], orjson.dumps(event)
    except TypeError as error:
        raise StoreError("an event cannot be written to the journal", why=str(error)) from error


def decode(kind: str, data: dict[str, Any], schema: int) -> Event:
    """The event that ``encode`` was given, from any schema up to ``SCHEMA``. Raises ``StoreError``."""
    data = upgraded(kind, data, schema)
    if kind not in EVENT_TYPES:
        raise StoreError(f"the journal holds a record of unknown kind {kind!r}", fix="start a new run: llmtester run")
    try:
        return _adapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(
            f"a {kind} record of the journal is not valid",
            why=f"{where}: {first['msg']}",
            fix="start a new run: llmtester run",
        ) from error


def upgraded(
    kind: str, data: dict[str, Any], schema: int, upgrades: Mapping[int, Upgrade] = UPGRADES
) -> dict[str, Any]:
    """The data of a record of version ``schema`` as the newest version writes it, brought up one version at a time."""
    for version in range(schema, 1 + len(upgrades)):
        data = upgrades[version](kind, data)
    return data


def check_version(schema: object) -> int:
    """The schema number if this version of llmtester can read it. Raises ``StoreError``."""
    if not isinstance(schema, int) or schema < 1:
        raise StoreError(
            "this is not an llmtester journal",
            why="its first line names no schema",
            fix="see the others: llmtester report list",
        )
    if schema > SCHEMA:
        raise StoreError(
            f"the journal was written by a newer llmtester (schema {schema}, this one reads up to {SCHEMA})",
            fix="pipx upgrade llmtester",
        )
    return schema
