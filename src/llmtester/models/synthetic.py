"""A GGUF file of random weights in one tensor type, so that the kernels of a machine can be timed before a real model
of that type was measured.

A llama without a head for figures: its vocabulary is the 256 bytes, its norms are one, and its matrices repeat a few
random blocks. Which values they hold has no influence on the time, but that blocks with huge scales would end in values
that are no numbers; so the scales are set.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmtester.models import ggml

WIDTH, FEED_FORWARD, HEADS = 1024, 2816, 16
"""Sides of the matrices: every block size divides them, and a row is long enough for the inner loops of a kernel."""

LAYER_SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (WIDTH, FEED_FORWARD),
    "ffn_up": (WIDTH, FEED_FORWARD),
    "ffn_down": (FEED_FORWARD, WIDTH),
}
WEIGHTS_PER_LAYER = sum(columns * rows for columns, rows in LAYER_SHAPES.values())

SMALL = struct.pack("<e", 1e-4)
"""A scale of 16 bits."""

SCALES: Mapping[str, Mapping[int, bytes]] = {
    "Q4_0": {0: SMALL},
    "Q4_1": {0: SMALL, 2: SMALL},
    "Q5_0": {0: SMALL},
    "Q5_1": {0: SMALL, 2: SMALL},
    "Q8_0": {0: SMALL},
    "Q2_K": {80: SMALL, 82: SMALL},
    "Q3_K": {108: SMALL},
    "Q4_K": {0: SMALL, 2: SMALL},
    "Q5_K": {0: SMALL, 2: SMALL},
    "Q6_K": {208: SMALL},
    "IQ4_NL": {0: SMALL},
    "IQ4_XS": {0: SMALL},
    "IQ3_S": {0: SMALL},
    "IQ3_XXS": {0: SMALL},
    "IQ2_S": {0: SMALL},
    "IQ2_XS": {0: SMALL},
    "IQ2_XXS": {0: SMALL},
    "IQ1_S": {0: SMALL},
    "TQ1_0": {52: SMALL},
    "TQ2_0": {64: SMALL},
    "MXFP4": {0: bytes([127 - 13])},
}
"""By type, where in a block its scales lie and what is put there (``ggml-common.h`` of llama.cpp). That of MXFP4 is a
power of two with a bias of 127."""

FLOATS = {"F32": struct.pack("<f", 1e-3), "F16": struct.pack("<e", 1e-3), "BF16": struct.pack("<f", 1e-3)[2:]}
ONE = struct.pack("<f", 1.0)

TYPES = (*SCALES, *FLOATS)
"""The tensor types that can be written."""

RANDOM_BLOCKS = 1024
"""So many different blocks, because types with code books look them up in tables."""

ALIGNMENT_BYTES = 32
CONTEXT_TOK = 1024


def weights_count(layers: int) -> int:
    """Weights that a token of a file of so many layers touches, the few of its vocabulary left out."""
    return layers * WEIGHTS_PER_LAYER


def layer_bytes(type_name: str) -> int:
    """Bytes of one layer. Raises ``KeyError`` for an unknown type."""
    return int(ggml.row_bytes(type_name, WEIGHTS_PER_LAYER))


def write_synthetic(path: Path, type_name: str, layers: int) -> None:
    """Writes the file; the same bytes each time. Raises ``KeyError`` for a type that is not in ``TYPES``."""
    tensors = list(_tensors(type_name, layers))
    pairs = list(_metadata(layers))
    header = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs)))
    for key, value in pairs:
        header += _string(key) + value
    offset = 0
    for tensor in tensors:
        header += _string(tensor.name) + struct.pack("<I", len(tensor.shape))
        header += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
        header += struct.pack("<IQ", ggml.type_number(tensor.type_name), offset)
        offset += _aligned(tensor.size_bytes)
    with path.open("wb") as file:
        file.write(header.ljust(_aligned(len(header)), b"\0"))
        for tensor in tensors:
            pattern = ONE * 1024 if tensor.is_norm else _pattern(tensor.type_name)
            whole, rest = divmod(tensor.size_bytes, len(pattern))
            file.write(pattern * whole + pattern[:rest])
            file.write(bytes(_aligned(tensor.size_bytes) - tensor.size_bytes))


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type_name: str

    @property
    def is_norm(self) -> bool:
        return "norm" in self.name

    @property
    def size_bytes(self) -> int:
        elements = 1
        for dimension in self.shape:
            elements *= dimension
        return int(ggml.row_bytes(self.type_name, elements))


def _tensors(type_name: str, layers: int) -> Iterator[_Tensor]:
    yield _Tensor("token_embd.weight", (WIDTH, len(_VOCABULARY)), "F32")
    yield _Tensor("output_norm.weight", (WIDTH,), "F32")
    for layer in range(layers):
        for norm in ("attn_norm", "ffn_norm"):
            yield _Tensor(f"blk.{layer}.{norm}.weight", (WIDTH,), "F32")
        for name, shape in LAYER_SHAPES.items():
            yield _Tensor(f"blk.{layer}.{name}.weight", shape, type_name)


def _pattern(type_name: str) -> bytes:
    """A few blocks of the type, to be repeated."""
    if type_name in FLOATS:
        return FLOATS[type_name] * 4096
    block_bytes = ggml.block_bytes(type_name)
    chance = random.Random(type_name)  # noqa: S311 - weights, no secrets
    blocks = bytearray()
    for _ in range(RANDOM_BLOCKS):
        block = bytearray(chance.randbytes(block_bytes))
        for at, scale in SCALES[type_name].items():
            block[at : at + len(scale)] = scale
        blocks += block
    return bytes(blocks)


_VOCABULARY = (("<unk>", 2), ("<s>", 3), ("</s>", 3), *((f"<0x{byte:02X}>", 6) for byte in range(256)))
"""Tokens with their kind as llama.cpp numbers them: unknown, control, byte."""


def _metadata(layers: int) -> Iterator[tuple[str, bytes]]:
    for key, whole in {
        "llama.block_count": layers,
        "llama.context_length": CONTEXT_TOK,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }.items():
        yield key, struct.pack("<II", 4, whole)
    for key, text in {
        "general.architecture": "llama",
        "general.name": "synthetic",
        "tokenizer.ggml.model": "llama",
        "tokenizer.chat_template": "{{ messages[0].content }}",
    }.items():
        yield key, struct.pack("<I", ggml.STRING) + _string(text)
    yield "llama.attention.layer_norm_rms_epsilon", struct.pack("<If", 6, 1e-5)
    tokens, kinds = zip(*_VOCABULARY, strict=True)
    yield "tokenizer.ggml.tokens", _array(ggml.STRING, [_string(token) for token in tokens])
    yield "tokenizer.ggml.scores", _array(6, [struct.pack("<f", 0.0)] * len(tokens))
    yield "tokenizer.ggml.token_type", _array(5, [struct.pack("<i", kind) for kind in kinds])


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _array(value_type: int, elements: Sequence[bytes]) -> bytes:
    return struct.pack("<IIQ", ggml.ARRAY, value_type, len(elements)) + b"".join(elements)


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
