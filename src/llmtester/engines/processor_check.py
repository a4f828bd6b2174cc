"""Whether a llama-server binary can compute with quantized weights on this processor, found out by letting it.

A build for another processor may answer ``--version``, load a model and die in its first quantized product
(docs/decisions/0012-a-binary-for-another-processor.md). So it is given a model of 0.4 MB that holds one weight of each
common kind and whose warm-up multiplies with all of them: 0.2 to 1 s, once for each binary.
"""

from __future__ import annotations

import asyncio
import json
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.engines.process import Launch, ServerManager, free_port

LIMIT_S = 20.0
POLL_S = 0.05
READY = "listening on"
VERDICTS = "checked-binaries.json"
WIDTH, VOCABULARY = 256, 32
_U32, _I32, _F32, _STRING, _ARRAY = 4, 5, 6, 8, 9  # types of values in a GGUF header
_WEIGHTS = {
    "F32": (0, 1, 4),
    "Q4_0": (2, 32, 18),
    "Q4_1": (3, 32, 20),
    "Q8_0": (8, 32, 34),
    "Q4_K": (12, 256, 144),
    "Q6_K": (14, 256, 210),
}
"""Number in a GGUF header, weights in a block, bytes of a block."""
_SQUARES = {
    "attn_q": "Q4_0",
    "attn_k": "Q8_0",
    "attn_v": "Q4_K",
    "attn_output": "Q6_K",
    "ffn_gate": "Q4_1",
    "ffn_up": "Q4_0",
    "ffn_down": "Q8_0",
}


def runs_here(binary: Path, folder: Path | None) -> bool:
    """Whether ``binary`` survives its first quantized products. Remembered in ``folder`` for this very file.

    Anything but death by an illegal instruction counts as running: other failures belong to the model or the machine,
    and are told when they happen.
    """
    status = binary.stat()
    identity = f"{binary.resolve()} {status.st_size} {status.st_mtime_ns}"
    verdicts = _verdicts(folder)
    if identity not in verdicts:
        verdicts = {**verdicts, identity: _tried(binary)}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / VERDICTS).write_text(json.dumps(verdicts), encoding="utf-8")
    return verdicts[identity] is not False


def _verdicts(folder: Path | None) -> Mapping[str, Any]:
    try:
        read = json.loads((folder / VERDICTS).read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _tried(binary: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "check.gguf"
        model.write_bytes(check_model())
        port = free_port()
        address = ("--host", "127.0.0.1", "--port", str(port))
        command = (str(binary), "--model", str(model), *address, "-c", str(WIDTH), "-np", "1", "-t", "1")
        return asyncio.run(_survives(ServerManager(Launch(str(binary), command, port, Path(folder), {}))))


async def _survives(manager: ServerManager) -> bool:
    async def ready() -> bool:
        return READY in manager.log_text()

    try:
        manager.start()
        await manager.wait_ready(ready, LIMIT_S)
    except EngineError as error:
        return error.failure is not EngineFailure.ILLEGAL_INSTRUCTION
    finally:
        await manager.stop()
    return True


def check_model() -> bytes:
    """A GGUF file of one llama block with all weights 0."""
    infos, offset = [], 0
    for name, shape, kind in _tensors():
        number, block, block_bytes = _WEIGHTS[kind]
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        sizes = struct.pack(f"<{len(shape)}Q", *shape)
        infos.append(_text(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", number, offset))
        offset += _aligned(count // block * block_bytes)
    facts = list(_facts())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(facts)) + b"".join(facts) + b"".join(infos)
    return head.ljust(_aligned(len(head)), b"\0") + bytes(offset)


def _tensors() -> Iterator[tuple[str, tuple[int, ...], str]]:
    yield "token_embd.weight", (WIDTH, VOCABULARY), "Q8_0"
    yield "output.weight", (WIDTH, VOCABULARY), "Q6_K"
    for norm in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        yield f"{norm}.weight", (WIDTH,), "F32"
    for name, kind in _SQUARES.items():
        yield f"blk.0.{name}.weight", (WIDTH, WIDTH), kind


def _facts() -> Iterator[bytes]:
    sizes = {"context_length": WIDTH, "embedding_length": WIDTH, "block_count": 1, "feed_forward_length": WIDTH}
    yield _fact("general.architecture", _STRING, _text("llama"))
    for name, value in {**sizes, "attention.head_count": 4, "vocab_size": VOCABULARY}.items():
        yield _fact(f"llama.{name}", _U32, struct.pack("<I", value))
    yield _fact("llama.attention.layer_norm_rms_epsilon", _F32, struct.pack("<f", 1e-5))
    yield _fact("tokenizer.ggml.model", _STRING, _text("llama"))
    columns = {
        "tokens": (_STRING, b"".join(_text(f"<{number}>") for number in range(VOCABULARY))),
        "scores": (_F32, bytes(4 * VOCABULARY)),
        "token_type": (_I32, struct.pack("<i", 1) * VOCABULARY),
    }
    for name, (kind, values) in columns.items():
        yield _fact(f"tokenizer.ggml.{name}", _ARRAY, struct.pack("<IQ", kind, VOCABULARY) + values)


def _fact(name: str, kind: int, value: bytes) -> bytes:
    return _text(name) + struct.pack("<I", kind) + value


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode("ascii")


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // 32) * 32
