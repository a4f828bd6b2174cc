"""Settings -> the command line of one llama-server binary, in the spelling that this build knows.

Flags change between builds (facts/engines.md section 1), so ``--version`` and ``--help`` of the binary are read once.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.text import printable
from llmtester.domain.work import ServerSettings
from llmtester.engines.failures import Ended, explain
from llmtester.engines.process import server_environment

PROBE_LIMIT_S = 20.0
_FLAG = re.compile(r"(?<![\w-])--?[a-zA-Z][a-zA-Z0-9-]*")
_VERSION = re.compile(r"version: (.+)")
_DEVICE = re.compile(r"^\s+(\S+):\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Build:
    """What a binary says of itself: version line, known flags, whether ``-fa`` takes a value, devices besides CPU."""

    version: str
    flags: frozenset[str]
    flash_attention_takes_value: bool
    devices: tuple[str, ...]


def probe(binary: Path) -> Build:
    """Run ``--version``, ``--help`` and ``--list-devices`` once for this file; about 0.1 s. Raises ``EngineError``."""
    status = binary.stat()
    return _probe(binary, status.st_mtime_ns, status.st_size)


def probe_version(binary: Path) -> str:
    """The version line alone, in about 20 ms. Raises ``EngineError`` if the binary does not run."""
    output = _output(binary, "--version")
    found = _VERSION.search(output)
    return printable(found[1], 120) if found else "unknown version"


@lru_cache(maxsize=16)
def _probe(binary: Path, mtime_ns: int, size_bytes: int) -> Build:
    help_text = _output(binary, "--help")
    flags = frozenset(_FLAG.findall(help_text))
    devices = _output(binary, "--list-devices") if "--list-devices" in flags else ""
    flash = re.search(r"--flash-attn\b(.{0,40})", help_text)
    return Build(
        version=probe_version(binary),
        flags=flags,
        flash_attention_takes_value=bool(flash and re.search(r"on\W+off", flash[1])),
        devices=tuple(printable(name, 40) for name in _DEVICE.findall(devices.partition("evices:")[2])),
    )


def _output(binary: Path, argument: str) -> str:
    try:
        done = subprocess.run(
            [str(binary), argument],
            capture_output=True,
            timeout=PROBE_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=server_environment({}),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(
            EngineFailure.EXITED,
            f"{printable(str(binary))} cannot be run",
            why=printable(str(error)),
            fix="give the path of an executable llama-server with --set engine.llama_server=PATH",
        ) from error
    if done.returncode < 0:
        raise explain(f"{printable(str(binary))} {argument}", Ended(done.returncode), "")
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Row:
    """One setting: spellings from new to old, and its value (``None``: leave it out, "": a flag without value)."""

    spellings: tuple[str, ...]
    value: Callable[[ServerSettings], str | None]
    needed: bool = False


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


# Everything that distorts a measurement is pinned, defaults included, because defaults differ between builds.
_ROWS: tuple[_Row, ...] = (
    _Row(("--ctx-size", "-c"), lambda settings: str(settings.context_tok * settings.slots), needed=True),
    _Row(("--parallel", "-np"), lambda settings: str(settings.slots), needed=True),
    _Row(("--no-kv-unified", "-no-kvu"), lambda settings: ""),
    _Row(("--batch-size", "-b"), lambda settings: str(settings.batch_tok), needed=True),
    _Row(("--ubatch-size", "-ub"), lambda settings: str(settings.micro_batch_tok), needed=True),
    _Row(("--threads", "-t"), lambda settings: _text(settings.threads)),
    _Row(("--threads-batch", "-tb"), lambda settings: _text(settings.threads)),
    _Row(("--gpu-layers", "--n-gpu-layers", "-ngl"), lambda settings: _text(settings.gpu_layers)),
    _Row(("--device", "-dev"), lambda settings: settings.device, needed=True),
    _Row(("--tensor-split", "-ts"), lambda settings: settings.tensor_split, needed=True),
    _Row(("--cache-type-k", "-ctk"), lambda settings: settings.cache_type_k, needed=True),
    _Row(("--cache-type-v", "-ctv"), lambda settings: settings.cache_type_v, needed=True),
    _Row(("--cache-ram", "-cram"), lambda settings: "0"),
    _Row(("--ctx-checkpoints", "-ctxcp"), lambda settings: "0"),
    _Row(("--metrics",), lambda settings: ""),
    _Row(("--slots",), lambda settings: ""),
    _Row(("--no-ui", "--no-webui"), lambda settings: ""),
    _Row(("--offline",), lambda settings: ""),
    _Row(("--jinja",), lambda settings: ""),
    _Row(("--verbosity", "--log-verbosity", "-lv"), lambda settings: "4"),
)


NEWEST = Build(
    version="newest",
    flags=frozenset(row.spellings[0] for row in _ROWS) | {"--flash-attn", "--load-mode", "--fit"},
    flash_attention_takes_value=True,
    devices=(),
)


def command(binary: str, model_path: str, port: int, settings: ServerSettings, build: Build) -> tuple[str, ...]:
    """The whole command line. Raises ``EngineError`` (``BAD_FLAG``) for a setting that this build cannot keep."""
    words = [binary, "--model", model_path, "--host", "127.0.0.1", "--port", str(port)]
    for row in _ROWS:
        value = row.value(settings)
        if value is None:
            continue
        spelling = next((each for each in row.spellings if each in build.flags), None)
        if spelling is not None:
            words += [spelling, value] if value else [spelling]
        elif row.needed and value != _text(_default_value(row)):
            raise _unknown(row.spellings[0], value, build)
    words += _flash_attention(settings, build) + _loading(settings, build) + _fit(settings, build)
    return tuple(words)


def _default_value(row: _Row) -> str | None:
    return row.value(ServerSettings())


def _flash_attention(settings: ServerSettings, build: Build) -> list[str]:
    if build.flash_attention_takes_value:
        return ["--flash-attn", settings.flash_attention]
    return ["--flash-attn"] if settings.flash_attention == "on" and "--flash-attn" in build.flags else []


def _loading(settings: ServerSettings, build: Build) -> list[str]:
    if "--load-mode" in build.flags:
        return ["--load-mode", "mmap" if settings.memory_map else "none"]
    return [] if settings.memory_map else ["--no-mmap"]


def _fit(settings: ServerSettings, build: Build) -> list[str]:
    """``--fit`` chooses the layers on the GPU. Where there is no choice it only costs 0.2 s and doubles error lines."""
    if "--fit" not in build.flags:
        return []
    return ["--fit", "on" if settings.gpu_layers is None and build.devices else "off"]


def _unknown(flag: str, value: str, build: Build) -> EngineError:
    return EngineError(
        EngineFailure.BAD_FLAG,
        f"this llama-server does not know {flag} (asked for {printable(value)})",
        why=f"its version is {build.version}",
        fix="use a newer llama-server, or leave the setting at its default",
    )
