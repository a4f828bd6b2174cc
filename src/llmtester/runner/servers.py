"""What a profile's loads ask of a server, and which of them a machine can hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from llmtester.domain.text import human_bytes
from llmtester.domain.work import Load, ModelRef, ServerSettings

NeedBytes = Callable[[ModelRef, ServerSettings], int | None]
"""The memory that a server start will take, or ``None`` if that cannot be estimated."""


@dataclass(frozen=True, slots=True)
class Provision:
    """A server for some loads: its settings, the loads that it can hold, and the others, each with the reason."""

    settings: ServerSettings
    loads: tuple[Load, ...]
    refused: tuple[tuple[Load, str], ...] = ()


def common(model: ModelRef, server: ServerSettings) -> ServerSettings:
    """The server that profiles share: as set, but never with more context than the model was trained for."""
    if model.context_tok and model.context_tok < server.context_tok:
        return replace(server, context_tok=model.context_tok)
    return server


def serving(model: ModelRef, server: ServerSettings, loads: Sequence[Load]) -> ServerSettings:
    """``common`` if the loads fit it; else as many slots as they have requests in flight, and in each slot room for
    their longest prompt and answer together, but not less than ``common`` has."""
    shared = common(model, server)
    longest_tok = max((length_tok(load) for load in loads), default=0)
    slots = max((load.concurrency for load in loads), default=1)
    if longest_tok <= shared.context_tok and slots <= shared.slots:
        return shared
    return replace(shared, context_tok=max(shared.context_tok, longest_tok), slots=slots)


def provide(
    model: ModelRef, server: ServerSettings, loads: Sequence[Load], need_bytes: NeedBytes, memory_bytes: int
) -> Provision:
    """The server for as many of the loads as memory holds, started with no more than those need.

    The most demanding load is refused first. Where even ``common`` does not fit, all of them are.
    """
    kept = list(loads)
    refused: list[tuple[Load, str]] = []
    while True:
        settings = serving(model, server, kept)
        reason = too_large(need_bytes(model, settings), settings, memory_bytes)
        if reason is None:
            break
        if settings == common(model, server):
            refused += [(load, reason) for load in kept]
            kept = []
            break
        refused.append((kept.pop(_most_demanding(kept)), reason))
    order = list(loads)
    refused.sort(key=lambda pair: order.index(pair[0]))
    return Provision(settings, tuple(kept), tuple(refused))


def too_large(need_bytes: int | None, settings: ServerSettings, memory_bytes: int) -> str | None:
    """Why a server with these settings cannot be started here, in numbers; ``None`` if it can, as far as is known."""
    if need_bytes is None or need_bytes <= memory_bytes:
        return None
    context = f"{settings.context_tok:,} tokens of context"
    context += f" in each of {settings.slots} slots" if settings.slots > 1 else ""
    return f"it needs {human_bytes(need_bytes)} with {context}, and this machine has {human_bytes(memory_bytes)}"


def length_tok(load: Load) -> int:
    """Prompt and answer of one request together."""
    return load.prompt_tok + load.output_tok


def _most_demanding(loads: Sequence[Load]) -> int:
    return max(range(len(loads)), key=lambda index: (length_tok(loads[index]) * loads[index].concurrency, index))
