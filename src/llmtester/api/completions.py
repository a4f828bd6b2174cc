"""What could be typed here: the names that a shell offers for an argument. Every name of a model is untrusted text.

Each function takes what was typed of the word so far and the options given before it, by their name in the command, and
gives names in the order in which they are to be shown. It may raise ``LlmtesterError`` or ``OSError``; then there is
nothing to offer. Nothing heavier is imported than the names need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from llmtester.models.library import ModelManager
    from llmtester.settings import Settings

Given: TypeAlias = Mapping[str, Any]
Source: TypeAlias = Callable[[str, Given], Iterator[str]]

SCAN_LIMIT_S = 0.7
"""How long headers of unknown files are read for one key; what was read is remembered, so the next key offers more."""


def profiles(typed: str, given: Given) -> Iterator[str]:
    from llmtester import plugins

    yield from plugins.names("profile")


def engines(typed: str, given: Given) -> Iterator[str]:
    from llmtester import plugins

    yield from ("auto", *plugins.names("engine"))


def formats(typed: str, given: Given) -> Iterator[str]:
    from llmtester import plugins

    yield from plugins.names("exporter")


def topics(typed: str, given: Given) -> Iterator[str]:
    """Pages, and sections once something is typed: there are hundreds."""
    from llmtester.api import documents

    every = documents.pages()
    yield from every
    if typed:
        yield from (name for text in every.values() for name, _ in documents.sections(text))


def models(typed: str, given: Given) -> Iterator[str]:
    """Local models; with their quantization where there are several, or where the colon is typed."""
    refs = [model.ref for model in _manager(given).scan(until_s=time.monotonic() + SCAN_LIMIT_S).models]
    for name in dict.fromkeys(ref.name for ref in refs):
        labels = [f"{name}:{ref.quantization}" for ref in refs if ref.name == name]
        yield name
        if len(labels) > 1 or ":" in typed:
            yield from labels


def local_quantizations(typed: str, given: Given) -> Iterator[str]:
    scan = _manager(given).scan(until_s=time.monotonic() + SCAN_LIMIT_S)
    yield from (model.ref.quantization for model in scan.models)


def pullable(typed: str, given: Given) -> Iterator[str]:
    """Names of the catalog; with the quantizations that it offers once the colon is typed."""
    for entry in _manager(given).catalog.entries:
        names = (*entry.spoken[1:], entry.name)
        yield from names
        if ":" in typed:
            yield from (f"{name}:{quantization}" for name in names for quantization in entry.quants)


def known_quantizations(typed: str, given: Given) -> Iterator[str]:
    from llmtester.models.catalog import BITS_PER_WEIGHT

    yield from BITS_PER_WEIGHT


def runs(typed: str, given: Given) -> Iterator[str]:
    """``latest`` and every run id, newest first, without reading a journal."""
    from llmtester.store.runs import all_runs

    found = all_runs(_settings(given).run.output_dir)
    if found:
        yield "latest"
    yield from (run.run_id for run in reversed(found))


def runs_to_report(typed: str, given: Given) -> Iterator[str]:
    yield from runs(typed, given)
    yield "list"


def runs_to_resume(typed: str, given: Given) -> Iterator[str]:
    """A run is named only to go on with it."""
    if given.get("resume"):
        yield from runs(typed, given)


def assignments(typed: str, given: Given) -> Iterator[str]:
    """``NAME=`` of every setting; where one alone is meant, the values that it can have, or the one that it has."""
    from llmtester.settings import names

    every = [".".join(name) for name in names.LEAVES if name[0] not in names.OPEN_SECTIONS]
    meant = [name for name in every if f"{name}=".startswith(typed.partition("=")[0] + ("=" if "=" in typed else ""))]
    if len(meant) != 1:
        yield from (f"{name}=" for name in meant)
        return
    yield from (f"{meant[0]}={value}" for value in names.choices(tuple(meant[0].split("."))))


def log_levels(typed: str, given: Given) -> Iterator[str]:
    from llmtester.settings import names

    yield from names.choices(("log_level",))


def displays(typed: str, given: Given) -> Iterator[str]:
    from llmtester.settings import names

    yield from names.choices(("display",))


def _settings(given: Given) -> Settings:
    from llmtester.settings import assignments as assigned
    from llmtester.settings import load_settings

    folder, runs_folder = given.get("folder"), given.get("runs") or given.get("output_dir")
    overrides = {
        **assigned(given.get("assign") or []),
        "models.folders": [str(folder)] if folder else None,
        "run.output_dir": str(runs_folder) if runs_folder else None,
    }
    return load_settings(Path(given["config"]) if given.get("config") else None, overrides).settings


def _manager(given: Given) -> ModelManager:
    """As ``planning.model_manager``, but nobody looks at the machine for a name."""
    from platformdirs import user_cache_path

    from llmtester.models.library import ModelManager

    chosen = _settings(given).models
    return ModelManager(chosen.folders, user_cache_path("llmtester"), chosen.catalog)
