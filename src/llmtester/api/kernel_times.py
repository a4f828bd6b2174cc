"""What one weight of each tensor type costs on this machine, timed before a run so that it can foretell from its first
minute, then remembered.

For each type that a plan reads much of, the engine of the run serves a synthetic file of that type, with the settings
of the run, and is asked a short question. Other programs can only make it look slower, so the fastest of a few starts
counts, and the first runs time it again.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

from llmtester.domain.errors import ExitCode, LlmtesterError, RequestFailed
from llmtester.domain.ports import Engine
from llmtester.domain.records import Available, Buffer, KernelTime, Machine, ServerTimings
from llmtester.domain.work import Message, ModelRef, Plan, Request, ServerSettings, Target, digest
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

SMALLEST_FILE_BYTES, LARGEST_FILE_BYTES = 64 * 2**20, 512 * 2**20
CACHES_COUNT = 2
"""A file is at least this many times the last level of cache, as real models are."""

MEMORY_SHARE = 0.1
"""A file takes at most this share of the memory."""

PATIENCE_S = 20.0
"""A server that has not answered by then is no use for timing."""

ANSWER_TOK, PROMPT_BYTES, CONTEXT_TOK = 32, 64, 256
FILE_NAME = "kernel_times.json"

Tell: TypeAlias = Callable[[str], None]
Attempts: TypeAlias = dict[str, KernelTime | None]
"""What one run found of each type; ``None``: it could not be timed."""


def known_kernels(engine: Engine, work: Plan, machine: Machine, folder: Path, tell: Tell) -> tuple[KernelTime, ...]:
    """The kernels that matter for the models of ``work``; empty where that would not pay or cannot be.

    It does not pay for fewer than ``FEWEST_MODELS`` models, nor where a GPU does the work, whose time for a small file
    says nothing of a large one. ``folder`` remembers, and holds one file while it is needed; ``tell`` is told before it
    takes time. A type that cannot be timed is left out.
    """
    targets = [target for target in work.targets if target.engine == engine.name]
    here = engine.available()
    models = {target.model.fingerprint: target.model for target in targets if _main_type(target.model)}
    if len(models) < FEWEST_MODELS or not isinstance(here, Available):
        return ()
    wanted = _types(list(models.values()))
    settings = replace(targets[0].settings, context_tok=CONTEXT_TOK, slots=1)
    how = digest([here.detail, asdict(settings)])
    conditions = f"{machine.cpu_model}, {machine.cpu_limit_cores} cores, {engine.name} {here.build}, {how}"
    memory = _Memory(folder / FILE_NAME, conditions)
    missing = [name for name in wanted if memory.attempts_count(name) < MEASUREMENTS_COUNT]
    if missing:
        tell(f"Timing this machine for {', '.join(missing)}: some seconds, in the first runs only.")
        memory.add(time_kernels(engine, settings, machine, folder / "synthetic", missing))
    return tuple(found for name in wanted if (found := _fastest(memory.of(name))))


def _main_type(model: ModelRef) -> str | None:
    """The type that most of what is read has, if a file of it can be written."""
    first = model.read_per_token[0].tensor_type if model.read_per_token else None
    return first if first in synthetic.TYPES else None


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
) -> Attempts:
    """One measurement of each tensor type; ``None`` for one that cannot be timed within ``PATIENCE_S``, and for all
    once a server says that a GPU works. ``folder`` holds one file at a time and is removed.

    The first signal ends it after the present server, the second at once: it raises ``KeyboardInterrupt`` or
    ``SystemExit`` then.
    """
    from llmtester.host.interrupts import run_until_stopped

    heard: list[str] = []
    found: dict[str, list[KernelTime]] = {name: [] for name in names}

    async def time_all() -> None:
        waiting = list(names)
        for _ in range(PASSES_COUNT):
            for name in waiting:
                if heard:
                    return
                layers = _layers(name, machine)
                try:
                    with _file(folder, name, layers) as path:
                        async with asyncio.timeout(PATIENCE_S):
                            said = await _answer(engine, _target(engine, settings, path))
                except _GpuWorks:
                    found.clear()
                    return
                except (LlmtesterError, RequestFailed, OSError):  # the last one holds TimeoutError
                    said = None
                found[name] += _per_weight(name, said, synthetic.weights_count(layers))
            waiting = [name for name in reversed(waiting) if found[name]]  # what failed once will fail again

    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    try:
        run_until_stopped(time_all, heard.append)
    except asyncio.CancelledError:
        if not heard:
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if heard and heard[0] == "SIGINT":
        raise KeyboardInterrupt
    if heard:
        raise SystemExit(ExitCode.TERMINATED)
    return {name: _fastest(found.get(name, ())) for name in names}


class _GpuWorks(Exception):
    """A server has put weights or its cache on another device than the processor."""


@contextmanager
def _file(folder: Path, name: str, layers: int) -> Iterator[Path]:
    """The synthetic file of a type for as long as it is needed. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.gguf"
    try:
        synthetic.write_synthetic(path, name, layers)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _target(engine: Engine, settings: ServerSettings, path: Path) -> Target:
    model = ModelRef("synthetic", path.stem, str(path), path.stat().st_size, f"synthetic {path.stem}")
    return Target(engine.name, model, settings)


async def _answer(engine: Engine, target: Target) -> ServerTimings | None:
    """What the server of a file says of one answer. Raises ``LlmtesterError``, ``RequestFailed`` or ``_GpuWorks``."""
    asked = Request("timing", (Message("user", "x" * PROMPT_BYTES),), ANSWER_TOK)
    async with engine.open(target, Path(target.model.path).with_suffix("")) as session:
        if any(_on_gpu(buffer) for buffer in session.facts.buffers):
            raise _GpuWorks
        return (await session.generate(asked, lambda at_ns: None)).server


def _on_gpu(buffer: Buffer) -> bool:
    """Whether weights or cache lie elsewhere than in ``CPU``, ``CPU_REPACK``, ``AMX`` or host memory of a GPU."""
    of_processor = buffer.device.startswith(("CPU", "AMX")) or buffer.device.endswith("_Host")
    return buffer.purpose in {"model", "KV"} and not of_processor


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
    """So many layers that no cache holds them, unless they would be too large for a file that is only looked at."""
    wanted_bytes = max(SMALLEST_FILE_BYTES, CACHES_COUNT * (machine.l3_cache_bytes or 0))
    most_bytes = min(LARGEST_FILE_BYTES, machine.memory_limit_bytes * MEMORY_SHARE)
    return max(1, math.ceil(min(wanted_bytes, most_bytes) / synthetic.layer_bytes(name)))


class _Memory:
    """Attempts of earlier runs by conditions and type. What cannot be used of a file is as good as not there."""

    def __init__(self, path: Path, conditions: str) -> None:
        self._path, self._conditions = path, conditions
        self._all: dict[str, Any] = {}
        self._kept: dict[str, list[KernelTime | None]] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            self._all = dict(json.loads(path.read_text(encoding="utf-8")))
            for name, rows in self._all.get(conditions, {}).items():
                self._kept[name] = [_row(name, row) for row in rows]

    def attempts_count(self, name: str) -> int:
        """How many runs have tried to time a type."""
        return len(self._kept.get(name, []))

    def of(self, name: str) -> list[KernelTime]:
        """What is known of a type."""
        return [one for one in self._kept.get(name, []) if one]

    def add(self, attempts: Attempts) -> None:
        """Keep more for the next run; where nothing can be written, for this one only."""
        for name, one in attempts.items():
            self._kept.setdefault(name, []).append(one)
        rows = {
            name: [[one.decode_weight_s, one.prefill_weight_s] if one else None for one in each]
            for name, each in self._kept.items()
        }
        partial = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self._all | {self._conditions: rows}), encoding="utf-8")
            partial.replace(self._path)


def _row(name: str, row: object) -> KernelTime | None:
    """An attempt as it was kept; ``None`` for one that failed and for what is no time."""
    if not isinstance(row, list) or len(row) != 2:
        return None
    sound = all(isinstance(value, float) and 0 < value < 1 for value in row)
    return KernelTime(name, *row) if sound else None
