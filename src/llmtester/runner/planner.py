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
    for model in wanted.models:
        target = Target(wanted.engine, model, _settings_for(model, wanted.server))
        reason = does_not_fit(model, target.settings)
        for name, profile in wanted.profiles.items():
            for load in profile.loads(target.settings.context_tok):
                cell = Cell(target, name, load)
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


def _settings_for(model: ModelRef, server: ServerSettings) -> ServerSettings:
    """A model is never given more context than it was trained for."""
    if model.context_tok and model.context_tok < server.context_tok:
        return replace(server, context_tok=model.context_tok)
    return server
