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
from llmtester.api.planning import choose_engine, model_manager, plan
from llmtester.domain.errors import ConfigurationError
from llmtester.domain.ports import Engine
from llmtester.domain.work import ModelRef, Target
from llmtester.settings import Loaded, Settings, load_settings

if TYPE_CHECKING:
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


def serve(loaded: Loaded, ready: Callable[[Serving], None], *, port: int | None = None) -> None:
    """Serve the one model that ``models.include`` names, on 127.0.0.1, until Ctrl-C (or SIGTERM, SIGHUP).

    ``ready`` is called once. Raises ``ConfigurationError`` if the names match several models, ``EngineError`` if the
    server does not start or the port is taken.
    """
    from llmtester.host.interrupts import run_until_stopped

    target = _only_target(plan(loaded).targets)
    name, _ = choose_engine(loaded.settings)
    options = replace(loaded.settings.engine_options(folder=user_state_path("llmtester")), port=port)
    engine: Engine = plugins.load("engine", name)(options)
    stopping = asyncio.Event()

    async def until_stopped() -> None:
        with tempfile.TemporaryDirectory(prefix="llmtester-serve-") as logs:
            async with engine.open(target, Path(logs)) as session:
                address = session.address
                if address is None:
                    raise ConfigurationError(f"The engine {name} cannot serve other programs", fix="--engine embedded")
                url = f"{address.url}/v1"
                command = shlex.join(session.facts.command)
                ready(Serving(target.model.label, name, url, _example(url, address.api_key), command))
                await stopping.wait()

    run_until_stopped(until_stopped, lambda reason: stopping.set())


def _only_target(targets: tuple[Target, ...]) -> Target:
    if len(targets) == 1:
        return targets[0]
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
