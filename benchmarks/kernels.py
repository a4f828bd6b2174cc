"""What a weight costs in each tensor type: the source of ``analysis.kernels``, no promise of its own.

``python -m benchmarks.kernels``. A llama of made-up weights and sides that every type can divide is written in one type
after the other and decodes on one thread of the embedded engine, in turns; the embedding stays the same. What the bytes
cost at the measured speed of the memory is taken off; the rest is work, told relative to Q8_0. Blocks hold random bits;
only their scales are set, because speed does not depend on values.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.engines_real import starter_model
from llmtester.analysis.stats import median
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import Message, ModelRef, Request, ServerSettings, Target
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.models.ggml import TENSOR_TYPES

WIDTH, FORWARD, LAYERS = 1024, 2816, 8
ROUNDS, ANSWER_TOK = 2, 48
SCALES_AT = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
    "IQ4_XS": (0,),
    "IQ3_XXS": (0,),
    "IQ2_XXS": (0,),
}
"""By type, the bytes of a block at which its 16-bit scales begin (``ggml-common.h`` of llama.cpp)."""

SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (FORWARD, WIDTH),
    "ffn_up": (FORWARD, WIDTH),
    "ffn_down": (WIDTH, FORWARD),
}
WEIGHTS_COUNT = LAYERS * sum(rows * columns for rows, columns in SHAPES.values())
"""Weights of the layers: those that differ between the files."""


def _matrix(kind: str, rows: int, columns: int) -> Any:
    """A matrix of random blocks of a type, as the bytes that a file holds."""
    import numpy as np

    chance = np.random.default_rng(rows * columns)
    if kind == "F16":
        return chance.standard_normal((rows, columns)).astype(np.float16) / 32
    held = next(held for held in TENSOR_TYPES.values() if held.name == kind)
    blocks = chance.integers(0, 256, (rows * columns // held.weights_per_block, held.bytes_per_block), dtype=np.uint8)
    for at in SCALES_AT[kind]:
        blocks[:, at : at + 2] = np.frombuffer(np.float16(1e-4).tobytes(), dtype=np.uint8)
    return blocks.reshape(rows, -1)


def _write(path: Path, kind: str) -> Path:
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

    writer = GGUFWriter(path, "llama")
    for entry in GGUFReader(starter_model()).fields.values():
        if entry.name.startswith("tokenizer."):
            held = entry.types[0]
            element = entry.types[-1] if held == GGUFValueType.ARRAY else None
            writer.add_key_value(entry.name, entry.contents(), held, sub_type=element)
            if entry.name == "tokenizer.ggml.tokens":
                vocabulary_count = len(entry.contents())
    writer.add_block_count(LAYERS)
    writer.add_context_length(1024)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(16)
    writer.add_head_count_kv(16)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tensor(
        "token_embd.weight", _matrix("Q8_0", vocabulary_count, WIDTH), raw_dtype=GGMLQuantizationType["Q8_0"]
    )
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, dtype=np.float32))
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(WIDTH, dtype=np.float32))
        for name, (rows, columns) in SHAPES.items():
            wanted = GGMLQuantizationType[kind]
            writer.add_tensor(f"blk.{layer}.{name}.weight", _matrix(kind, rows, columns), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _model(path: Path, kind: str) -> ModelRef:
    return ModelRef(kind, kind, str(path), path.stat().st_size, kind)


async def _token_s(path: Path, kind: str, folder: Path) -> float:
    """Seconds a token, median over a few answers of one server start, as the server counts them."""
    target = Target("embedded", _model(path, kind), ServerSettings(context_tok=256, threads=1))
    async with EmbeddedEngine(EngineOptions(folder=folder)).open(target, folder) as session:
        took = []
        for number in range(3):
            message = Message("user", f"{number} tell me of the river")
            done = await session.generate(Request(str(number), (message,), ANSWER_TOK), lambda at_ns: None)
            assert done.server is not None and done.server.predicted_ms and done.server.predicted_tok
            took.append(done.server.predicted_ms / 1e3 / done.server.predicted_tok)
    return median(took)


def main() -> None:
    """Print seconds a token and the work of a weight relative to Q8_0, by type."""
    from llmtester.host.bandwidth import measure_bandwidth
    from llmtester.host.machine import read_machine

    kinds = [*SCALES_AT, "F16"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {kind: _write(folder / f"{kind}.gguf", kind) for kind in kinds}
        byte_s = 1 / max(measure_bandwidth(read_machine()) or 0.0 for _ in range(3))
        took: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(ROUNDS):
            for kind, path in paths.items():
                took[kind].append(asyncio.run(_token_s(path, kind, folder)))
        least = {kind: min(values) for kind, values in took.items()}
        same = paths["Q8_0"].stat().st_size - WEIGHTS_COUNT * 34 // 32
        per_weight = least["Q8_0"] / (WEIGHTS_COUNT + same * 32 / 34)
        rest_s = least["Q8_0"] - per_weight * WEIGHTS_COUNT
        work = {
            kind: (least[kind] - rest_s - (path.stat().st_size - same) * byte_s) / WEIGHTS_COUNT
            for kind, path in paths.items()
        }
    for kind in kinds:
        print(json.dumps({"kind": kind, "token_s": least[kind], "work": work[kind] / work["Q8_0"]}))


if __name__ == "__main__":
    main()
