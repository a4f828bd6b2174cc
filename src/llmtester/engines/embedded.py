"""llama.cpp from the Python package xllamacpp, in a child process: works wherever llmtester is installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import metadata, util
from pathlib import Path
from typing import Any

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.installing import install_command
from llmtester.domain.ports import EngineOptions, Session
from llmtester.domain.records import Available, Missing
from llmtester.domain.text import printable
from llmtester.domain.work import ModelRef, ServerSettings, Target
from llmtester.engines import llama_flags
from llmtester.engines.llama_server import Start, serving

KEY_VARIABLE = "LLMTESTER_SERVER_KEY"
_FLASH_ATTENTION: Mapping[str, str] = {"auto": "AUTO", "off": "DISABLED", "on": "ENABLED"}
_LOAD_MODES: Mapping[bool, str] = {True: "MMAP", False: "NONE"}


class EmbeddedEngine:
    """Serves GGUF files with ``xllamacpp``; the same server and protocol as ``llama-server``."""

    name = "embedded"

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()

    def available(self) -> Available | Missing:
        if util.find_spec("xllamacpp") is None:
            return Missing("the package xllamacpp is not installed", install_command("xllamacpp"))
        return Available(_build(), "works without anything else to install")

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...] | None:
        return None

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        here = self.available()
        if isinstance(here, Missing):
            raise EngineError(EngineFailure.EXITED, "the embedded engine is missing", why=here.reason, fix=here.fix)
        settings = target.settings
        if settings.device is not None:
            raise EngineError(
                EngineFailure.BAD_FLAG,
                f"the embedded engine cannot keep server.device={printable(settings.device)}",
                why="xllamacpp has no such parameter",
                fix="use a llama-server binary: --engine llama-server --set engine.llama_server=PATH",
            )
        host = Path(__file__).with_name("embedded_host.py")

        def command(port: int) -> tuple[str, ...]:
            return (sys.executable, "-P", str(host), json.dumps(parameters(target.model.path, port, settings)))

        def shown(port: int) -> tuple[str, ...]:
            return llama_flags.command("llama-server", target.model.path, port, settings, llama_flags.NEWEST)

        start = Start(self.name, here.build, command, shown, lambda key: {KEY_VARIABLE: key})
        return serving(start, target, folder, self.options)


def _build() -> str:
    try:
        return f"xllamacpp {metadata.version('xllamacpp')}"
    except metadata.PackageNotFoundError:  # on the path, but not installed as a package
        return "xllamacpp, unknown version"


def parameters(model_path: str, port: int, settings: ServerSettings) -> dict[str, Any]:
    """The settings as attributes of ``xllamacpp.CommonParams``, for ``embedded_host.py``."""
    chosen: dict[str, Any] = {
        "model.path": model_path,
        "hostnames": ["127.0.0.1"],
        "port": port,
        "n_ctx": settings.context_tok * settings.slots,
        "n_parallel": settings.slots,
        "kv_unified": False,
        "n_batch": settings.batch_tok,
        "n_ubatch": settings.micro_batch_tok,
        "flash_attn_type": _member(
            "llama_flash_attn_type", f"LLAMA_FLASH_ATTN_TYPE_{_FLASH_ATTENTION[settings.flash_attention]}"
        ),
        "cache_type_k": _member("ggml_type", f"GGML_TYPE_{settings.cache_type_k.upper()}"),
        "cache_type_v": _member("ggml_type", f"GGML_TYPE_{settings.cache_type_v.upper()}"),
        "load_mode": _member("llama_load_mode", f"LLAMA_LOAD_MODE_{_LOAD_MODES[settings.memory_map]}"),
        "cache_ram_mib": 0,
        "n_ctx_checkpoints": 0,
        "endpoint_metrics": True,
        "endpoint_slots": True,
        "ui": False,
        "offline": True,
        "use_jinja": True,
        "verbosity": 4,
    }
    if settings.threads is not None:
        chosen |= {"cpuparams.n_threads": settings.threads, "cpuparams_batch.n_threads": settings.threads}
    if settings.gpu_layers is not None:
        chosen["n_gpu_layers"] = settings.gpu_layers
    if settings.tensor_split is not None:
        chosen["tensor_split"] = [float(share) for share in settings.tensor_split.split(",")]
    return chosen


def _member(enumeration: str, member: str) -> dict[str, list[str]]:
    return {"enum": [enumeration, member]}
