"""Looking through the folders of this program and of others: what is found, once, under which name."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtester.domain.errors import NothingToDo
from llmtester.models.facts_cache import FILE_NAME
from llmtester.models.library import ModelManager
from llmtester.models.places import known_folders
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors, write_model, write_split

Make = Callable[..., ModelManager]


def labels(manager: ModelManager) -> list[str]:
    return sorted(model.ref.label for model in manager.scan().models)


def test_finds_models_in_all_folders_and_below(tmp_path: Path, manager_for: Make) -> None:
    """Files at any depth of several folders are found; what is no GGUF is ignored; a missing folder is empty."""
    write_model(tmp_path / "a" / "One-Q8_0.gguf", "One")
    write_model(tmp_path / "b" / "deep" / "er" / "Two-Q8_0.GGUF", "Two")
    (tmp_path / "a" / "notes.txt").write_text("hello")
    assert labels(manager_for(tmp_path / "a", tmp_path / "b", tmp_path / "c")) == ["One Q8_0", "Two Q8_0"]


def test_files_that_are_no_models_are_kept_apart(folder: Path, manager: ModelManager) -> None:
    """Projectors and adapters are companions, broken files are unusable with their error, neither is a model."""
    write_model(folder / "m.gguf")
    (folder / "mmproj.gguf").write_bytes(gguf_bytes(llama_metadata() | {"general.type": "mmproj"}, llama_tensors()))
    (folder / "broken.gguf").write_bytes(b"nothing")
    (folder / "short.gguf").write_bytes((folder / "m.gguf").read_bytes()[:-50])
    scan = manager.scan()
    assert [model.paths[0].name for model in scan.models] == ["m.gguf"]
    assert [model.facts.kind for model in scan.companions] == ["mmproj"]
    assert sorted(bad.path.name for bad in scan.unusable) == ["broken.gguf", "short.gguf"]


def test_a_split_model_is_one_model(folder: Path, manager: ModelManager) -> None:
    """All parts make one model with the size of all; with a part missing it is unusable and says which."""
    parts = write_split(folder)
    (model,) = manager.scan().models
    assert model.paths == tuple(parts)
    assert model.ref.size_bytes == sum(path.stat().st_size for path in parts)
    parts[1].unlink()
    scan = manager.scan()
    assert not scan.models
    assert "part 2 of 3 is missing" in scan.unusable[0].error.why


def test_parts_of_another_model_are_noticed(folder: Path, manager: ModelManager) -> None:
    """A part that was swapped for one with other tensors makes the whole unusable."""
    parts = write_split(folder)
    parts[2].write_bytes(gguf_bytes({}, llama_tensors()))
    assert "parts of different models" in manager.scan().unusable[0].error.what


def test_equal_content_counts_once(folder: Path, manager: ModelManager) -> None:
    """A copy, a hard link and a symbolic link of one file give one model; the copy is listed."""
    original = write_model(folder / "a.gguf")
    (folder / "copy.gguf").write_bytes(original.read_bytes())
    os.link(original, folder / "hard.gguf")
    (folder / "soft.gguf").symlink_to(original)
    (model,) = manager.scan().models
    assert [path.name for path in model.copies] == ["copy.gguf"]


def test_different_models_of_one_name_are_told_apart(folder: Path, manager: ModelManager) -> None:
    """Two files that both call themselves the same get names that differ, and the old name still means both."""
    write_model(folder / "first-Q8_0.gguf", "Same", fill=1)
    write_model(folder / "second-Q8_0.gguf", "Same", fill=2)
    names = {model.ref.name for model in manager.scan().models}
    assert len(names) == 2
    assert all(name.startswith(("first#", "second#")) for name in names)
    with pytest.raises(NothingToDo, match="means 2 models"):
        manager.info("Same")


def test_hugging_face_cache(tmp_path: Path, manager_for: Make) -> None:
    """Snapshots that link to blobs are found once; a link whose blob is gone is ignored."""
    repository = tmp_path / "huggingface" / "hub" / "models--o--m"
    blob = write_model(repository / "blobs" / "abc")
    for commit in ("1", "2"):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "m-Q8_0.gguf").symlink_to(blob)
    (repository / "snapshots" / "2" / "gone.gguf").symlink_to(repository / "blobs" / "none")
    scan = manager_for(tmp_path / "huggingface" / "hub").scan()
    assert [(model.origin, model.paths[0].name) for model in scan.models] == [("Hugging Face", "m-Q8_0.gguf")]
    assert not scan.unusable


def ollama(folder: Path, name: str, tag: str, layers: object) -> None:
    manifest = folder / "manifests" / "registry.ollama.ai" / "library" / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"layers": layers}))
    (folder / "blobs").mkdir(exist_ok=True)


def test_ollama_blobs_are_named_by_their_manifests(tmp_path: Path, manager_for: Make) -> None:
    """A blob becomes the model that its manifest names; a manifest that leads elsewhere is ignored."""
    content = gguf_bytes(llama_metadata(), llama_tensors())
    digest = hashlib.sha256(content).hexdigest()
    kind = "application/vnd.ollama.image.model"
    ollama(tmp_path, "llama3.2", "3b", [{"mediaType": kind, "digest": f"sha256:{digest}"}, {"mediaType": "x"}])
    ollama(tmp_path, "evil", "1", [{"mediaType": kind, "digest": "sha256:../../etc/passwd"}])
    ollama(tmp_path, "odd", "1", "no list")
    (tmp_path / "blobs" / f"sha256-{digest}").write_bytes(content)
    manager = manager_for(tmp_path)
    (model,) = manager.scan().models
    assert (model.ref.name, model.origin) == ("llama3.2:3b", "Ollama")
    assert manager.info("llama3.2:3b").ref == model.ref


def test_known_folders_come_from_the_environment(tmp_path: Path) -> None:
    """The places of other programs are those that exist, with their own environment variables honoured."""
    for name in ("hub", "lms/.lmstudio/models", "oll", ".cache/llama.cpp"):
        (tmp_path / name).mkdir(parents=True)
    environ = {"HF_HUB_CACHE": str(tmp_path / "hub"), "OLLAMA_MODELS": str(tmp_path / "oll")}
    assert set(known_folders(environ, tmp_path)) >= {
        tmp_path / "hub",
        tmp_path / "oll",
        tmp_path / ".cache" / "llama.cpp",
    }
    assert tmp_path / "lms/.lmstudio/models" in known_folders({}, tmp_path / "lms")


def test_facts_are_cached_by_size_and_time(tmp_path: Path, folder: Path, manager: ModelManager) -> None:
    """A second scan gives the same without reading the file, and a changed file is read again."""
    path = write_model(folder / "m.gguf", "Before")
    (folder / "broken.gguf").write_bytes(b"nothing")
    first = manager.scan()
    stamp = path.stat()
    path.write_bytes(b"\0" * stamp.st_size)  # same size, and below the same time: only a reader would notice
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    again = ModelManager([folder], tmp_path / "cache").scan()
    assert again.models == first.models
    assert [str(bad.error) for bad in again.unusable] == [str(bad.error) for bad in first.unusable]
    write_model(path, "After")
    assert labels(manager) == ["After Q8_0"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"schema":1,"entries":{"x":1}}'])
def test_a_damaged_cache_is_only_slower(tmp_path: Path, folder: Path, content: bytes) -> None:
    """Whatever lies in the cache file, the scan works and repairs it."""
    write_model(folder / "m.gguf")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE_NAME).write_bytes(content)
    assert labels(ModelManager([folder], tmp_path / "cache")) == ["Tiny Q8_0"]
    assert b"m.gguf" in (tmp_path / "cache" / FILE_NAME).read_bytes()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, folder: Path) -> None:
    """A cache folder whose place is taken by a file only costs time."""
    write_model(folder / "m.gguf")
    (tmp_path / "cache").write_text("in the way")
    assert labels(ModelManager([folder], tmp_path / "cache")) == ["Tiny Q8_0"]


@pytest.mark.parametrize("wanted", ["Tiny", "tiny", "Tiny Q8_0", "tiny:q8_0", "file-Q8_0.gguf", "file", "T*", "*q8_0"])
def test_many_ways_to_name_a_model(folder: Path, manager: ModelManager, wanted: str) -> None:
    """Header name, file name, with quantization, with a pattern: all mean the model."""
    path = write_model(folder / "file-Q8_0.gguf")
    assert manager.info(wanted).paths == (path,)
    assert manager.info(str(path)).paths == (path,)


def test_an_unknown_name_shows_close_ones(folder: Path, manager: ModelManager) -> None:
    """A spelling mistake is answered with the name that was meant."""
    write_model(folder / "m.gguf", "Mistral Small")
    with pytest.raises(NothingToDo, match="Mistral Small"):
        manager.info("mistal smal")


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed_at=st.integers(0, 13_000))
def test_another_content_has_another_fingerprint(tmp_path: Path, changed_at: int) -> None:
    """Two checkpoints of one recipe (all weights differ) never share a fingerprint, and a copy always does."""
    from llmtester.models.scan import read_model

    one = write_model(tmp_path / "1.gguf", fill=changed_at % 256)
    two = write_model(tmp_path / "2.gguf", fill=(changed_at + 1) % 256)
    three = write_model(tmp_path / "3.gguf", fill=changed_at % 256)
    prints = [read_model([path]).fingerprint for path in (one, two, three)]
    assert prints[0] == prints[2] != prints[1]
