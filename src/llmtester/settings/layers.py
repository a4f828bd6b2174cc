"""Where settings come from: file, environment, flags. Each layer keeps for every value where it was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable
from llmtester.settings.names import (
    ENVIRONMENT_PREFIX,
    LEAVES,
    OPEN_SECTIONS,
    OTHER_VARIABLES,
    SECTIONS,
    Name,
    environment_name,
    field_of,
    from_text,
    nearest,
)
from llmtester.settings.yaml_reader import Document, KeyPath, Place

RESEMBLANCE = 0.8
"""How like a setting's an unknown ``LLMTESTER_`` variable must be to be taken for a slip instead of a stranger."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Nested ``values``; ``origins`` says for each setting where it was said, ``places`` the same to the character.

    ``strangers`` are variables with our prefix that are no settings.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Name, str] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)

    def put(self, name: Name, value: Any, origin: str) -> None:
        inner = self.values
        for key in name[:-1]:
            inner = inner.setdefault(key, {})
        inner[name[-1]] = value
        self.origins[name] = origin
        self.places[name] = origin


def file_layer(document: Document) -> Layer:
    """The settings of a file. Raises ``ConfigurationError`` for an unknown name or a section that holds no names."""
    layer = Layer()
    for name, value in _leaves(document, (), document.values):
        place = document.places[name]
        layer.put(name, value, f"{document.file}:{place.line}")
    layer.places.update({path: str(place) for path, place in document.places.items()})
    return layer


def _leaves(document: Document, prefix: Name, values: Mapping[str, Any]) -> Iterator[tuple[Name, Any]]:
    for key, value in values.items():
        name = (*prefix, key)
        if field_of(name) is not None:
            yield name, value
        elif name not in SECTIONS and key not in OPEN_SECTIONS:
            raise unknown_name(str(document.places[name]), ".".join(name))
        elif value is None:
            continue
        elif isinstance(value, dict):
            yield from _leaves(document, name, value)
        else:
            raise _not_a_section(document.places[name], name)


def environment_layer(env: Mapping[str, str]) -> Layer:
    """The settings of ``LLMTESTER_*`` variables, ``__`` between section and name.

    Raises ``ConfigurationError`` for a variable that is no setting but looks like one; others are ``strangers``.
    """
    layer = Layer()
    for variable in sorted(env):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES:
            continue
        name: Name = tuple(variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if field_of(name) is not None:
            layer.put(name, from_text(name, env[variable]), f"env {variable}")
            continue
        known = [environment_name(one) for one in LEAVES]
        near = get_close_matches(variable, known, n=1, cutoff=RESEMBLANCE)
        if near or len(name) > 1:
            raise ConfigurationError(
                f"the environment variable {printable(variable)} is no setting",
                why="variables are named LLMTESTER_SECTION__NAME, with two underscores after each section",
                fix=f"rename it to {near[0]}" if near else "unset it, or see `llmtester config show`",
            )
        layer.strangers.append(variable)
    return layer


def stranger_note(variable: str) -> str:
    """What a person should know about a variable that looks like ours and changes nothing, with the nearest name."""
    known = [environment_name(one).removeprefix(ENVIRONMENT_PREFIX) for one in LEAVES]
    near = get_close_matches(variable.removeprefix(ENVIRONMENT_PREFIX), known, n=1)  # the prefix alone is no likeness
    guess = f"did you mean {ENVIRONMENT_PREFIX}{near[0]}?" if near else "llmtester config show lists the settings"
    return f"the environment variable {printable(variable)} is no setting and changes nothing; {guess}"


def flag_layer(overrides: Mapping[str, Any]) -> Layer:
    """The settings of flags by dotted name; ``None`` means that the flag was not given.

    Text is read as in the environment, other values are taken as they are. Raises ``ConfigurationError`` for a name
    that is no setting.
    """
    layer = Layer()
    for dotted, value in overrides.items():
        name: Name = tuple(dotted.split("."))
        if value is None:
            continue
        if field_of(name) is None:
            raise unknown_name(f"--set {printable(dotted)}", dotted)
        layer.put(name, from_text(name, value) if isinstance(value, str) else value, "flag")
    return layer


def assignments(pairs: Sequence[str]) -> dict[str, str]:
    """``["server.slots=2"]`` as overrides. Raises ``ConfigurationError`` for one without ``=`` or set twice."""
    result: dict[str, str] = {}
    for pair in pairs:
        dotted, equals, text = pair.partition("=")
        if not equals or not dotted.strip():
            raise ConfigurationError(
                f"--set {printable(pair)}: expected NAME=VALUE", fix="write it as in --set server.context_tok=8192"
            )
        if dotted.strip() in result:
            raise ConfigurationError(f"--set {printable(dotted)} is given twice", fix="keep one of the two")
        result[dotted.strip()] = text
    return result


def unknown_name(place: str, dotted: str) -> ConfigurationError:
    """The refusal of a name that is no setting, with the one that was probably meant."""
    near = nearest(dotted)
    return ConfigurationError(
        f"{place}: {printable(dotted)} is not a setting",
        why=f"the nearest known setting is {near}" if near else "no known setting has a similar name",
        fix=f"write {near} instead" if near else "remove it; `llmtester config show` lists all settings",
    )


def _not_a_section(place: Place, name: Name) -> ConfigurationError:
    dotted = ".".join(name)
    return ConfigurationError(
        f"{place}: {dotted} is a section, not a value", fix=f"indent its settings below `{name[-1]}:`"
    )
