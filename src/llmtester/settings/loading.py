"""Reading settings from all layers, lowest first: defaults, file, environment, flags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable
from llmtester.settings.layers import Layer, environment_layer, file_layer, flag_layer, stranger_note
from llmtester.settings.names import LEAVES, OPEN_SECTIONS, Name
from llmtester.settings.schema import Settings, band_problem
from llmtester.settings.yaml_reader import KeyPath, read_document

FILE_NAME = "llmtester.yaml"
DEFAULT_ORIGIN = "default"


def config_search_path() -> tuple[Path, Path]:
    """Where a settings file is looked for if none is named: this folder, then the user's own configuration folder."""
    return Path(FILE_NAME), user_config_path("llmtester") / FILE_NAME


@dataclass(frozen=True, slots=True)
class Loaded:
    """Validated settings and, for each dotted name, where its value came from.

    An origin is ``default``, ``FILE:LINE``, ``env NAME`` or ``flag``. ``file`` is the settings file that was read.
    ``notes`` are sentences about what looks like a setting and is none.
    """

    settings: Settings
    origins: dict[str, str]
    file: Path | None = None
    notes: tuple[str, ...] = ()

    def as_records(self) -> dict[str, dict[str, Any]]:
        """For each dotted name its value, as JSON has it, and its origin: what ``RunStarted.settings`` stores.

        Holds no key (settings only name where one is) and no user name: the home folder is shown as ``~``.
        """
        nested = self.settings.model_dump(mode="json")
        return {
            dotted: {"value": _homeless(_at(nested, tuple(dotted.split(".")))), "origin": _homeless(origin)}
            for dotted, origin in self.origins.items()
        }


def load_settings(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Loaded:
    """All settings: defaults < file < environment < ``overrides`` (dotted name to value; ``None``: not given).

    ``config`` names the file; without it the first existing one of ``config_search_path`` is read, or none.
    ``env`` stands for the process environment. Raises ``ConfigurationError`` for everything that is wrong in any layer,
    naming file, line, column and key, variable, or flag.
    """
    file = _config_file(config)
    environment = environment_layer(os.environ if env is None else env)
    layers = (
        flag_layer(overrides or {}),
        environment,
        file_layer(read_document(file, str(file))) if file is not None else Layer(),
    )
    try:
        settings = Settings(**dict(_bound(layers)()))
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False), layers) from error
    for metric, limits in settings.ratings.items():
        problem = band_problem(metric, limits)
        if problem is not None:
            raise _unusable(f"ratings.{metric}", _place(("ratings", metric), layers), problem)
    notes = (stranger_note(name) for name in environment.strangers if name != settings.engine.api_key_env)
    return Loaded(settings, _origins(settings, layers), file, tuple(notes))


def _config_file(config: Path | None) -> Path | None:
    if config is not None:
        if not config.exists():
            raise ConfigurationError(
                f"the settings file {printable(str(config))} does not exist",
                fix=f"check the path, or create it: llmtester config init {printable(str(config))}",
            )
        return config
    return next((path for path in config_search_path() if path.is_file()), None)


class _LayerSource(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], layer: Layer) -> None:
        super().__init__(settings_cls)
        self._values = layer.values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _bound(layers: Sequence[Layer]) -> type[Settings]:
    """``Settings`` whose sources are these layers, highest first, and nothing else of the process."""

    class Bound(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_LayerSource(settings_cls, layer) for layer in layers)

    return Bound


def _origins(settings: Settings, layers: Sequence[Layer]) -> dict[str, str]:
    names: list[Name] = []
    for name in LEAVES:
        if name[0] in OPEN_SECTIONS:
            names.extend((*name, key) for key in getattr(settings, name[0]))
        else:
            names.append(name)
    return {
        ".".join(name): next((layer.origins[name] for layer in layers if name in layer.origins), DEFAULT_ORIGIN)
        for name in names
    }


def _refusal(errors: Sequence[ErrorDetails], layers: Sequence[Layer]) -> ConfigurationError:
    first, *others = errors
    name = ".".join(str(part) for part in first["loc"] if not _is_type_tag(part))
    place = _place(first["loc"], layers)
    more = f" ({len(others)} more to correct)" if others else ""
    return _unusable(name, place, _problem(first), more)


def _unusable(name: str, place: str, problem: str, more: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"{place}: {printable(name)} cannot be used{more}",
        why=printable(problem),
        fix=f"correct {printable(name)}; `llmtester docs settings` explains it",
    )


_IN_PLAIN_WORDS = {
    "Input should be ": "expected ",
    "Field required": "expected one more item",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "text (in quotes where it looks like a number)",
    "a valid tuple": "a list, such as [a, b]",
    "a valid boolean": "true or false",
    "a valid dictionary": "a list of `name: value` lines",
    "Tuple should": "the list should",
    " after validation": "",
}


def _problem(error: ErrorDetails) -> str:
    """What is wrong in plain words, and the value; our own checks speak for themselves and may guard a secret."""
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    words = error["msg"]
    for technical, plain in _IN_PLAIN_WORDS.items():
        words = words.replace(technical, plain)
    return f"{words}, found {printable(repr(error['input']), 60)}"


def _place(location: tuple[int | str, ...], layers: Sequence[Layer]) -> str:
    """The most exact place known for an error: the item, its setting, or the first setting of its section."""
    for length in range(len(location), 0, -1):
        path: KeyPath = location[:length]
        for layer in layers:
            inside = [name for name in layer.origins if name[:length] == path]
            if path in layer.places and (path in layer.origins or not inside):
                return layer.places[path]
            if inside:
                return layer.places[inside[0]]
    return "settings"


def _is_type_tag(part: int | str) -> bool:
    return isinstance(part, str) and not part.isidentifier()


def _at(nested: Mapping[str, Any], name: Name) -> Any:
    value: Any = nested
    for key in name:
        value = value[key]
    return value


def _homeless(value: Any) -> Any:
    """``value`` with the home folder written as ``~`` in every text."""
    if isinstance(value, str):
        home = str(Path.home())
        return "~" + value[len(home) :] if value.startswith((home + os.sep, home + "/")) else value
    return [_homeless(item) for item in value] if isinstance(value, list) else value
