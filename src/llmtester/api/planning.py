"""What a run will do: which engine, which models, which profiles, on which machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from platformdirs import user_cache_path, user_state_path

from llmtester import plugins
from llmtester.analysis.forecast import hardware_of
from llmtester.api import references
from llmtester.domain.errors import EnvironmentNotReady, NothingToDo
from llmtester.domain.ports import Engine, Profile
from llmtester.domain.records import Absent, Available, Machine, Missing
from llmtester.domain.work import ModelRef, Plan, ServerSettings
from llmtester.runner import planner, selection
from llmtester.runner.servers import NeedBytes
from llmtester.settings import Loaded, Settings

if TYPE_CHECKING:
    from llmtester.models.library import ModelManager


def plan(loaded: Loaded) -> Plan:
    """What ``run`` would do: every cell in order, every one that cannot run with its reason, the expected time.

    Starts nothing, but that ``auto`` tries each ``llama-server`` binary once.
    Raises ``selection.NoModels`` when this machine has no model yet, ``NothingToDo`` when none matches.
    """
    settings = loaded.settings
    name, engine, passed_over = _chosen_engine(settings)
    profiles = profiles_of(settings, settings.profiles.enabled)
    chosen = _choose_models(settings, engine, compare=any(profile.compares for profile in profiles.values()))
    machine = this_machine()
    packs, unused = references.usable(profiles, settings.server.as_server_settings())
    wanted = planner.Wanted(
        engine=name,
        models=chosen.models,
        profiles=profiles,
        server=settings.server.as_server_settings(),
        seed=settings.run.seed,
        hardware=hardware_of(machine),
        notes=(*passed_over, *chosen.notes, *unused),
        packs=[pack.target for pack in packs],
        exhaustive=settings.run.exhaustive,
        budget_s=settings.run.budget_s,
    )
    return planner.plan(wanted, _memory_need(settings, engine))


def model_manager(settings: Settings) -> ModelManager:
    """The models of this machine: scan, pull, inspect, verify and remove them."""
    from llmtester.models.library import ModelManager

    return ModelManager(
        settings.models.folders, user_cache_path("llmtester"), settings.models.catalog, machine=this_machine()
    )


def choose_engine(settings: Settings) -> tuple[str, Engine]:
    """The engine that a run will use. ``auto`` prefers a ``llama-server``, which may know the GPU, to the embedded one.

    Raises ``EnvironmentNotReady`` if it is not available here, with the command that changes that.
    """
    name, engine, _ = _chosen_engine(settings)
    return name, engine


def _chosen_engine(settings: Settings) -> tuple[str, Engine, tuple[str, ...]]:
    """As ``choose_engine``, and notes on what is here and was passed over."""
    automatic = settings.engine.name == "auto"
    names = ("llama-server", "embedded") if automatic else (settings.engine.name,)
    options = replace(settings.engine_options(folder=user_state_path("llmtester")), check_processor=automatic)
    missing: list[Missing] = []
    for name in names:
        engine: Engine = plugins.load("engine", name)(options)
        found = engine.available()
        if isinstance(found, Available):
            notes = (f"The engine {name} is used, because {each.reason}" for each in missing if each.noteworthy)
            return name, engine, tuple(notes)
        missing.append(found)
    raise EnvironmentNotReady(
        f"the engine {names[-1]} cannot be used here", why=missing[-1].reason, fix=missing[-1].fix
    )


def profiles_of(settings: Settings, names: Iterable[str]) -> dict[str, Profile]:
    """The profiles by name, with their settings."""
    found: dict[str, Profile] = {}
    for name in names:
        factory = plugins.load("profile", name)
        found[name] = factory(settings.profiles.options_for(name), quick=settings.run.quick)
    return found


CUSTOM = "custom"
"""The profile that asks what its user wrote, so it is never run unasked."""


def profile_names() -> tuple[str, ...]:
    """The profiles that are built in and ask questions of their own, in the order in which a run takes them."""
    return tuple(name for name in plugins.PROFILES if name != CUSTOM)


def this_machine() -> Machine:
    """The facts of the machine that this process runs on."""
    from llmtester.host.machine import read_machine

    return read_machine()


def measured_machine(engine: Engine, work: Plan, tell: Callable[[str], None]) -> Machine:
    """The facts of this machine with the speed of its memory (2 s) and the kernels that matter for a plan (some seconds
    each), which are measured in the first runs and remembered.

    An engine with models of its own may run elsewhere: then they are left out. ``tell`` is told what takes a while.
    """
    from llmtester.api.kernel_times import known_kernels
    from llmtester.host.bandwidth import known_bandwidth

    machine = this_machine()
    if engine.catalogue(()) is not None:
        return machine
    folder = user_state_path("llmtester")
    bandwidth = known_bandwidth(machine, folder)
    kernels = known_kernels(engine, work, machine, folder, tell)
    return replace(machine, memory_bandwidth_bytes_per_s=bandwidth, kernels=kernels)


def _choose_models(settings: Settings, engine: Engine, *, compare: bool) -> selection.Selection:
    """The models of a run: the engine's own, or the GGUF files of this machine. Raises ``NothingToDo``, and the
    ``ModelError`` of the first file if none of the files can be used."""
    names, quants, quick = settings.models.include, settings.models.quants, settings.run.quick
    own = engine.catalogue(names)
    if own is not None:
        if not own:
            raise NothingToDo(
                f"the engine {engine.name} has no model called {', '.join(map(repr, names))}",
                fix="llmtester run --dry-run without --models shows what it has; llmtester models list shows the rest",
            )
        return selection.select(own, (), quants, quick=quick, compare=compare)
    manager = model_manager(settings)
    scan = manager.scan()
    if scan.unusable and not scan.models:
        raise scan.unusable[0].error
    names = manager.local_names(names, scan)
    chosen = selection.select([found.ref for found in scan.models], names, quants, quick=quick, compare=compare)
    unusable = tuple(f"{bad.path.name} is left out: {bad.error.what}" for bad in scan.unusable)
    return replace(chosen, notes=chosen.notes + unusable)


def _memory_need(settings: Settings, engine: Engine) -> NeedBytes:
    """The estimate for a file of this machine; an engine with models of its own decides by itself what it can hold."""
    if engine.catalogue(()) is not None:
        return lambda model, server: None
    manager = model_manager(settings)
    facts = {model.ref.fingerprint: model.facts for model in manager.scan().models}

    def need_bytes(model: ModelRef, server: ServerSettings) -> int | None:
        need = manager.need(facts[model.fingerprint], server)
        return None if isinstance(need, Absent) else need.total_bytes

    return need_bytes
