"""``--engine auto`` and a llama-server that is on PATH but was built for another processor."""

from __future__ import annotations

from llmtester.api.planning import choose_engine, plan
from llmtester.settings import load_settings
from tests.engines.test_processor_check import binary_that


def test_auto_falls_back_with_a_note(tmp_path, starter_model, monkeypatch):
    """The embedded engine is planned, and the plan says which binary was passed over and why."""
    binary = binary_that(tmp_path, "kill -ILL $$")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    loaded = load_settings(overrides={"models.folders": [str(starter_model.parent)], "engine.name": "auto"})
    work = plan(loaded)
    assert {target.engine for target in work.targets} == {"embedded"}
    (note,) = [note for note in work.notes if "llama-server" in note]
    assert str(binary) in note
    assert "processor instructions" in note
    assert choose_engine(loaded.settings)[0] == "embedded"
