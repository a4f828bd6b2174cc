"""From models, profiles and settings to a plan. Pure: the same arguments give the same digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from llmtester.domain.errors import NothingToDo
from llmtester.domain.ports import Profile
from llmtester.domain.work import Cell, ModelRef, Plan, ServerSettings, Skip, Target
from llmtester.runner import forecast
from llmtester.runner.forecast import Hardware

DoesNotFit = Callable[[ModelRef, ServerSettings], str | None]
"""Why a target cannot run on this machine, in words, or ``None``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for, resolved: which engine, models in order, profiles in order, settings, seed."""

    engine: str
    models: Sequence[ModelRef]
    profiles: Mapping[str, Profile]
    server: ServerSettings
    seed: int
    hardware: Hardware
    notes: tuple[str, ...] = ()


def plan(wanted: Wanted, does_not_fit: DoesNotFit) -> Plan:
    """Every cell that can run, in order, and every one that cannot, with the reason.

    Cells of one target are neighbours, so that each target needs one start. Raises ``NothingToDo`` if no cell is left
    to measure or to explain.
    """
    cells: list[Cell] = []
    skips: list[Skip] = []
    targets = [Target(wanted.engine, model, _settings_for(model, wanted.server)) for model in wanted.models]
    reasons = {target.key: does_not_fit(target.model, target.settings) for target in targets}
    compares = any(profile.compares for profile in wanted.profiles.values())
    references = _references([target for target in targets if not reasons[target.key]]) if compares else {}
    for target in _references_first(targets, references):
        reason = reasons[target.key]
        reference = references.get(target.model.name, target)
        for name, profile in wanted.profiles.items():
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
    )


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
