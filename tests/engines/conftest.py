"""Real servers on a real model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import ModelRef, ServerSettings, Target
from llmtester.engines.llama_server import LlamaServerEngine
from tests.engines.half_precision import write_half_precision


@pytest.fixture(autouse=True, scope="session")
def patient_threads() -> Iterator[None]:
    """Threads of servers sleep while they wait: beside other load, spinning ones are 40 times slower."""
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = "passive"
    yield
    if before is None:
        del os.environ["OMP_WAIT_POLICY"]
    else:
        os.environ["OMP_WAIT_POLICY"] = before


def model(path: Path) -> ModelRef:
    return ModelRef(path.stem, "test", str(path), path.stat().st_size if path.exists() else 0, "fingerprint")


@pytest.fixture(scope="session")
def binary_model(llama_server_binary: Path, starter_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model in a form that the binary can run on this processor.

    The binary of the dev extra is compiled for processors with AVX-VNNI. On others it dies in its first quantized
    product, and only there: 16-bit weights run.
    """
    folder = tmp_path_factory.mktemp("binary_model")

    async def try_it() -> None:
        engine = LlamaServerEngine(EngineOptions(binary=str(llama_server_binary)))
        async with engine.open(Target("llama-server", model(starter_model), ServerSettings(context_tok=256)), folder):
            pass

    try:
        asyncio.run(try_it())
    except EngineError as error:
        if error.failure is not EngineFailure.ILLEGAL_INSTRUCTION:
            raise
        return write_half_precision(starter_model, folder / "half-precision.gguf")
    return starter_model
