"""Does it fit: needs over contexts, beside the memory of the machine, in three words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from llmtester.domain.records import Absent, Machine
from llmtester.domain.work import ServerSettings
from llmtester.models.facts import ModelFacts
from llmtester.models.memory import EMBEDDED, MemoryNeed, Overhead, estimate

Verdict: TypeAlias = Literal["fits", "tight", "does not fit"]

FITS_RATIO = 0.75
"""Up to this share of the memory a system with its desktop keeps enough for itself: a quarter, 2 GB of 8."""
TIGHT_RATIO = 0.92
"""Beyond this share the system starts to push out pages of the model, and speed falls by an order of magnitude."""
_Refused: TypeAlias = Callable[[int], bool]

CONTEXTS_TOK = (2_048, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072)


@dataclass(frozen=True, slots=True)
class FitRow:
    """The need of one context length and what it means on this machine."""

    context_tok: int
    need: MemoryNeed
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Fit:
    """``rows`` for the usual contexts up to the one the model was trained for, and the largest that is not refused.

    ``largest_context_tok`` is 0 if not even the smallest fits.
    """

    rows: tuple[FitRow, ...]
    largest_context_tok: int
    memory_bytes: int


def memory_of(machine: Machine) -> int:
    """Bytes that programs may use here: the smaller of what is built in and what a container allows."""
    return min(machine.memory_bytes, machine.memory_limit_bytes or machine.memory_bytes)


def verdict_of(need_bytes: int, memory_bytes: int) -> Verdict:
    """``fits``, ``tight`` or ``does not fit``, by the shares above."""
    if need_bytes <= memory_bytes * FITS_RATIO:
        return "fits"
    return "tight" if need_bytes <= memory_bytes * TIGHT_RATIO else "does not fit"


def fit(
    facts: ModelFacts,
    settings: ServerSettings,
    memory_bytes: int,
    *,
    overhead: Overhead = EMBEDDED,
    compute_ratio: float = 1.0,
    contexts_tok: Sequence[int] = CONTEXTS_TOK,
) -> Fit | Absent:
    """The table for one model. What runs on a GPU is left out of the verdict: its free memory is not known here."""

    def need_at(context_tok: int) -> MemoryNeed | Absent:
        wanted = replace(settings, context_tok=context_tok)
        return estimate(facts, wanted, overhead=overhead, compute_ratio=compute_ratio)

    trained = facts.context_tok or max(contexts_tok)
    shown = [context for context in contexts_tok if context <= trained] or [trained]
    rows = []
    for context in shown:
        need = need_at(context)
        if isinstance(need, Absent):
            return need
        rows.append(FitRow(context, need, verdict_of(need.on("cpu"), memory_bytes)))

    def refused(context_tok: int) -> bool:
        need = need_at(context_tok)
        return isinstance(need, Absent) or verdict_of(need.on("cpu"), memory_bytes) == "does not fit"

    return Fit(tuple(rows), _largest(trained, refused), memory_bytes)


def _largest(trained: int, refused: _Refused) -> int:
    """Largest multiple of 256 to ``trained`` that is not refused. Need grows with the context, so halving finds it."""
    if not refused(trained):
        return trained
    low, high = 0, trained // 256
    while low < high:
        middle = (low + high + 1) // 2
        if refused(middle * 256):
            high = middle - 1
        else:
            low = middle
    return low * 256
