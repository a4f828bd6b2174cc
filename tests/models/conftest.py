"""A fake hub, patient only for tests, and folders of small models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmtester.models.hub_options import HubOptions
from llmtester.models.library import ModelManager
from tests.models.fake_hub import FakeHub, running


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running() as one:
        yield one


@pytest.fixture
def hub_options(hub: FakeHub) -> HubOptions:
    return HubOptions(endpoint=hub.endpoint, token="", connect_s=5, stall_s=0.5, tries=3, backoff_s=0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder."""
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def manager(tmp_path: Path, folder: Path, hub_options: HubOptions) -> ModelManager:
    return ModelManager([folder], tmp_path / "cache", None, hub_options)


@pytest.fixture
def manager_for(tmp_path: Path) -> Callable[..., ModelManager]:
    """Makes a manager for other folders or options, with a cache of its own."""

    def make(*folders: Path, options: HubOptions | None = None) -> ModelManager:
        return ModelManager(list(folders), tmp_path / "cache", None, options)

    return make
