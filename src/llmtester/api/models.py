"""Fetching models and serving one of them."""

from __future__ import annotations

import asyncio
import json
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from llmtester import plugins
from llmtester.api.planning import model_manager, plan
from llmtester.api.reporting import find_run, summary
from llmtester.domain.errors import ConfigurationError, NothingToDo
from llmtester.domain.ports import Engine
from llmtester.domain.text import printable
from llmtester.domain.work import ModelRef, Plan, Target
from llmtester.models.fit import Fit
from llmtester.settings import Loaded, Settings, load_settings

if TYPE_CHECKING:
    from llmtester.models.naming import LocalModel as LocalModel  # noqa: PLC0414 (offered to cli, which may not import models)
    from llmtester.models.progress import OnProgress


def pull(spec: str, settings: Settings | None = None, on_progress: OnProgress | None = None) -> ModelRef:
    """Fetch a model (``starter``, ``owner/repository:Q4_K_M``, a URL) into the first model folder and verify it.

    ``on_progress`` is told how far it is. Raises ``NetworkError`` or ``NothingToDo``; a broken transfer goes on where
    it stopped.
    """
    from llmtester.models.progress import silent

    manager = model_manager(settings or load_settings().settings)
    return manager.pull(spec, on_progress or silent).ref


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that is ready: where it is, how to ask it, and how to start the same one without llmtester.

    ``url`` is the base of its OpenAI-compatible interface. ``example`` holds the key; show it, do not store it.
    """

    label: str
    engine: str
    url: str
    example: str
    command: str


@dataclass(frozen=True, slots=True)
class ServeWish:
    """What to serve: the model that ``models.include`` names, or what run ``from_run`` recommends.

    ``profile`` takes the context and slots that this profile needs; ``port`` is a port instead of a free one.
    """

    from_run: str | None = None
    profile: str | None = None
    port: int | None = None


def serve(loaded: Loaded, ready: Callable[[Serving], None], wish: ServeWish | None = None) -> None:
    """Serve one model on 127.0.0.1 until Ctrl-C (or SIGTERM, SIGHUP). ``ready`` is called once.

    Unless settings or a profile say otherwise, the context is the largest that this machine holds, up to what the model
    was trained for. Raises ``ConfigurationError`` if the names match several models, ``NothingToDo`` if the run
    recommends none, ``EngineError`` if the server does not start or the port is taken.
    """
    from llmtester.host.interrupts import run_until_stopped

    wish = wish or ServeWish()
    if wish.from_run:
        target = _recommended(loaded.settings, wish.from_run)
    elif wish.profile:
        target = _only_target(plan(_only_profile(loaded, wish.profile)))
    else:
        target = _fitted(loaded, _only_target(plan(_only_profile(loaded, SHORT_PROFILE))))
    options = replace(loaded.settings.engine_options(folder=user_state_path("llmtester")), port=wish.port)
    engine: Engine = plugins.load("engine", target.engine)(options)
    stopping = asyncio.Event()

    async def until_stopped() -> None:
        with tempfile.TemporaryDirectory(prefix="llmtester-serve-") as logs:
            async with engine.open(target, Path(logs)) as session:
                address = session.address
                if address is None:
                    raise ConfigurationError(
                        f"the engine {target.engine} cannot serve other programs",
                        why="it only plays a server" if target.engine == "fake" else "",
                        fix="name a real model: llmtester serve NAME --engine embedded (llmtester models list)",
                    )
                url = f"{address.url}/v1"
                command = shlex.join(session.facts.command)
                ready(Serving(target.model.label, target.engine, url, _example(url, address.api_key), command))
                await stopping.wait()

    run_until_stopped(until_stopped, lambda reason: stopping.set())


def _recommended(settings: Settings, run: str) -> Target:
    """The target that the run recommends first. Raises ``NothingToDo`` if it recommends none."""
    folder = find_run(settings, run)
    said = summary(folder, settings)
    winners = [advice.winner for advice in said.advice if advice.winner]
    targets = {target.key: Target(target.engine, target.model, target.settings) for target in said.targets}
    if not winners:
        raise NothingToDo(f"the run {folder.run_id} recommends no model", fix="name one: llmtester serve MODEL")
    return targets[winners[0]]


SHORT_PROFILE = "interactive"
"""A profile whose loads every model can hold: with it, planning says which models there are and nothing else."""


def _only_profile(loaded: Loaded, profile: str) -> Loaded:
    """The settings with one profile enabled, so that a plan has the server that this profile needs."""
    settings = loaded.settings
    profiles = settings.profiles.model_copy(update={"enabled": (profile,)})
    return replace(loaded, settings=settings.model_copy(update={"profiles": profiles}))


def _fitted(loaded: Loaded, target: Target) -> Target:
    """The target with the largest context that fits, unless the settings name one."""
    if loaded.origins["server.context_tok"] != "default" or target.model.context_tok is None:
        return target
    manager = model_manager(loaded.settings)
    facts = {model.ref.fingerprint: model.facts for model in manager.scan().models}.get(target.model.fingerprint)
    room = manager.fit(facts, target.settings) if facts else None
    if not isinstance(room, Fit) or not room.largest_context_tok:
        return target
    context_tok = min(target.model.context_tok, room.largest_context_tok)
    return replace(target, settings=replace(target.settings, context_tok=context_tok))


def _only_target(work: Plan) -> Target:
    """Raises ``ConfigurationError`` if there are several, ``NothingToDo`` if this machine cannot hold the only one."""
    targets = work.targets
    if len(targets) == 1:
        return targets[0]
    if not targets:
        skip = work.skips[0]
        label = printable(skip.cell.target.model.label)
        raise NothingToDo(f"{label} cannot be served here", why=skip.reason, fix="llmtester models list")
    labels = ", ".join(f"{target.model.name}:{target.model.quantization}" for target in targets[:6])
    raise ConfigurationError(
        f"{len(targets)} models match", why=labels, fix="name one of them: llmtester serve NAME:QUANTIZATION"
    )


def _example(url: str, api_key: str | None) -> str:
    """A ``curl`` command that asks the server something."""
    body = json.dumps({"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 32})
    command = ["curl", "-s", f"{url}/chat/completions", "-H", "Content-Type: application/json"]
    if api_key:
        command += ["-H", f"Authorization: Bearer {api_key}"]
    return shlex.join([*command, "-d", body])
