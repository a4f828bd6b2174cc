"""What one weight of each tensor type costs on this machine, timed before a run so that it can foretell from its first
minute, then remembered.

For each type that a plan reads much of, the engine of the run serves a synthetic file of that type, with the threads of
the run, and is asked a short question. Other programs can only make it look slower, so the fastest of a few starts
counts, and the first runs time it again.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmtester.domain.errors import ExitCode, LlmtesterError, RequestFailed
from llmtester.domain.ports import Engine
from llmtester.domain.records import Available, KernelTime, Machine, ServerTimings
from llmtester.domain.work import Message, ModelRef, Plan, Request, ServerSettings, Target
from llmtester.models import synthetic

FEWEST_MODELS = 3
"""Two measured models teach, the third is the first of which a forecast says something worth the time."""

LEAST_SHARE = 0.05
"""A type that makes up less of a model than this is scaled from the others."""

MEASUREMENTS_COUNT = 3
"""So many runs time a type; one of them will have had the machine for itself."""

PASSES_COUNT = 3
"""In one run every type is timed so often, forth and back: two starts of a server differ, and what disturbs for a
second spoils only one of them."""

SMALLEST_FILE_BYTES = 64 * 2**20
CACHES_COUNT = 2
"""A file is at least this many times the last level of cache, as real models are."""

MEMORY_SHARE = 0.1
"""A file takes at most this share of the memory."""

PATIENCE_S = 20.0
"""A server that has not answered by then is no use for timing."""

ANSWER_TOK, PROMPT_BYTES, CONTEXT_TOK = 32, 64, 256
FILE_NAME = "kernel_times.json"

Tell = Callable[[str], None]


def known_kernels(engine: Engine, work: Plan, machine: Machine, folder: Path, tell: Tell) -> tuple[KernelTime, ...]:
    """The kernels that matter for the models of ``work``; empty where that would not pay or cannot be.

    It does not pay with fewer than ``FEWEST_MODELS`` models, and not where a GPU does the work, whose time for a small
    file says nothing of a large one. ``folder`` remembers and holds the files while they are needed; ``tell`` is told
    before it takes time. A type that cannot be timed is left out.
    """
    models = {target.model.fingerprint: target.model for target in work.targets if target.engine == engine.name}
    here = engine.available()
    settings = next((target.settings for target in work.targets if target.engine == engine.name), ServerSettings())
    if len(models) < FEWEST_MODELS or not isinstance(here, Available):
        return ()
    if machine.gpus and settings.gpu_layers != 0:
        return ()
    wanted = _types(list(models.values()))
    memory = _Memory(
        folder / FILE_NAME,
        f"{machine.cpu_model}, {machine.cpu_limit_cores} cores, {here.build}, {settings.threads} threads",
    )
    missing = [name for name in wanted if len(memory.of(name)) < MEASUREMENTS_COUNT]
    if missing:
        tell(f"Timing what this machine needs for {', '.join(missing)}: seconds, in the first runs only.")
        memory.add(time_kernels(engine, settings, machine, folder / "synthetic", missing))
    return tuple(found for name in wanted if (found := _fastest(memory.of(name))))


def _types(models: Sequence[ModelRef]) -> list[str]:
    """Tensor types that are much of a model and can be written, in order of their names."""
    found = set()
    for model in models:
        all_count = sum(read.count for read in model.read_per_token)
        found |= {read.tensor_type for read in model.read_per_token if read.count >= LEAST_SHARE * all_count}
    return sorted(found & set(synthetic.TYPES))


def _fastest(measured: Sequence[KernelTime]) -> KernelTime | None:
    """The least of each time; ``None`` without any."""
    if not measured:
        return None
    return KernelTime(
        measured[0].tensor_type,
        min(one.decode_weight_s for one in measured),
        min(one.prefill_weight_s for one in measured),
    )


def time_kernels(
    engine: Engine, settings: ServerSettings, machine: Machine, folder: Path, names: Sequence[str]
) -> list[KernelTime]:
    """One measurement of each tensor type, in ``folder``, which is removed; types that cannot be timed within
    ``PATIENCE_S`` are left out.

    The first signal ends it after the present server: it raises ``KeyboardInterrupt`` or ``SystemExit`` then.
    """
    from llmtester.host.interrupts import run_until_stopped

    heard: list[str] = []

    async def time_all() -> list[KernelTime]:
        found: dict[str, list[KernelTime]] = {name: [] for name in names}
        for number in range(PASSES_COUNT):
            for name in list(found) if number % 2 == 0 else reversed(found):
                if heard:
                    break
                layers = _layers(name, machine)
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        said = await _answer(engine, _target(engine, settings, _file(folder, name, layers)))
                except (LlmtesterError, RequestFailed, OSError):  # the last one holds TimeoutError
                    said = None
                found[name] += _per_weight(name, said, synthetic.weights_count(layers))
            found = {name: each for name, each in found.items() if each}  # what failed once will fail again
        return [fastest for each in found.values() if (fastest := _fastest(each))]

    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    try:
        timed = run_until_stopped(time_all, heard.append)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if heard == ["SIGINT"]:
        raise KeyboardInterrupt
    if heard:
        raise SystemExit(ExitCode.TERMINATED)
    return timed


def _file(folder: Path, name: str, layers: int) -> Path:
    """The synthetic file of a type, written the first time."""
    path = folder / f"{name}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        synthetic.write_synthetic(path, name, layers)
    return path


def _target(engine: Engine, settings: ServerSettings, path: Path) -> Target:
    model = ModelRef("synthetic", path.stem, str(path), path.stat().st_size, f"synthetic {path.stem}")
    return Target(engine.name, model, replace(settings, context_tok=CONTEXT_TOK, slots=1))


async def _answer(engine: Engine, target: Target) -> ServerTimings | None:
    """What the server of a file says of one answer. Raises ``LlmtesterError`` or ``RequestFailed``."""
    asked = Request("timing", (Message("user", "x" * PROMPT_BYTES),), ANSWER_TOK)
    async with engine.open(target, Path(target.model.path).with_suffix("")) as session:
        return (await session.generate(asked, lambda at_ns: None)).server


def _per_weight(name: str, server: ServerTimings | None, weights_count: int) -> list[KernelTime]:
    """What one answer says; nothing if the server did not count and time all of it."""
    if server is None or not (server.prompt_ms and server.prompt_tok and server.predicted_ms and server.predicted_tok):
        return []
    read_tok, written_tok = server.prompt_tok - (server.cached_tok or 0), server.predicted_tok - 1
    if read_tok < 1 or written_tok < 1:
        return []
    decode_s, prefill_s = server.predicted_ms / 1e3 / written_tok, server.prompt_ms / 1e3 / read_tok
    return [KernelTime(name, decode_s / weights_count, prefill_s / weights_count)]


def _layers(name: str, machine: Machine) -> int:
    """So many layers that no cache holds them."""
    wanted_bytes = max(SMALLEST_FILE_BYTES, CACHES_COUNT * (machine.l3_cache_bytes or 0))
    most_bytes = machine.memory_limit_bytes * MEMORY_SHARE
    return max(1, math.ceil(min(wanted_bytes, most_bytes) / synthetic.layer_bytes(name)))


class _Memory:
    """Measurements of earlier runs by conditions and type. A file that cannot be used is as good as none."""

    def __init__(self, path: Path, conditions: str) -> None:
        self._path, self._conditions = path, conditions
        self._kept: dict[str, list[KernelTime]] = {}
        self._others: dict[str, object] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            self._others = dict(json.loads(path.read_text(encoding="utf-8")))
            rows: Any = self._others.pop(conditions, {})
            self._kept = {name: [KernelTime(name, *map(float, row)) for row in each] for name, each in rows.items()}

    def of(self, name: str) -> list[KernelTime]:
        """What is known of a type."""
        return self._kept.get(name, [])

    def add(self, measured: Sequence[KernelTime]) -> None:
        """Keep more for the next run; where nothing can be written, for this one only."""
        for one in measured:
            self._kept.setdefault(one.tensor_type, []).append(one)
        rows = {
            name: [[one.decode_weight_s, one.prefill_weight_s] for one in each] for name, each in self._kept.items()
        }
        partial = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self._others | {self._conditions: rows}), encoding="utf-8")
            partial.replace(self._path)
