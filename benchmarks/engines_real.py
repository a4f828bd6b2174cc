"""A real server for benchmarks: the embedded engine with the starter model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llmtester.domain.ports import EngineOptions, Session
from llmtester.domain.work import ModelRef, ServerSettings, Target
from llmtester.engines.embedded import EmbeddedEngine


def starter_model() -> Path:
    """The file that ``LLMTESTER_STARTER_MODEL`` names, else the starter model, pulled if it is not here yet."""
    named = os.environ.get("LLMTESTER_STARTER_MODEL")
    if named is None:
        from llmtester.models.library import ModelManager

        folder = Path(tempfile.gettempdir()) / "llmtester-benchmarks"
        ModelManager([folder], folder / "cache").pull("starter")
        named = str(next(folder.rglob("*.gguf")))
    return Path(named)


def starter_target(context_tok: int = 1024, path: Path | None = None) -> Target:
    """The embedded engine with ``path`` (the starter model)."""
    path = path or starter_model()
    model = ModelRef(path.stem, "", str(path), path.stat().st_size, "benchmark")
    return Target("embedded", model, ServerSettings(context_tok=context_tok))


@asynccontextmanager
async def real_session(
    context_tok: int = 1024, state: Path | None = None, path: Path | None = None
) -> AsyncIterator[Session]:
    """A session on a fresh server for ``path`` (the starter model), with its logs in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddedEngine(EngineOptions(folder=state))
        async with engine.open(starter_target(context_tok, path), Path(folder)) as session:
            yield session
