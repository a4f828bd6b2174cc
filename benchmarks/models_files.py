"""Model files for the benchmarks: the real starter model, and generated ones with realistic headers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors


def starter_model() -> Path:
    """The starter model named by ``LLMTESTER_STARTER_MODEL``, else pulled once into the folder for temporary files."""
    named = os.environ.get("LLMTESTER_STARTER_MODEL")
    if named:
        return Path(named)
    from llmtester.models.library import ModelManager

    folder = Path(tempfile.gettempdir()) / "llmtester-benchmark-models"
    return ModelManager([folder], folder / "cache").pull("starter").paths[0]


def vocabulary_bytes(
    vocabulary_count: int, merges_count: int, name: str = "Generated", *, family: int = 0, file_type: int = 7
) -> bytes:
    """A whole small model whose header carries a vocabulary like those in use: tokens, scores or merges, types."""
    tokens = [f"tok{family}_{number:x}" for number in range(vocabulary_count)]
    more = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": [1] * vocabulary_count}
    if merges_count:
        more["tokenizer.ggml.merges"] = [f"a{number:x} b{family}" for number in range(merges_count)]
    else:
        more["tokenizer.ggml.scores"] = list(range(vocabulary_count))
    return gguf_bytes(llama_metadata(name, file_type=file_type) | more, llama_tensors())


def write_vocabulary_model(path: Path, vocabulary_count: int, merges_count: int) -> Path:
    path.write_bytes(vocabulary_bytes(vocabulary_count, merges_count))
    return path
