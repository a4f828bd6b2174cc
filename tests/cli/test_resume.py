"""Resuming means the same run: what differs is named, what is the same goes on."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

import llmtester
from llmtester.domain.errors import StoreError
from llmtester.domain.events import TrialEnded
from llmtester.store import journal, runs


@pytest.fixture
def interrupted(home: Path) -> runs.RunFolder:
    """A run of the fake engine whose journal ends after its third trial."""
    overrides = {"engine.name": "fake", "models.include": ["a?ttft_ms=1&decode_tok_per_s=5000"]}
    folder = llmtester.run(llmtester.load_settings(overrides=overrides, env={})).folder
    ends = [index for index, event in enumerate(journal.read(folder.journal).events) if isinstance(event, TrialEnded)]
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(lines[: ends[2] + 1]))
    return folder


def change_first_record(folder: runs.RunFolder, name: str, value: object) -> None:
    """Rewrite a machine fact in the journal, as if the run came from elsewhere."""
    first, *rest = folder.journal.read_bytes().splitlines(keepends=True)
    record = json.loads(first)
    del record["crc"]
    record["data"]["machine"][name] = value
    body = json.dumps(record, separators=(",", ":")).encode()[:-1]
    folder.journal.write_bytes(body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode() + b"".join(rest))


def test_an_interrupted_run_goes_on(interrupted: runs.RunFolder) -> None:
    """The three trials that were there stay, the rest is measured, and the log names the resume."""
    before = journal.read(interrupted.journal).events
    result = llmtester.resume(llmtester.load_settings(env={}), interrupted.run_id)
    after = journal.read(interrupted.journal).events
    assert after[: len(before)] == before
    assert result.ended.outcome == "finished"
    assert result.summary.resumed_count == 1
    assert "run finished" in interrupted.log.read_text()


def test_a_moved_folder_goes_on(interrupted: runs.RunFolder, home: Path) -> None:
    """A run is its folder, wherever that lies."""
    moved = home / "elsewhere"
    interrupted.path.rename(moved)
    assert llmtester.resume(llmtester.load_settings(env={}), str(moved)).ended.outcome == "finished"


def test_another_machine_is_refused(interrupted: runs.RunFolder) -> None:
    """The difference is named and nothing is written."""
    change_first_record(interrupted, "cpu_model", "Another CPU")
    before = interrupted.journal.read_bytes()
    with pytest.raises(StoreError, match="cannot be resumed") as raised:
        llmtester.resume(llmtester.load_settings(env={}), interrupted.run_id)
    assert "cpu_model: Another CPU then" in raised.value.why
    assert interrupted.journal.read_bytes() == before


@pytest.mark.engine
def test_another_model_file_is_refused(starter_model: Path, home: Path) -> None:
    """The same name with other content is not the same model."""
    models = home / "models"
    models.mkdir()
    copy = models / "SmolLM2-135M-Instruct.Q4_1.gguf"
    copy.write_bytes(starter_model.read_bytes())
    overrides = {
        "engine.name": "embedded",
        "models.folders": [str(models)],
        "profiles.interactive.min_trials": 1,
        "profiles.interactive.max_trials": 1,
        "profiles.interactive.short.output_tok": 8,
        "profiles.interactive.medium.prompt_tok": 64,
        "profiles.interactive.medium.output_tok": 8,
        "profiles.interactive.follow_up.prompt_tok": 160,
        "profiles.interactive.follow_up.output_tok": 8,
    }
    loaded = llmtester.load_settings(overrides=overrides, env={})
    folder = llmtester.run(loaded).folder
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(lines[:6]))
    with copy.open("r+b") as file:
        file.seek(-50_000_000, 2)
        file.write(bytes(50_000_000))
    with pytest.raises(StoreError, match="cannot be resumed") as raised:
        llmtester.resume(loaded, folder.run_id)
    assert "another file" in raised.value.why
    copy.unlink()
    with pytest.raises(StoreError) as raised:
        llmtester.resume(loaded, folder.run_id)
    assert "not at" in raised.value.why


def test_the_log_keeps_what_was_asked(home: Path) -> None:
    """At level error a clean run logs nothing, at debug every event."""
    sizes = {}
    for level in ("error", "debug"):
        overrides = {
            "engine.name": "fake",
            "models.include": ["a?ttft_ms=1&decode_tok_per_s=5000"],
            "log_level": level,
        }
        sizes[level] = llmtester.run(llmtester.load_settings(overrides=overrides, env={})).folder.log.stat().st_size
    assert sizes["error"] == 0
    assert sizes["debug"] > 1000
