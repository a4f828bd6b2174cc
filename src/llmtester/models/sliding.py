"""Which layers attend to a sliding window only: the file's own list, or what the architecture is known to do.

Source: llama.cpp b11434, ``llama-model.cpp`` (``set_swa_pattern``) and the keys of the GGUF specification.
"""

from __future__ import annotations

from llmtester.models.gguf import Value

PERIODS: dict[str, tuple[int, bool]] = {
    "gemma2": (2, False),
    "gpt-oss": (2, False),
    "gemma3": (6, False),
    "gemma3n": (5, False),
    "llama4": (4, False),
    "cohere2": (4, False),
    "exaone4": (4, False),
    "exaone-moe": (4, False),
    "olmo2": (4, False),
    "afmoe": (4, False),
    "mellum": (4, False),
    "plamo3": (8, False),
    "cohere2moe": (4, True),
    "smallthinker": (4, True),
    "laguna": (4, True),
}
"""Architecture -> (period, whether the full layer comes first in each period)."""

LIST_NEEDED = frozenset({"gemma4", "mimo2", "step35", "granite-swa"})
"""Architectures whose files must carry the list; without it nothing can be said."""

DEFAULT_WINDOW_TOK: dict[str, int] = {
    "gemma2": 4096,
    "exaone4": 4096,
    "smallthinker": 4096,
    "llama4": 8192,
    "exaone-moe": 128,
}


def sliding_layers(architecture: str | None, pattern: Value | None, layers: int) -> tuple[bool, ...] | None:
    """One flag per layer, all false for architectures that attend fully; ``None`` if it cannot be known."""
    if layers <= 0 or layers > 4_096:
        return ()
    known = PERIODS.get(architecture or "")
    if isinstance(pattern, tuple) and len(pattern) >= layers:
        return tuple(bool(flag) for flag in pattern[:layers])
    if architecture in LIST_NEEDED:
        return None
    if known is None:
        return (False,) * layers
    period, full_first = known
    if isinstance(pattern, int) and not isinstance(pattern, bool) and pattern > 0:
        period = pattern
    if full_first:
        return tuple(layer % period != 0 for layer in range(layers))
    return tuple(layer % period < period - 1 for layer in range(layers))
