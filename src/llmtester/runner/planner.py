"""From models, profiles and settings to a plan. Pure: the same arguments give the same digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from llmtester.analysis import costs
from llmtester.analysis.costs import Hardware
from llmtester.domain.errors import NothingToDo
from llmtester.domain.ports import Profile
from llmtester.domain.text import human_duration
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Skip, Target
from llmtester.runner import servers
from llmtester.runner.servers import NeedBytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for, resolved: which engine, models in order, profiles in order, settings, seed.

    ``packs`` are references that were measured elsewhere; one is used where it keeps more of the original weights than
    every file of its model here. ``exhaustive`` measures every cell to its own end instead of racing; ``budget_s``
    leaves out what does not fit into that time.
    """

    engine: str
    models: Sequence[ModelRef]
    profiles: Mapping[str, Profile]
    server: ServerSettings
    seed: int
    hardware: Hardware
    notes: tuple[str, ...] = ()
    packs: Sequence[Target] = ()
    exhaustive: bool = False
    budget_s: float | None = None


def plan(wanted: Wanted, need_bytes: NeedBytes) -> Plan:
    """Every cell that can run, in order, and every one that cannot, with the reason.

    Profiles whose loads fit the server that the settings describe share it; another profile gets a server of its own,
    with the context and slots that its loads need. Cells of one target are neighbours, so that each target needs one
    start. Raises ``NothingToDo`` if no cell is left to measure or to explain.
    """
    offers = [offer for model in wanted.models for offer in _offers(wanted, model, need_bytes)]
    offers += [offer for pack in wanted.packs for offer in _pack_offers(wanted, pack)]
    references = {
        name: _references([offer.target for offer in offers if offer.profile == name and offer.loads])
        for name, profile in wanted.profiles.items()
        if profile.compares
    }
    cells: list[Cell] = []
    skips: list[Skip] = []
    for offer in _in_order(offers, references):
        reference = _reference(offer, references)
        if offer.target in wanted.packs and reference is not None:
            continue
        only_for_references = wanted.profiles[offer.profile].reference_loads if reference else ()
        cells += [
            Cell(offer.target, offer.profile, load, reference)
            for load in offer.loads
            if load.name not in only_for_references
        ]
        skips += [
            Skip(Cell(offer.target, offer.profile, load, reference), reason)
            for load, reason in offer.refused
            if load.name not in only_for_references
        ]
    if not cells and not skips:
        raise NothingToDo(
            "there is nothing to measure",
            why="no profile has a load that fits the context of these models",
            fix="choose shorter loads in llmtester.yaml, or other models: llmtester models list",
        )
    started = dict.fromkeys([*(cell.target for cell in cells), *(skip.cell.target for skip in skips)])
    own = [target for target in started if target not in wanted.packs]
    needs = {target.key: need_bytes(target.model, target.settings) for target in own}
    visit_trials = None if wanted.exhaustive else costs.visit_trials(cells, wanted.hardware)
    if wanted.budget_s is not None:
        cells, outside = _within(wanted.budget_s, cells, wanted.hardware, visit_trials)
        skips += outside
    return Plan(
        cells=tuple(cells),
        skips=tuple(skips),
        notes=wanted.notes,
        seed=wanted.seed,
        expected_s=costs.expected_s(cells, wanted.hardware, visit_trials),
        memory_need_bytes={key: need for key, need in needs.items() if need is not None},
        visit_trials=visit_trials,
        budget_s=wanted.budget_s,
    )


def _within(
    budget_s: float, cells: Sequence[Cell], hardware: Hardware, visit_trials: int | None
) -> tuple[list[Cell], list[Skip]]:
    """The servers that fit into the budget, in the order of what they decide, with all their cells; the first always.

    A server that would burst the budget is left out and a later one that fits is taken, so a quick small model is not
    lost to a large one before it. References come before what is compared with them, and what has lost its reference
    is left out with it.
    """
    kept: list[Cell] = []
    outside: list[Skip] = []
    lost: set[str] = set()
    for target, group in groupby(cells, key=lambda cell: cell.target):
        own = list(group)
        fits = costs.expected_s([*kept, *own], hardware, visit_trials) <= budget_s
        if (fits or not kept) and not any(cell.reference in lost for cell in own):
            kept += own
        else:
            lost.add(target.key)
            outside += [Skip(cell, f"outside the budget of {human_duration(budget_s)}") for cell in own]
    return kept, outside


@dataclass(frozen=True, slots=True)
class _Offer:
    """One profile on one target: the loads that it can hold and those that it cannot, with the reason."""

    target: Target
    profile: str
    loads: tuple[Load, ...]
    refused: tuple[tuple[Load, str], ...] = ()


def _offers(wanted: Wanted, model: ModelRef, need_bytes: NeedBytes) -> Iterator[_Offer]:
    for name, profile in wanted.profiles.items():
        loads = profile.loads(model.context_tok)
        provision = servers.provide(model, wanted.server, loads, need_bytes, wanted.hardware.memory_bytes)
        target = Target(wanted.engine, model, provision.settings)
        if reason := profile.refuses(provision.settings):
            yield _Offer(target, name, (), tuple((load, reason) for load in loads))
        else:
            yield _Offer(target, name, provision.loads, provision.refused)


def _pack_offers(wanted: Wanted, pack: Target) -> Iterator[_Offer]:
    for name, profile in wanted.profiles.items():
        if profile.compares:
            yield _Offer(pack, name, tuple(profile.loads(pack.settings.context_tok)))


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


def _reference(offer: _Offer, references: Mapping[str, Mapping[str, Target]]) -> str | None:
    """The key of the target that this one is compared with; ``None`` for a reference, and where nothing is compared."""
    target = references.get(offer.profile, {}).get(offer.target.model.name, offer.target)
    return None if target == offer.target else target.key


def _in_order(offers: Sequence[_Offer], references: Mapping[str, Mapping[str, Target]]) -> list[_Offer]:
    """The offers with those of one target together, each reference where the first target of its model stands."""
    order: dict[Target, None] = {}
    for offer in offers:
        for of_profile in references.values():
            reference = of_profile.get(offer.target.model.name)
            if reference is not None:
                order.update({one.target: None for one in offers if one.target.model == reference.model})
        order.setdefault(offer.target)
    place = {target: index for index, target in enumerate(order)}
    return sorted(offers, key=lambda offer: place[offer.target])
