"""Where model files lie on a machine: plain folders and the layouts of other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Origin: TypeAlias = Literal["folder", "llama.cpp", "Hugging Face", "LM Studio", "Ollama"]
OWN_FOLDER = ".llmtester"
"""Inside the folder that pulls go to: records of what was fetched, and partial files."""
MAX_MANIFEST_BYTES = 1 << 20
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a model. ``given_name`` is what its owner calls it, where the file name does not say."""

    path: Path
    origin: Origin
    folder: Path
    given_name: str | None = None


def known_folders(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> tuple[Path, ...]:
    """Existing folders in which llama.cpp, the Hugging Face client, LM Studio and Ollama keep models."""
    user = home or Path.home()
    cache = Path(environ.get("XDG_CACHE_HOME") or user / ".cache")
    hub = Path(environ.get("HF_HOME") or cache / "huggingface") / "hub"
    candidates = (
        Path(environ["LLAMA_CACHE"]) if environ.get("LLAMA_CACHE") else cache / "llama.cpp",
        user / "Library" / "Caches" / "llama.cpp",
        Path(environ["HF_HUB_CACHE"]) if environ.get("HF_HUB_CACHE") else hub,
        user / ".lmstudio" / "models",
        user / ".cache" / "lm-studio" / "models",
        Path(environ["OLLAMA_MODELS"]) if environ.get("OLLAMA_MODELS") else user / ".ollama" / "models",
        Path("/usr/share/ollama/.ollama/models"),
    )
    return tuple(path for path in dict.fromkeys(candidates) if _is_folder(path))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def candidates(folders: Sequence[Path]) -> Iterator[Candidate]:
    """Every file under the folders that may be a model, in a stable order. Unreadable folders count as empty."""
    for folder in folders:
        if _is_folder(folder / "manifests") and _is_folder(folder / "blobs"):
            yield from _ollama(folder)
        else:
            yield from _plain(folder)


def _plain(folder: Path) -> Iterator[Candidate]:
    origin = origin_of(folder)
    for path in _walk(folder, MAX_DEPTH, set()):
        yield Candidate(path, origin, folder)


def origin_of(folder: Path) -> Origin:
    """Whose folder this is, told by its path."""
    parts = {part.lower() for part in folder.parts}
    if "huggingface" in parts:
        return "Hugging Face"
    if parts & {".lmstudio", "lm-studio"}:
        return "LM Studio"
    return "llama.cpp" if "llama.cpp" in parts else "folder"


def _walk(folder: Path, depth: int, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if (here.st_dev, here.st_ino) in seen:  # a link that leads back into its own parents
        return
    seen.add((here.st_dev, here.st_ino))
    for entry in entries:
        try:
            is_folder = entry.is_dir()
        except OSError:
            continue
        if is_folder:
            if depth and entry.name not in (OWN_FOLDER, ".git", ".no_exist", "blobs"):
                yield from _walk(Path(entry.path), depth - 1, seen)
        elif entry.name.lower().endswith(".gguf"):
            yield Path(entry.path)


_OLLAMA_MODEL = "application/vnd.ollama.image.model"


def _ollama(folder: Path) -> Iterator[Candidate]:
    """Blobs that the manifests call models. A manifest is untrusted: its digest must name a file of ``blobs``."""
    for manifest in sorted((folder / "manifests").rglob("*")):
        try:
            if not manifest.is_file() or manifest.stat().st_size > MAX_MANIFEST_BYTES:
                continue
            layers = json.loads(manifest.read_bytes()).get("layers", [])
        except (OSError, ValueError, AttributeError):
            continue
        for layer in layers if isinstance(layers, list) else []:
            blob = _ollama_blob(folder, layer)
            if blob is not None:
                yield Candidate(blob, "Ollama", folder, _ollama_name(manifest.relative_to(folder / "manifests")))


def _ollama_blob(folder: Path, layer: object) -> Path | None:
    if not isinstance(layer, dict) or layer.get("mediaType") != _OLLAMA_MODEL:
        return None
    kind, _, digits = str(layer.get("digest", "")).partition(":")
    if kind != "sha256" or len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        return None
    blob = folder / "blobs" / f"sha256-{digits}"
    return blob if blob.is_file() else None


def _ollama_name(manifest: Path) -> str:
    """``llama3.2:3b`` for ``registry.ollama.ai/library/llama3.2/3b``."""
    parts = manifest.parts[1:] if len(manifest.parts) > 2 else manifest.parts
    if parts[0] == "library":
        parts = parts[1:]
    return f"{'/'.join(parts[:-1])}:{parts[-1]}"
