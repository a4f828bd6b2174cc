"""Names to implementations, built in and installed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from llmtester import plugins
from llmtester.domain.errors import ConfigurationError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real installed distribution with two engines: one that works and one whose module is missing."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[llmtester.engines]\nother = other_engine:Other\nbroken = no_such_module:Nothing\nfake = other_engine:Other\n",
        encoding="utf-8",
    )
    (tmp_path / "other_engine.py").write_text("class Other:\n    name = 'other'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("kind", get_args(plugins.Kind))
def test_every_built_in_name_loads(kind: plugins.Kind) -> None:
    """No row of a table names something that does not exist."""
    for name in plugins.BUILT_IN[kind]:
        assert plugins.load(kind, name) is not None


@pytest.mark.usefixtures("installed")
def test_installed_engines_are_found_and_cannot_replace_ours() -> None:
    """An entry point adds a name; one that repeats a built-in name is not taken."""
    assert plugins.load("engine", "other").name == "other"
    assert plugins.load("engine", "fake").__module__.startswith("llmtester.")
    assert "other" in plugins.names("engine")
    assert plugins.names("engine").count("fake") == 1


@pytest.mark.usefixtures("installed")
def test_a_broken_plugin_names_its_package() -> None:
    """The message says whose fault it is and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        plugins.load("engine", "broken")
    assert "other" in caught.value.what
    assert "no_such_module" in caught.value.why
    assert "uninstall other" in caught.value.fix


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [("engine", "llama_server", "llama-server"), ("profile", "interactiv", "interactive"), ("exporter", "jsn", "json")],
)
def test_an_unknown_name_gets_the_nearest_one(kind: plugins.Kind, name: str, near: str) -> None:
    """A slip is answered with what was meant."""
    with pytest.raises(ConfigurationError) as caught:
        plugins.load(kind, name)
    assert near in caught.value.fix
    assert near in caught.value.why
