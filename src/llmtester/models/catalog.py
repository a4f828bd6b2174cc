"""Models that can be pulled by a short name: the list that comes with llmtester, and the user's own ``models.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtester.domain.errors import ConfigurationError, NothingToDo
from llmtester.domain.text import nearest, printable
from llmtester.domain.work import ServerSettings
from llmtester.models.memory import EMBEDDED, MIB
from llmtester.models.quantization import equal, from_name

BITS_PER_WEIGHT: dict[str, float] = {
    "Q2_K": 3.16,
    "Q3_K_S": 3.64,
    "Q3_K_M": 4.00,
    "Q3_K_L": 4.30,
    "IQ4_XS": 4.46,
    "Q4_0": 4.66,
    "Q4_1": 5.13,
    "Q4_K_S": 4.67,
    "Q4_K_M": 4.89,
    "Q5_K_S": 5.57,
    "Q5_K_M": 5.70,
    "Q6_K": 6.56,
    "Q8_0": 8.50,
    "BF16": 16.0,
    "F16": 16.0,
}
"""Whole-file bits for each weight of an 8-billion model, from llama.cpp's ``tools/quantize/README.md``; Q4_1 by rule
of three from its block size. Small models need more, so the figure only serves before the real size is known."""


STARTER_SOURCE = "starter"
"""The source of the one model that comes from the package index, and its short name."""


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model that can be pulled by ``name``.

    ``quants`` are the offered quantizations, the recommended one first. ``files`` are local file names that mean this
    model. Sizes are ``None`` where the list does not give them.
    """

    name: str
    source: str
    quants: tuple[str, ...]
    licence: str | None = None
    parameters_count: int | None = None
    context_tok: int | None = None
    layers_count: int | None = None
    kv_heads: int | None = None
    head_size: int | None = None
    size_bytes: int | None = None
    files: tuple[str, ...] = ()
    note: str = ""

    @property
    def spoken(self) -> tuple[str, ...]:
        """What a person may call it, in lower case."""
        return (self.name.lower(), *((STARTER_SOURCE,) if self.source == STARTER_SOURCE else ()))

    @property
    def only(self) -> tuple[str, ...] | None:
        """The quantization of a source that names one itself, empty if it does not say which; ``None`` for others."""
        if self.source == STARTER_SOURCE:
            return self.quants
        if ":" not in self.source and not self.is_file:
            return None
        named = from_name(self.source.rpartition("/")[2].rpartition(":")[2])
        return (named,) if named else ()

    @property
    def is_file(self) -> bool:
        """Whether there is one file, so that no other quantization can be added to it."""
        return self.source == STARTER_SOURCE or self.source.lower().endswith(".gguf")

    def approximate_bytes(self, quantization: str) -> int | None:
        """Size of the file before anybody asked the hub; ``None`` if the list cannot say."""
        if self.size_bytes is not None:
            return self.size_bytes
        bits = BITS_PER_WEIGHT.get(quantization.upper().removeprefix("UD-"))
        return round(self.parameters_count * bits / 8) if self.parameters_count and bits else None

    def approximate_need_bytes(self, quantization: str, settings: ServerSettings) -> int | None:
        """Memory with the given settings, by the same rules as ``memory.estimate`` but from the list's few facts."""
        weights = self.approximate_bytes(quantization)
        if weights is None or not (self.layers_count and self.kv_heads and self.head_size):
            return None
        cache = settings.slots * settings.context_tok * self.layers_count * self.kv_heads * self.head_size * 2 * 2
        return weights + cache + EMBEDDED.base_bytes + 100 * MIB


@dataclass(frozen=True, slots=True)
class Catalog:
    """Entries by name, in the order of the file."""

    entries: tuple[CatalogEntry, ...] = ()

    def get(self, name: str) -> CatalogEntry | None:
        """The entry of that name; the starter model also answers to ``starter``."""
        wanted = name.strip().lower()
        return next((entry for entry in self.entries if wanted in entry.spoken), None)

    def source_of(self, wanted: str, quants: Sequence[str] = ()) -> str:
        """``name`` or ``name:quantization`` of the catalog as a source; what is no such name, unchanged.

        Raises ``NothingToDo`` with the nearest names for what can only be a name and is none, and with what there is
        for a quantization, in the name or in ``quants``, that an entry of one file does not have.
        """
        name, _, quantization = wanted.strip().partition(":")
        entry = self.get(name)
        if entry is None:
            if "/" not in wanted and not name.lower().endswith(".gguf"):
                raise self._unknown(name, quantization)
            return wanted
        if entry.only is not None:
            _refuse_others(entry, name, [one for one in (quantization, *(quants if entry.is_file else ())) if one])
            return entry.source
        return f"{entry.source}:{quantization or entry.quants[0]}"

    def _unknown(self, name: str, quantization: str) -> NothingToDo:
        known = [name for entry in self.entries for name in (entry.name, *entry.spoken[1:])]
        near = nearest(name, known)
        suffix = f":{printable(quantization)}" if quantization else ""
        return NothingToDo(
            f"the catalog has no {printable(name) + suffix!r}",
            why=f"it has {', '.join(printable(one) for one in near or known)}",
            fix=f"llmtester models pull {printable(near[0]) + suffix if near else 'owner/repository:Q4_K_M'}",
        )

    @property
    def names_by_file(self) -> dict[str, str]:
        """Lower-case file name to the name that the catalog gives it."""
        return {file.lower(): entry.name for entry in self.entries for file in entry.files}


def _refuse_others(entry: CatalogEntry, name: str, wanted: Sequence[str]) -> None:
    """Raises ``NothingToDo`` for a quantization that the only file of an entry does not have."""
    others = [one for one in wanted if entry.only and not any(equal(one, known) for known in entry.only)]
    if others:
        raise NothingToDo(
            f"{printable(name)} does not come as {', '.join(map(printable, others))}",
            why=f"there is {', '.join(map(printable, entry.only or ()))} and nothing else",
            fix=f"llmtester models pull {printable(name)}",
        )


def built_in() -> Catalog:
    """The list that comes with llmtester."""
    from importlib.resources import files

    text = files("llmtester.models").joinpath("models.yaml").read_text(encoding="utf-8")
    return _parsed(text, "the built-in catalog")


def load(path: Path | None) -> Catalog:
    """The user's entries first, then the built-in ones that they do not replace. Raises ``ConfigurationError``."""
    own = built_in()
    if path is None:
        return own
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the catalog {printable(str(path))} cannot be read",
            why=printable(str(error)),
            fix="correct `models.catalog`, or unset it to use the built-in catalog",
        ) from error
    given = _parsed(text, str(path))
    names = {entry.name.lower() for entry in given.entries}
    return Catalog((*given.entries, *(entry for entry in own.entries if entry.name.lower() not in names)))


def _parsed(text: str, where: str) -> Catalog:
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _wrong(where, printable(str(error).replace("\n", " "), 300)) from error
    listed = data.get("models") if isinstance(data, Mapping) else None
    if not isinstance(listed, list):
        raise _wrong(where, "it has no list called `models`")
    entries = tuple(_entry(item, where, number) for number, item in enumerate(listed, 1))
    names = [entry.name.lower() for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _wrong(where, f"two entries are called {printable(twice)!r}")
    return Catalog(entries)


_TEXTS = ("name", "source", "licence", "note")
_NUMBERS = ("parameters_count", "context_tok", "layers_count", "kv_heads", "head_size", "size_bytes")
_LISTS = ("quants", "files")


def _entry(item: Any, where: str, number: int) -> CatalogEntry:
    if not isinstance(item, Mapping):
        raise _wrong(where, f"entry {number} is not a set of `key: value` lines")
    unknown = [str(key) for key in item if key not in (*_TEXTS, *_NUMBERS, *_LISTS)]
    if unknown:
        raise _wrong(where, f"entry {number} has the unknown key {printable(unknown[0])!r}")
    fields: dict[str, Any] = {}
    for key in _TEXTS:
        if key in item:
            fields[key] = _checked(item[key], str, where, f"{key} of entry {number}")
    for key in _NUMBERS:
        if key in item:
            fields[key] = _checked(item[key], int, where, f"{key} of entry {number}")
    for key in _LISTS:
        raw = item.get(key, [])
        listed = [raw] if isinstance(raw, str) else _checked(raw, list, where, f"{key} of entry {number}")
        fields[key] = tuple(_checked(part, str, where, f"{key} of entry {number}") for part in listed)
    if "name" not in fields or "source" not in fields:
        raise _wrong(where, f"entry {number} needs `name` and `source`")
    if not fields["quants"]:
        fields["quants"] = ("Q4_K_M",)
    return CatalogEntry(**fields)


def _checked(value: Any, kind: type[Any], where: str, what: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and value <= 0):
        raise _wrong(where, f"{what} is {printable(repr(value), 60)}, expected {kind.__name__}")
    return value


def _wrong(where: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{printable(where)} is not a list of models",
        why=why,
        fix="see the example in `llmtester docs models`",
    )
