"""GGUF files made for tests, byte by byte, so that wrong ones can be made as easily as right ones."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtester.models import ggml

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 5, 6, 7, 8, 9, 10


@dataclass(frozen=True)
class Typed:
    """A metadata value with its type number; ``of`` is the element type of an array."""

    value: Any
    kind: int
    of: int | None = None


def text(order: str, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(order + "Q", len(raw)) + raw


def value_bytes(order: str, typed: Typed) -> bytes:
    if typed.kind == STRING:
        return text(order, typed.value)
    if typed.kind == ARRAY:
        assert typed.of is not None
        body = b"".join(value_bytes(order, Typed(entry, typed.of)) for entry in typed.value)
        return struct.pack(order + "IQ", typed.of, len(typed.value)) + body
    return struct.pack(order + ggml.SCALAR_FORMAT[typed.kind], typed.value)


def typed(value: Any) -> Typed:
    """The usual type for a Python value."""
    if isinstance(value, Typed):
        return value
    if isinstance(value, bool):
        return Typed(value, BOOL)
    if isinstance(value, int):
        return Typed(value, UINT32 if 0 <= value < 1 << 32 else UINT64)
    if isinstance(value, float):
        return Typed(value, FLOAT32)
    if isinstance(value, (list, tuple)):
        of = STRING if value and isinstance(value[0], str) else BOOL if value and isinstance(value[0], bool) else INT32
        return Typed(list(value), ARRAY, of)
    return Typed(value, STRING)


def gguf_bytes(
    metadata: Mapping[str, Any],
    tensors: Sequence[tuple[str, tuple[int, ...], int]] = (),
    *,
    version: int = 3,
    big_endian: bool = False,
    alignment: int = 32,
    fill: int = 0,
) -> bytes:
    """A whole file. ``tensors`` are name, shape and type number; their data is ``fill`` repeated."""
    order = ">" if big_endian else "<"
    head = b"GGUF" + struct.pack(order + "IQQ", version, len(tensors), len(metadata))
    for key, raw in metadata.items():
        value = typed(raw)
        head += text(order, key) + struct.pack(order + "I", value.kind) + value_bytes(order, value)
    offset, data_bytes = 0, 0
    for name, shape, type_number in tensors:
        kind = ggml.TENSOR_TYPES[type_number]
        weights = 1
        for size in shape:
            weights *= size
        head += text(order, name) + struct.pack(order + "I", len(shape))
        head += struct.pack(f"{order}{len(shape)}Q", *shape) + struct.pack(order + "IQ", type_number, offset)
        data_bytes = offset + weights // kind.weights_per_block * kind.bytes_per_block
        offset = -(-data_bytes // alignment) * alignment
    head += bytes(-len(head) % alignment)
    return head + bytes([fill]) * (-(-data_bytes // alignment) * alignment)


def llama_metadata(name: str = "Tiny", file_type: int = 7, **more: Any) -> dict[str, Any]:
    """Metadata of a small model that can be estimated: two layers, four heads, two of them for the cache."""
    metadata: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": name,
        "general.license": "mit",
        "general.file_type": file_type,
        "llama.block_count": 2,
        "llama.context_length": 4096,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 128,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": ["a", "b", "c"],
        "tokenizer.chat_template": "{{ messages }}",
    }
    return metadata | {key.replace("__", "."): value for key, value in more.items()}


def llama_tensors(type_number: int = 8) -> list[tuple[str, tuple[int, ...], int]]:
    rows = [("token_embd.weight", (64, 32), type_number)]
    rows += [(f"blk.{layer}.attn_q.weight", (64, 64), type_number) for layer in range(2)]
    return [*rows, ("output_norm.weight", (64,), 0), ("output.weight", (64, 32), type_number)]


def write_model(path: Path, name: str = "Tiny", *, fill: int = 0, **more: Any) -> Path:
    """A small valid model at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gguf_bytes(llama_metadata(name, **more), llama_tensors(), fill=fill))
    return path


def write_split(folder: Path, stem: str = "Big-Q8_0", parts: int = 3) -> list[Path]:
    """A model in several parts, as ``llama-gguf-split`` writes it: the metadata in the first, tensors in all."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = llama_tensors()
    shares = [tensors[number::parts] for number in range(parts)]
    paths = []
    for number, share in enumerate(shares):
        split = {
            "split.no": Typed(number, 2),
            "split.count": Typed(parts, 2),
            "split.tensors.count": Typed(len(tensors), INT32),
        }
        metadata = (llama_metadata("Big") if number == 0 else {}) | split
        path = folder / f"{stem}-{number + 1:05d}-of-{parts:05d}.gguf"
        path.write_bytes(gguf_bytes(metadata, share))
        paths.append(path)
    return paths
