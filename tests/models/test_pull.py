"""Pulling through the manager: the real client of the hub, a fake hub, and everything that a hub says no with."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from llmtester.domain.errors import (
    ConfigurationError,
    EnvironmentNotReady,
    Locked,
    ModelError,
    NetworkError,
    NothingToDo,
)
from llmtester.domain.work import ServerSettings
from llmtester.models import ledger
from llmtester.models.hub_options import HubOptions
from llmtester.models.library import ModelManager
from llmtester.models.places import OWN_FOLDER
from llmtester.models.progress import Progress
from llmtester.models.spec import FromHub, FromIndex, FromUrl, parse
from tests.models.fake_hub import FakeHub, Fault
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors, write_split

REPOSITORY = "maker/Tiny-GGUF"


def tiny(fill: int = 0, file_type: int = 7) -> bytes:
    return gguf_bytes(llama_metadata(file_type=file_type), llama_tensors(), fill=fill)


@pytest.fixture
def stocked(hub: FakeHub, tmp_path: Path) -> FakeHub:
    """A hub with one repository: three quantizations, a split one, a projector and a readme."""
    hub.add(REPOSITORY, "README.md", b"# Tiny", large=False)
    for fill, label in enumerate(("Q4_K_M", "Q8_0", "UD-Q4_K_XL"), 1):
        hub.add(REPOSITORY, f"Tiny-{label}.gguf", tiny(fill, 15 if "K" in label else 7))
    hub.add(REPOSITORY, "mmproj-F16.gguf", tiny(9))
    for path in write_split(tmp_path / "split", "Tiny-BF16"):
        hub.add(REPOSITORY, f"BF16/{path.name}", path)
    return hub


@pytest.mark.parametrize(
    ("spec", "file"),
    [
        (REPOSITORY, "Tiny-Q4_K_M.gguf"),
        (f"{REPOSITORY}:Q8_0", "Tiny-Q8_0.gguf"),
        (f"{REPOSITORY}:ud-q4_k_xl", "Tiny-UD-Q4_K_XL.gguf"),
        (f"hf.co/{REPOSITORY}:Q8_0", "Tiny-Q8_0.gguf"),
        (f"{REPOSITORY}/Tiny-Q8_0.gguf", "Tiny-Q8_0.gguf"),
        (f"{REPOSITORY}:Tiny-Q8_0.gguf", "Tiny-Q8_0.gguf"),
        (f"https://huggingface.co/{REPOSITORY}/resolve/main/Tiny-Q8_0.gguf", "Tiny-Q8_0.gguf"),
        (f"https://huggingface.co/{REPOSITORY}/blob/main/Tiny-Q8_0.gguf?download=true", "Tiny-Q8_0.gguf"),
    ],
)
def test_the_many_ways_to_name_a_file(
    stocked: FakeHub, manager: ModelManager, folder: Path, spec: str, file: str
) -> None:
    """Repository, quantization, file and address all bring the file to one place, and record its checksum."""
    model = manager.pull(spec)
    assert model.paths == (folder / REPOSITORY / file,)
    assert model.paths[0].read_bytes() == stocked.repositories[REPOSITORY].files[file].read()
    assert model.pulled is not None
    assert model.pulled.files[0].sha256 == hashlib.sha256(model.paths[0].read_bytes()).hexdigest()
    assert not list((folder / OWN_FOLDER).glob("*.part"))


def test_a_split_model_comes_whole(stocked: FakeHub, manager: ModelManager) -> None:
    """All parts of a split model are fetched, whichever of them was named, and make one model."""
    model = manager.pull(f"{REPOSITORY}/BF16/Tiny-BF16-00002-of-00003.gguf")
    assert [path.name[-12:] for path in model.paths] == ["f-00003.gguf"] * 3
    assert manager.verify(str(model.paths[0])).trust == "source"


def test_several_quantizations(stocked: FakeHub, manager: ModelManager) -> None:
    """--quants brings each of them."""
    offers = manager.offers(REPOSITORY, quants=["Q4_K_M", "Q8_0"])
    assert [model.ref.quantization for model in manager.fetch(offers)] == ["Q4_K_M", "Q8_0"]


def test_the_offer_knows_before_the_download(stocked: FakeHub, manager: ModelManager) -> None:
    """Size, licence and facts are there after the header alone, and the pull goes on behind the header."""
    big = gguf_bytes(llama_metadata("Big"), [*llama_tensors(), ("blk.1.big.weight", (1024, 1024, 3), 0)])
    stocked.add(REPOSITORY, "Big-Q6_K.gguf", big)
    (offer,) = manager.offers(f"{REPOSITORY}:Q6_K")
    assert (offer.remote.size_bytes, offer.remote.licence) == (len(big), "apache-2.0")
    assert offer.facts is not None
    assert offer.facts.layers_count == 2
    assert manager.judge(offer, ServerSettings()) == "fits"
    assert offer.missing_bytes == len(big) - 2**21
    before = stocked.sent_bytes
    manager.fetch([offer])
    assert stocked.sent_bytes - before == len(big) - 2**21


def test_a_second_pull_costs_nothing(stocked: FakeHub, manager: ModelManager) -> None:
    """What is here already is not fetched again."""
    manager.pull(f"{REPOSITORY}:Q8_0")
    before = stocked.sent_bytes
    seen: list[Progress] = []
    manager.pull(f"{REPOSITORY}:Q8_0", seen.append)
    assert stocked.sent_bytes == before
    assert seen[-1].note == "already here"


def test_the_cache_of_the_hub_client_is_used(
    stocked: FakeHub, tmp_path: Path, folder: Path, hub_options: HubOptions
) -> None:
    """A file that the Hugging Face client fetched before is found by its checksum instead of fetched."""
    file = stocked.repositories[REPOSITORY].files["Tiny-Q8_0.gguf"]
    cache = tmp_path / "huggingface" / "hub"
    repository = cache / "models--maker--Tiny-GGUF"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / file.sha256).write_bytes(file.read())
    (repository / "snapshots" / "1").mkdir(parents=True)
    (repository / "snapshots" / "1" / "Tiny-Q8_0.gguf").symlink_to(repository / "blobs" / file.sha256)
    manager = ModelManager([folder, cache], tmp_path / "cache", None, hub_options)
    model = manager.pull(f"{REPOSITORY}:Q8_0")
    assert model.origin == "Hugging Face"
    assert stocked.sent_bytes == 0


def test_an_address_of_any_server(stocked: FakeHub, manager: ModelManager, folder: Path) -> None:
    """A plain address works without a known size or checksum; its query is not recorded."""
    model = manager.pull(f"{stocked.endpoint}/{REPOSITORY}/resolve/main/Tiny-Q8_0.gguf?key=secret")
    assert model.paths == (folder / "Tiny-Q8_0.gguf",)
    assert model.pulled is not None
    assert not model.pulled.promised
    assert "secret" not in model.pulled.source
    assert manager.verify("Tiny").trust == "pull"


def test_catalog_names(stocked: FakeHub, tmp_path: Path, folder: Path, hub_options: HubOptions) -> None:
    """A name of the user's catalog means its repository and its first quantization, or the one that was asked for."""
    (tmp_path / "models.yaml").write_text(
        f"models:\n  - {{name: house, source: {REPOSITORY}, quants: [Q8_0, Q4_K_M], parameters_count: 1000}}\n"
    )
    manager = ModelManager([folder], tmp_path / "cache", tmp_path / "models.yaml", hub_options)
    assert manager.pull("house").ref.quantization == "Q8_0"
    assert manager.pull("House:Q4_K_M").ref.quantization == "Q4_K_M"
    assert [choice.here for choice in manager.choices(ServerSettings()) if choice.entry.name == "house"] == [True]
    with pytest.raises(NothingToDo, match="the catalog has no 'hause'"):
        manager.pull("hause")


def test_what_the_repository_does_not_have(stocked: FakeHub, manager: ModelManager) -> None:
    """A quantization, a file or a model that is not there is answered with what is."""
    with pytest.raises(NothingToDo, match="it holds BF16, Q4_K_M, Q8_0, UD-Q4_K_XL"):
        manager.pull(f"{REPOSITORY}:Q2_K")
    with pytest.raises(NothingToDo, match=r"no file nope\.gguf"):
        manager.pull(f"{REPOSITORY}/nope.gguf")
    stocked.add("maker/empty", "README.md", b"", large=False)
    with pytest.raises(NothingToDo, match="holds no GGUF"):
        manager.pull("maker/empty")
    with pytest.raises(NothingToDo, match="no revision nope"):
        manager.pull(f"{REPOSITORY}@nope:Q8_0")


def test_unknown_repositories(stocked: FakeHub, manager: ModelManager) -> None:
    """A repository that does not exist cannot be told from a private one, and the message says both."""
    with pytest.raises(NetworkError, match="does not exist, or it is private"):
        manager.pull("maker/nothing")


def gate(hub: FakeHub) -> None:
    hub.repositories[REPOSITORY].gated = True
    hub.repositories[REPOSITORY].needs_token = "hf_good"


def test_gated_models_say_how_to_get_in(stocked: FakeHub, manager: ModelManager) -> None:
    """Without a token the message leads to the terms, the token page and the variable."""
    gate(stocked)
    with pytest.raises(NetworkError) as caught:
        manager.pull(f"{REPOSITORY}:Q8_0")
    assert "HF_TOKEN" in caught.value.fix


@pytest.mark.parametrize("through", ["option", "environment"])
def test_a_token_opens_the_gate_and_is_never_written(
    stocked: FakeHub,
    tmp_path: Path,
    folder: Path,
    hub_options: HubOptions,
    through: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The token from the option or from HF_TOKEN works, and no file, value or error holds it."""
    gate(stocked)
    options = replace(hub_options, token="hf_good" if through == "option" else None)
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    manager = ModelManager([folder], tmp_path / "cache", None, options)
    model = manager.pull(f"{REPOSITORY}:Q8_0")
    assert "hf_good" not in repr(model) + repr(manager.hub)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hf_good" in content for content in written)
    assert {seen.headers.get("authorization") for seen in stocked.seen if seen.server == "content"} == {None}


def test_a_wrong_token_is_not_shown(stocked: FakeHub, tmp_path: Path, folder: Path, hub_options: HubOptions) -> None:
    """A token without access gives an error with what to do, without the token, also in its causes."""
    gate(stocked)
    manager = ModelManager([folder], tmp_path / "cache", None, replace(hub_options, token="hf_wrong"))
    with pytest.raises(NetworkError) as caught:
        manager.pull(f"{REPOSITORY}:Q8_0")
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "hf_wrong" not in str(chain)
        chain = chain.__cause__


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_asked_again(stocked: FakeHub, manager: ModelManager, status: int) -> None:
    """Passing troubles of the metadata pass; lasting ones are named."""
    stocked.hub_faults.append(Fault(status=status))
    manager.pull(f"{REPOSITORY}:Q8_0")
    stocked.hub_faults.extend([Fault(status=status)] * 9)
    with pytest.raises(NetworkError, match=f"status {status}"):
        manager.pull(f"{REPOSITORY}:Q4_K_M")


def test_a_hub_that_hangs_or_is_not_there(
    stocked: FakeHub, tmp_path: Path, folder: Path, hub_options: HubOptions
) -> None:
    """Silence and a closed port both end in 'does not answer', with the way round."""
    hasty = replace(hub_options, connect_s=0.3, tries=2)
    stocked.hub_faults.extend([Fault(stall_after=0)] * 5)
    for options in (hasty, replace(hasty, endpoint="http://127.0.0.1:9")):
        with pytest.raises(NetworkError, match="does not answer") as caught:
            ModelManager([folder], tmp_path / "cache", None, options).pull(REPOSITORY)
        assert "starter" in caught.value.fix


def test_the_endpoint_comes_from_the_environment(
    stocked: FakeHub, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HF_ENDPOINT names the hub, read when it is needed."""
    monkeypatch.setenv("HF_ENDPOINT", stocked.endpoint + "/")
    ModelManager([folder], tmp_path / "cache").pull(f"{REPOSITORY}:Q8_0")
    monkeypatch.setenv("HF_ENDPOINT", "nonsense")
    with pytest.raises(ConfigurationError, match="HF_ENDPOINT"):
        ModelManager([folder], tmp_path / "cache").pull(f"{REPOSITORY}:Q4_K_M")


def test_a_proxy_is_honoured(stocked: FakeHub, tmp_path: Path) -> None:
    """With HTTP_PROXY set, requests for metadata and for bytes go through the proxy."""
    code = "import sys; from pathlib import Path; from llmtester.models.library import ModelManager; "
    code += "ModelManager([Path(sys.argv[1])], Path(sys.argv[1]) / 'cache').pull(sys.argv[2])"
    environ = dict(os.environ) | {"HTTP_PROXY": stocked.endpoint, "HF_ENDPOINT": "http://hub.invalid", "NO_PROXY": ""}
    environ |= {"http_proxy": stocked.endpoint, "no_proxy": ""}
    for source, asks in ((REPOSITORY, "/api/models/"), ("http://host.invalid/x.gguf", "/x.gguf")):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), source], env=environ, check=False, capture_output=True
        )
        assert any(seen.path.startswith("http://") and asks in seen.path for seen in stocked.seen)


def test_what_is_no_model_does_not_stay(stocked: FakeHub, manager: ModelManager, folder: Path) -> None:
    """A file that is called .gguf and is none is refused by its first bytes and leaves nothing behind."""
    stocked.add("maker/fake-GGUF", "page-Q8_0.gguf", b"<html>" * 1000)
    with pytest.raises(ModelError, match="not a GGUF"):
        manager.pull("maker/fake-GGUF")
    assert not list(folder.rglob("*.part"))
    assert not manager.scan().unusable


def test_a_foreign_file_is_never_replaced(stocked: FakeHub, manager: ModelManager, folder: Path) -> None:
    """A file of the same name that llmtester did not fetch stays, and the pull says so."""
    mine = folder / REPOSITORY / "Tiny-Q8_0.gguf"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(EnvironmentNotReady, match="in the way"):
        manager.pull(f"{REPOSITORY}:Q8_0")
    assert mine.read_bytes() == b"mine"


def test_a_disk_that_is_too_small_is_noticed_before(stocked: FakeHub, manager: ModelManager, folder: Path) -> None:
    """What does not fit onto the disk is refused before it is fetched."""
    (offer,) = manager.offers(f"{REPOSITORY}:Q8_0")
    huge = shutil.disk_usage(folder).free
    with pytest.raises(EnvironmentNotReady, match="the disk is too small"):
        manager.fetch([replace(offer, missing_bytes=huge)])


def test_two_processes_do_not_write_one_file(stocked: FakeHub, manager: ModelManager, folder: Path) -> None:
    """While another process holds the file, the pull says so at once."""
    sha256 = stocked.repositories[REPOSITORY].files["Tiny-Q8_0.gguf"].sha256
    with FileLock(ledger.own_folder(folder) / f"{sha256}.lock"), pytest.raises(Locked, match="another llmtester"):
        manager.pull(f"{REPOSITORY}:Q8_0")


def test_an_interrupted_pull_goes_on(stocked: FakeHub, manager: ModelManager) -> None:
    """A pull that failed for good keeps its partial file, and the next one fetches only the rest."""
    big = gguf_bytes(llama_metadata("Big"), [*llama_tensors(), ("blk.1.big.weight", (1024, 1024, 3), 0)])
    stocked.add(REPOSITORY, "Big-Q6_K.gguf", big)
    offers = manager.offers(f"{REPOSITORY}:Q6_K")
    stocked.faults.extend([Fault(cut_after=3_000_000), *[Fault(cut_after=0)] * 9])
    with pytest.raises(NetworkError):
        manager.fetch(offers)
    stocked.faults.clear()
    before = stocked.sent_bytes
    manager.pull(f"{REPOSITORY}:Q6_K")
    assert stocked.sent_bytes - before == len(big) - 2**21 - 3_000_000


def test_parts_come_side_by_side_within_the_limit(
    stocked: FakeHub, tmp_path: Path, folder: Path, hub_options: HubOptions
) -> None:
    """The parts of a split model travel at the same time, never more than the limit."""
    running, most, lock = 0, 0, threading.Lock()
    threads: set[str] = set()

    def watch(progress: Progress) -> None:
        nonlocal running, most
        with lock:
            threads.add(threading.current_thread().name)
            most = max(most, sum(thread.name.startswith("pull-") for thread in threading.enumerate()))

    manager = ModelManager([folder], tmp_path / "cache", None, replace(hub_options, parallel_files=2))
    stocked.bytes_per_s = 20_000
    manager.pull(f"{REPOSITORY}:BF16", watch)
    assert most == 2
    assert threads == {threading.current_thread().name}


def test_progress_tells_bytes_rate_and_time_left(stocked: FakeHub, manager: ModelManager) -> None:
    """A slow transfer reports a rate near the real one, a time left, and ends with 'done'."""
    big = gguf_bytes(llama_metadata("Big"), [*llama_tensors(), ("blk.1.big.weight", (1024, 1024, 3), 0)])
    stocked.add(REPOSITORY, "Big-Q6_K.gguf", big)
    offers = manager.offers(f"{REPOSITORY}:Q6_K")
    stocked.bytes_per_s = 6_000_000
    seen: list[Progress] = []
    manager.fetch(offers, seen.append)
    rates = [progress.rate_bytes_per_s for progress in seen if progress.rate_bytes_per_s]
    assert rates[-1] == pytest.approx(6_000_000, rel=0.5)
    assert any(progress.left_s is not None for progress in seen)
    assert seen[-1].stage == "done"


def test_removing_what_was_fetched(stocked: FakeHub, manager: ModelManager, folder: Path) -> None:
    """A fetched model goes with its record and the folders that only it needed."""
    model = manager.pull(f"{REPOSITORY}:Q8_0")
    assert manager.remove(model.ref.path) == model.paths
    assert [path.name for path in folder.iterdir()] == [OWN_FOLDER]
    assert not list(ledger.records(folder))


def test_removing_what_was_not_fetched_needs_force(folder: Path, manager: ModelManager) -> None:
    """A file of the user is left alone, unless forced."""
    (folder / "mine.gguf").write_bytes(tiny())
    with pytest.raises(EnvironmentNotReady, match="was not fetched by llmtester"):
        manager.remove("mine.gguf")
    assert manager.remove("mine.gguf", force=True) == (folder / "mine.gguf",)
    assert not (folder / "mine.gguf").exists()


def test_verify_finds_what_changed_since(stocked: FakeHub, manager: ModelManager) -> None:
    """A flipped byte in the weights, and a cut end, are found and named."""
    model = manager.pull(f"{REPOSITORY}:Q8_0")
    whole = model.paths[0].read_bytes()
    assert manager.verify("Tiny").trust == "source"
    model.paths[0].write_bytes(whole[:-1] + b"\xff")
    with pytest.raises(ModelError, match="its sha256 is"):
        manager.verify(model.ref.path)
    model.paths[0].write_bytes(whole[:-64])
    with pytest.raises(ModelError, match="cut short"):
        manager.verify(model.ref.path)


def test_a_broken_model_can_be_removed(stocked: FakeHub, manager: ModelManager) -> None:
    """A fetched model whose file was damaged since is still ours to delete."""
    model = manager.pull(f"{REPOSITORY}:Q8_0")
    model.paths[0].write_bytes(b"damaged")
    with pytest.raises(ModelError, match="not a GGUF"):
        manager.info("Tiny-Q8_0.gguf")
    assert manager.remove("Tiny-Q8_0.gguf") == model.paths


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema": 1, "files": [{"path": "../../x", "size_bytes": 1}]}'])
def test_a_damaged_record_makes_a_model_count_as_not_fetched(
    stocked: FakeHub, manager: ModelManager, folder: Path, damage: str
) -> None:
    """A record that cannot be trusted never leads to a deletion."""
    model = manager.pull(f"{REPOSITORY}:Q8_0")
    for record in (folder / OWN_FOLDER / "pulled").glob("*.json"):
        record.write_text(damage)
    with pytest.raises(EnvironmentNotReady):
        manager.remove(model.ref.path)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("starter", FromIndex()),
        ("Starter", FromIndex()),
        ("a/b", FromHub("a/b")),
        ("a/b:Q4_K_M", FromHub("a/b", ("Q4_K_M",))),
        ("a/b@v1:Q4_K_M", FromHub("a/b", ("Q4_K_M",), None, "v1")),
        ("a/b/sub/c.gguf", FromHub("a/b", (), "sub/c.gguf")),
        ("http://127.0.0.1:1/x%20y.gguf", FromUrl("http://127.0.0.1:1/x%20y.gguf")),
        ("https://hf.co/a/b/blob/main/c.gguf", FromHub("a/b", (), "c.gguf", "main")),
    ],
)
def test_specs(text: str, spec: object) -> None:
    """Each spelling means what its documentation says."""
    assert parse(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "justaword",
        "a/b/c.txt",
        "a/../b",
        "a/b/../../c.gguf",
        "https://u:p@host/x.gguf",
        "https://host/page",
        "a/b:Q!",
    ],
)
def test_nonsense_is_refused_with_the_forms_that_work(text: str) -> None:
    """A source that cannot be meant is a usage error."""
    with pytest.raises(ConfigurationError):
        parse(text)


def test_the_manager_needs_a_folder(tmp_path: Path, manager_for: Callable[..., ModelManager]) -> None:
    """Without a folder there is nothing to manage."""
    with pytest.raises(ConfigurationError, match="no model folder"):
        manager_for()
