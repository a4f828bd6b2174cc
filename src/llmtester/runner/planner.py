"""From models, profiles and settings to a plan. Pure: the same arguments give the same digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from llmtester.domain.errors import NothingToDo
from llmtester.domain.ports import Profile
from llmtester.domain.text import human_bytes
from llmtester.domain.work import Cell, ModelRef, Plan, ServerSettings, Skip, Target
from llmtester.runner import forecast
from llmtester.runner.forecast import Hardware

NeedBytes = Callable[[ModelRef, ServerSettings], int | None]
"""The memory that a target will take, or ``None`` if that cannot be estimated."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for, resolved: which engine, models in order, profiles in order, settings, seed.

    ``packs`` are references that were measured elsewhere; one is used where it keeps more of the original weights than
    every file of its model here.
    """

    engine: str
    models: Sequence[ModelRef]
    profiles: Mapping[str, Profile]
    server: ServerSettings
    seed: int
    hardware: Hardware
    notes: tuple[str, ...] = ()
    packs: Sequence[Target] = ()


def plan(wanted: Wanted, need_bytes: NeedBytes) -> Plan:
    """Every cell that can run, in order, and every one that cannot, with the reason.

    Cells of one target are neighbours, so that each target needs one start. Raises ``NothingToDo`` if no cell is left
    to measure or to explain.
    """
    cells: list[Cell] = []
    skips: list[Skip] = []
    targets = [Target(wanted.engine, model, _settings_for(model, wanted.server)) for model in wanted.models]
    needs = {target.key: need_bytes(target.model, target.settings) for target in targets}
    reasons = {key: _too_large(need, wanted.hardware.memory_bytes) for key, need in needs.items()}
    compares = any(profile.compares for profile in wanted.profiles.values())
    fitting = [target for target in targets if not reasons[target.key]]
    references = _references([*fitting, *wanted.packs]) if compares else {}
    for target in _references_first(targets, references):
        reason = reasons.get(target.key)
        reference = references.get(target.model.name, target)
        for name, profile in wanted.profiles.items():
            if target in wanted.packs and not profile.compares:
                continue
            compared_with = reference.key if profile.compares and reference != target else None
            for load in profile.loads(target.settings.context_tok):
                if compared_with and load.name in profile.reference_loads:
                    continue
                cell = Cell(target, name, load, compared_with)
                if reason:
                    skips.append(Skip(cell, reason))
                else:
                    cells.append(cell)
    if not cells and not skips:
        raise NothingToDo(
            "There is nothing to measure",
            why="no profile has a load that fits the context of these models",
            fix="raise it: --set server.context_tok=4096",
        )
    return Plan(
        cells=tuple(cells),
        skips=tuple(skips),
        notes=wanted.notes,
        seed=wanted.seed,
        expected_s=forecast.expected_s(cells, wanted.hardware),
        memory_need_bytes={key: need for key, need in needs.items() if need is not None},
    )


def _too_large(need_bytes: int | None, memory_bytes: int) -> str | None:
    if need_bytes is None or need_bytes <= memory_bytes:
        return None
    return f"it needs {human_bytes(need_bytes)} and this machine has {human_bytes(memory_bytes)}"


def _references(targets: Sequence[Target]) -> dict[str, Target]:
    """By model name, what its quantizations are compared with: the file that keeps most of the original weights."""
    best: dict[str, Target] = {}
    for target in targets:
        known = best.get(target.model.name)
        if known is None or _detail(target.model) > _detail(known.model):
            best[target.model.name] = target
    return best


def _detail(model: ModelRef) -> tuple[float, int]:
    return (model.bits_per_weight or 0.0, model.size_bytes)


def _references_first(targets: Sequence[Target], references: Mapping[str, Target]) -> list[Target]:
    """The targets in order, each reference moved to where the first target of its model stands."""
    pairs = ((references.get(target.model.name, target), target) for target in targets)
    return list(dict.fromkeys(target for pair in pairs for target in pair))


def _settings_for(model: ModelRef, server: ServerSettings) -> ServerSettings:
    """A model is never given more context than it was trained for."""
    if model.context_tok and model.context_tok < server.context_tok:
        return replace(server, context_tok=model.context_tok)
    return server
