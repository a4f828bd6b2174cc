"""Names to implementations: what is built in, and what other packages offer through entry points.

An implementation is written as ``module:attribute`` and imported when it is asked for, so listing names costs nothing.
Other packages add to the tables with the entry point groups of ``GROUPS``; a built-in name cannot be taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable
from llmtester.views.exporters import EXPORTERS

Kind: TypeAlias = Literal["engine", "profile", "exporter"]

ENGINES: dict[str, str] = {
    "fake": "llmtester.engines.fake:FakeEngine",
    "embedded": "llmtester.engines.embedded:EmbeddedEngine",
    "llama-server": "llmtester.engines.llama_server:LlamaServerEngine",
    "openai": "llmtester.engines.openai_compatible:OpenAICompatibleEngine",
    "ollama": "llmtester.engines.ollama:OllamaEngine",
    "vllm": "llmtester.engines.openai_compatible:VllmEngine",
    "lmstudio": "llmtester.engines.openai_compatible:LmStudioEngine",
    "localai": "llmtester.engines.openai_compatible:LocalAiEngine",
    "mlx": "llmtester.engines.openai_compatible:MlxEngine",
}
PROFILES: dict[str, str] = {
    "interactive": "llmtester.profiles.interactive:InteractiveProfile",
    "long_context": "llmtester.profiles.long_context:LongContextProfile",
    "batch": "llmtester.profiles.batch:BatchProfile",
    "custom": "llmtester.profiles.custom:CustomProfile",
    "quality": "llmtester.profiles.quality.profile:QualityProfile",
    "stress": "llmtester.profiles.stress:StressProfile",
}

BUILT_IN: dict[Kind, Mapping[str, str]] = {"engine": ENGINES, "profile": PROFILES, "exporter": EXPORTERS}
GROUPS: dict[Kind, str] = {
    "engine": "llmtester.engines",
    "profile": "llmtester.profiles",
    "exporter": "llmtester.exporters",
}


def names(kind: Kind) -> tuple[str, ...]:
    """Every name that ``load`` knows: the built-in ones in table order, then installed ones by name."""
    return (*BUILT_IN[kind], *sorted(_installed(kind).keys() - BUILT_IN[kind].keys()))


def load(kind: Kind, name: str) -> Any:
    """The implementation called ``name``, usually a class.

    Raises ``ConfigurationError`` for an unknown name, with the nearest known one, and for a plugin of another package
    that cannot be imported. A built-in one that cannot be imported is a bug and raises what the import raises.
    """
    built_in = BUILT_IN[kind].get(name)
    if built_in is not None:
        module, _, attribute = built_in.partition(":")
        return getattr(import_module(module), attribute)
    installed = _installed(kind).get(name)
    if installed is None:
        raise _unknown(kind, name)
    try:
        return installed.load()
    except (ImportError, AttributeError) as error:
        owner = installed.dist.name if installed.dist else "an unknown package"
        raise ConfigurationError(
            f"the {kind} {printable(name)!r} of {printable(owner)} cannot be loaded",
            why=printable(str(error)),
            fix=f"upgrade or uninstall {printable(owner)}",
        ) from error


def _installed(kind: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUPS[kind])}


def _unknown(kind: Kind, name: str) -> ConfigurationError:
    known = names(kind)
    near = get_close_matches(name, known, n=1)
    listed = ", ".join(printable(one) for one in known)
    return ConfigurationError(
        f"there is no {kind} called {printable(name)!r}",
        why=f"known: {listed}" if listed else f"no {kind} is installed",
        fix=f"use {printable(near[0])!r}"
        if near
        else f"choose one of the known names or install the package with {name!r}",
    )
