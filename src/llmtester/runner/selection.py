"""Which of the models that are here a run is about."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from llmtester.domain.errors import NoModels, NothingToDo
from llmtester.domain.text import nearest
from llmtester.domain.work import ModelRef

QUICK_QUANTIZATIONS = ("Q4_K_M", "Q5_K_M")
"""The two that most people should decide between: the usual default and the next step up."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen models in the order of measuring, and what a person should know about the choice."""

    models: tuple[ModelRef, ...]
    notes: tuple[str, ...] = ()


def select(
    models: Sequence[ModelRef],
    names: Sequence[str] = (),
    quants: Sequence[str] = (),
    *,
    quick: bool = False,
    compare: bool = False,
) -> Selection:
    """Models that match any of ``names`` (shell patterns, ``name`` or ``name:quantization``) and any of ``quants``.

    ``quick`` keeps, per model, the quantizations of ``QUICK_QUANTIZATIONS``, or the one nearest to Q4_K_M where a
    model has none of them, and says so; with ``compare`` also the largest one, with which the others are compared.
    Raises ``NoModels`` for no models at all, else ``NothingToDo`` naming what matched nothing and what there is.
    """
    if not models:
        raise NoModels("there is no model on this machine yet", fix="llmtester models pull starter")
    for name in names:
        if not any(_matches(model, name) for model in models):
            raise _nothing(f"no model here matches {name!r}", name, [model.name for model in models])
    chosen = [model for model in models if not names or any(_matches(model, name) for name in names)]
    for quant in quants:
        if not any(_same(model.quantization, quant) for model in chosen):
            raise _nothing(f"no model here has the quantization {quant!r}", quant, [m.quantization for m in chosen])
    if quants:
        chosen = [model for model in chosen if any(_same(model.quantization, quant) for quant in quants)]
    notes: list[str] = []
    if quick and not quants:
        largest = _largest(chosen) if compare else []
        chosen, notes = _quick(chosen)
        chosen += [model for model in largest if model not in chosen]
    return Selection(tuple(sorted(chosen, key=_order)), tuple(notes))


def _largest(models: Sequence[ModelRef]) -> list[ModelRef]:
    """Of each model the file that keeps most of the original weights."""
    by_detail = sorted(models, key=lambda model: (model.bits_per_weight or 0.0, model.size_bytes))
    return list({model.name: model for model in by_detail}.values())


def _quick(models: Sequence[ModelRef]) -> tuple[list[ModelRef], list[str]]:
    kept: list[ModelRef] = []
    notes: list[str] = []
    for name, group in groupby(sorted(models, key=lambda model: model.name), key=lambda model: model.name):
        variants = list(group)
        usual = [model for model in variants if model.quantization.upper() in QUICK_QUANTIZATIONS]
        if usual:
            kept += usual
            continue
        nearest = min(variants, key=lambda model: abs((model.bits_per_weight or 99) - _Q4_K_M_BITS))
        kept.append(nearest)
        notes.append(f"{name} has neither {' nor '.join(QUICK_QUANTIZATIONS)}; {nearest.quantization} is measured.")
    return kept, notes


_Q4_K_M_BITS = 4.89
"""Whole-file bits a weight of Llama-3.1-8B Q4_K_M (llama.cpp, tools/quantize/README.md)."""


def _order(model: ModelRef) -> tuple[bool, float, int, str]:
    """By information: Q4_K_M first, then by distance from it in bits a weight, small models first."""
    distance = abs((model.bits_per_weight or 99) - _Q4_K_M_BITS)
    return (model.quantization.upper() != "Q4_K_M", round(distance, 1), model.size_bytes, model.label)


def _matches(model: ModelRef, pattern: str) -> bool:
    name, _, quant = pattern.partition(":")
    return fnmatch.fnmatch(model.name.lower(), name.lower()) and (not quant or _same(model.quantization, quant))


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _nothing(what: str, wanted: str, known: Iterable[str]) -> NothingToDo:
    names = sorted(set(known))
    near = nearest(wanted, names, 1)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    why = f"did you mean {near[0]}?" if near else f"there is: {shown}"
    return NothingToDo(what, why=why, fix="llmtester models list")
