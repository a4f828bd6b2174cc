"""Files of one model at known damage, and a way to measure them with the quality profile alone.

The starter model is the only one that every machine can fetch. Its weights are 4-bit already, so it is first written
out with 16 bits; that file is the original of this ladder, and Q4_1 is left out because it would be exact again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from llmtester.analysis.quality.bands import QualityBands
from llmtester.analysis.state import RunState
from llmtester.domain.events import Event, RunStarted
from llmtester.domain.records import Machine
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Target

MODEL_VARIABLE = "LLMTESTER_STARTER_MODEL"
SERVER = ServerSettings(context_tok=1024, threads=1)
"""One thread: two on two cores stand still as soon as anything else runs, and one is exact from run to run."""
BANDS = QualityBands()
TEMPLATE_KEY = "tokenizer.chat_template"

Change = Callable[[str, Any], Any]
"""Gets the name and the 32-bit values of a tensor, gives new values."""


def starter() -> Path:
    """The starter model that the environment names, else fetched into a folder of its own."""
    named = os.environ.get(MODEL_VARIABLE)
    if named:
        return Path(named)
    import llmtester

    return Path(llmtester.pull("starter").path)


def rounded(bits: int) -> Change:
    """Each block of 32 weights rounded to ``2**bits`` even steps, embeddings left alone: what a careless quantizer of
    that many bits would do."""

    def change(name: str, values: Any) -> Any:
        import numpy as np

        if "token_embd" in name or values.ndim < 2:
            return values
        blocks = values.reshape(-1, 32)
        low, high = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
        step = np.maximum((high - low) / (2**bits - 1), 1e-12)
        return (np.round((blocks - low) / step) * step + low).reshape(values.shape).astype(np.float32)

    return change


def noisy(share: float, seed: int) -> Change:
    """Normal noise on every matrix: its standard deviation is ``share`` of that of each block of 32 weights."""

    def change(name: str, values: Any) -> Any:
        import zlib

        import numpy as np

        if values.ndim < 2:
            return values
        chance = np.random.default_rng([seed, zlib.crc32(name.encode())])
        blocks = values.reshape(-1, 32)
        noise = chance.standard_normal(blocks.shape, dtype=np.float32) * (share * blocks.std(axis=1, keepdims=True))
        return (blocks + noise).reshape(values.shape).astype(np.float32)

    return change


def mixed(kinds: Mapping[str, str]) -> Change:
    """Tensors whose name holds a key are rounded to its kind, as in the mixes of llama.cpp's own quantizer."""

    def change(name: str, values: Any) -> Any:
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize, quantize

        kind = next((kind for part, kind in kinds.items() if part in name), None)
        if kind is None or values.ndim < 2:
            return values
        wanted = GGMLQuantizationType[kind]
        return dequantize(quantize(values, wanted), wanted)

    return change


def broken(name: str, values: Any) -> Any:
    """Three tensors in the middle with their rows out of order, as after a bad conversion."""
    hit = name in {"blk.9.ffn_down.weight", "blk.15.attn_v.weight", "blk.20.ffn_up.weight"}
    return values[::-1].copy() if hit else values


def unchanged(name: str, values: Any) -> Any:
    return values


def write(
    source: Path,
    destination: Path,
    kind: str,
    change: Change = unchanged,
    template: str | None = None,
    name: str | None = None,
) -> Path:
    """``source`` again with all matrices as ``kind`` (``F16``, ``Q8_0``, ``Q5_1``, ...) after ``change``.

    ``template`` and ``name`` take the place of what the file says of itself.
    """
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize, quantize

    replaced = {TEMPLATE_KEY: template, "general.name": name}
    reader = GGUFReader(source)
    writer = GGUFWriter(destination, str(reader.fields["general.architecture"].contents()))
    for entry in reader.fields.values():
        if entry.name.startswith("GGUF.") or entry.name in {"general.architecture", "general.file_type"}:
            continue
        held = entry.types[0]
        element = entry.types[-1] if held == GGUFValueType.ARRAY else None
        value = replaced.get(entry.name) or entry.contents()
        writer.add_key_value(entry.name, value, held, sub_type=element)
    if template and TEMPLATE_KEY not in reader.fields:
        writer.add_string(TEMPLATE_KEY, template)
    for tensor in reader.tensors:
        values = change(tensor.name, dequantize(tensor.data, tensor.tensor_type))
        if values.ndim < 2:
            writer.add_tensor(tensor.name, values)
            continue
        wanted = GGMLQuantizationType[kind]
        writer.add_tensor(tensor.name, quantize(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return destination


def target(path: Path, quantization: str, settings: ServerSettings = SERVER) -> Target:
    """A server of the embedded engine for a file."""
    model = ModelRef("ladder", quantization, str(path), path.stat().st_size, path.name, has_chat_template=True)
    return Target("embedded", model, settings)


def plan(reference: Target, candidates: Sequence[Target], loads: Sequence[Load]) -> Plan:
    """The cells of the quality profile; ``loads`` as the profile gives them."""
    cells = [Cell(reference, "quality", load) for load in loads]
    for candidate in candidates:
        cells += [Cell(candidate, "quality", load, reference.key) for load in loads if load.name != "floor"]
    return Plan(tuple(cells))


def measured(work: Plan, folder: Path, options: Mapping[str, Any] | None = None) -> tuple[RunState, dict[str, float]]:
    """The state after running ``work`` for real, and the seconds that each target took from ready to done."""
    from llmtester.engines.embedded import EmbeddedEngine
    from llmtester.host.canary import LoopCanary
    from llmtester.host.clock import SystemClock
    from llmtester.host.machine import read_machine
    from llmtester.host.telemetry import SystemSensors
    from llmtester.profiles.quality.profile import QualityOptions, QualityProfile
    from llmtester.runner.matrix import MatrixRunner, Workbench

    clock = SystemClock()
    machine: Machine = read_machine()
    state = RunState([RunStarted(clock.now_ns(), clock.instant(), "ladder", work, machine, {}, "0")])
    events: list[Event] = []
    bench = Workbench(
        open_target=lambda one: EmbeddedEngine().open(one, folder / one.folder_name),
        profiles={"quality": QualityProfile(QualityOptions(**(options or {})))},
        clock=clock,
        sensors=SystemSensors(LoopCanary()),
        quiet=nullcontext,
    )
    asyncio.run(MatrixRunner(state, events.append, bench).run())
    return state, _seconds(events)


def _seconds(events: Sequence[Event]) -> dict[str, float]:
    from llmtester.domain.events import TargetReady, TrialEnded

    ready: dict[str, int] = {}
    spent: dict[str, float] = {}
    for event in events:
        if isinstance(event, TargetReady):
            ready[event.target] = event.at_ns
        elif isinstance(event, TrialEnded):
            key = next(one for one in ready if event.cell.startswith(one))
            spent[key] = (event.at_ns - ready[key]) / 1e9
    return spent


def loads(*names: str, **options: Any) -> list[Load]:
    """The loads of the profile of these names."""
    from llmtester.profiles.quality.profile import QualityOptions, QualityProfile

    return [load for load in QualityProfile(QualityOptions(**options)).loads(None) if load.name in names]


def with_cache(kind: Literal["q8_0", "q4_0"]) -> ServerSettings:
    """A server with its context cache in fewer bits, which takes flash attention."""
    return replace(SERVER, cache_type_k=kind, cache_type_v=kind, flash_attention="on")
