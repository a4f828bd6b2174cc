"""One look at everything that a measurement depends on, for ``doctor``. Starts nothing and changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_log_path, user_state_path

from llmtester import __version__, plugins
from llmtester.api.planning import choose_engine, model_manager, this_machine
from llmtester.domain.errors import LlmtesterError
from llmtester.domain.ports import Engine
from llmtester.domain.records import Available, Machine, Missing, Reading
from llmtester.host.busy import BusyProcess
from llmtester.settings import Loaded, Settings

STARTED_BY_US = ("llama-server", "embedded")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that llmtester writes to. ``problem`` is why it cannot, empty if it can."""

    purpose: str
    path: Path
    free_bytes: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen. ``engine`` is the name of the chosen one or ``None``; ``engine_problem`` says why there is none.

    ``hub_problem`` of ``None`` means that the hub answers; ``hub_asked`` is false offline. Names of processes and
    models are untrusted text.
    """

    version: str
    python: str
    python_path: str
    settings_file: Path | None
    settings_notes: tuple[str, ...]
    machine: Machine
    reading: Reading
    engines: tuple[tuple[str, Available | Missing], ...]
    engine: str | None
    engine_problem: str
    folders: tuple[Folder, ...]
    models_count: int
    unusable_count: int
    busy: tuple[BusyProcess, ...]
    stale_server_ids: tuple[int, ...]
    port_problem: str
    hub_asked: bool
    hub_problem: str | None


def look(loaded: Loaded, *, offline: bool = False) -> Observed:
    """Everything that ``doctor`` judges. Takes about a second, up to three more where the hub does not answer."""
    from llmtester.engines.reaper import stale_servers
    from llmtester.host.busy import busiest_processes
    from llmtester.host.telemetry import SystemSensors

    settings = loaded.settings
    sensors = SystemSensors()
    sensors.read(None)
    busy = busiest_processes()
    engine, engine_problem = _chosen(settings)
    scan = model_manager(settings).scan()
    return Observed(
        version=__version__,
        python=sys.version.split()[0],
        python_path=sys.executable,
        settings_file=loaded.file,
        settings_notes=loaded.notes,
        machine=this_machine(),
        reading=sensors.read(None),
        engines=tuple(_engines(settings)),
        engine=engine,
        engine_problem=engine_problem,
        folders=tuple(_folders(settings)),
        models_count=len(scan.models),
        unusable_count=len(scan.unusable),
        busy=busy,
        stale_server_ids=stale_servers(user_state_path("llmtester") / "servers"),
        port_problem=_port_problem(),
        hub_asked=not offline,
        hub_problem=None if offline else _hub_problem(),
    )


def _chosen(settings: Settings) -> tuple[str | None, str]:
    try:
        return choose_engine(settings)[0], ""
    except LlmtesterError as error:
        return None, "; ".join(filter(None, (error.what, error.why)))


def _engines(settings: Settings) -> Iterator[tuple[str, Available | Missing]]:
    """The engines that llmtester starts by itself, and the one that the settings name."""
    options = settings.engine_options(folder=user_state_path("llmtester"))
    named = settings.engine.name
    for name in dict.fromkeys([*STARTED_BY_US, *([] if named == "auto" else [named])]):
        engine: Engine = plugins.load("engine", name)(options)
        yield name, engine.available()


def _folders(settings: Settings) -> Iterator[Folder]:
    wanted = {
        "runs": settings.run.output_dir,
        "models": next(iter(settings.models.folders), Path("models")),
        "state": user_state_path("llmtester"),
        "cache": user_cache_path("llmtester"),
        "logs": user_log_path("llmtester"),
        "settings": user_config_path("llmtester"),
    }
    for purpose, path in wanted.items():
        existing = next((each for each in (path, *path.absolute().parents) if each.exists()), Path("/"))
        yield Folder(purpose, path, _free_bytes(existing), _write_problem(existing))


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _write_problem(folder: Path) -> str:
    """Why a file cannot be written and flushed to the disk there, empty if it can. Leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"llmtester doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _port_problem() -> str:
    import socket

    try:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _hub_problem() -> str | None:
    from llmtester.models.reachable import hub_problem

    try:
        return hub_problem()
    except LlmtesterError as error:
        return error.what
