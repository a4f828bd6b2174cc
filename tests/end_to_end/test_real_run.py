"""The whole path on real engines and the real model, through the public functions."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

import llmtester
from llmtester.analysis.summary import Estimate
from llmtester.api import RunResult

pytestmark = pytest.mark.engine

SHORT = {
    "profiles.interactive.min_trials": 5,
    "profiles.interactive.max_trials": 5,
    "profiles.interactive.medium.prompt_tok": 200,
    "profiles.interactive.short.output_tok": 64,
    "profiles.interactive.medium.output_tok": 64,
}


@pytest.fixture(scope="module")
def result(starter_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """One run of the starter model on the embedded engine."""
    overrides = {
        **SHORT,
        "engine.name": "embedded",
        "models.folders": [str(starter_model.parent)],
        "models.include": ["SmolLM2*"],
        "models.quants": ["Q4_1"],
        "run.output_dir": str(tmp_path_factory.mktemp("runs")),
    }
    return llmtester.run(llmtester.load_settings(overrides=overrides, env={}))


def test_the_run_measures_everything(result: RunResult) -> None:
    """All three loads are done, rated and recommended."""
    assert result.ended.outcome == "finished"
    assert [cell.status for cell in result.summary.cells] == ["done"] * 3
    assert result.summary.advice[0].use == "chat"


def test_decode_agrees_with_the_server(result: RunResult) -> None:
    """The client's writing speed in ``results.json`` is within 2 % of the server's own, for the same requests."""
    results = json.loads(result.files["json"].read_text(encoding="utf-8"))
    for cell in results["cells"]:
        ours, theirs = (cell["metrics"][name]["value"] for name in ("decode_tok_per_s", "server_decode_tok_per_s"))
        assert abs(ours / theirs - 1) < 0.02, (cell["key"], ours, theirs)


def test_prompts_have_the_planned_length_and_no_cache(result: RunResult) -> None:
    """What the server evaluated is what the profile planned, within 1 %, and nothing came from a cache."""
    for cell in result.summary.cells:
        measured = cell.metrics["prompt_tok"]
        assert isinstance(measured, Estimate)
        follows = cell.load.name == "follow_up"  # its length depends on what the model answered before
        assert measured.value == pytest.approx(cell.load.prompt_tok, rel=0.05 if follows else 0.01)
        assert "cached_prompt" not in {finding.code for finding in cell.findings}


def test_a_follow_up_meets_the_cache_of_its_conversation(result: RunResult) -> None:
    """The server has read most of it before, and answers sooner than a fresh prompt of less length."""
    cells = {cell.load.name: cell.metrics for cell in result.summary.cells}
    cached, waits = cells["follow_up"]["cached_ratio"], [cells[name]["ttft_ms"] for name in ("follow_up", "medium")]
    assert isinstance(cached, Estimate) and cached.value > 0.8
    assert all(isinstance(wait, Estimate) for wait in waits)
    assert waits[0].value < waits[1].value


def test_the_target_is_described_truthfully(result: RunResult) -> None:
    """Build, command without a key, buffers from the log, memory from the system."""
    (target,) = result.summary.targets
    assert target.facts is not None
    assert "xllamacpp" in target.facts.build
    assert "--api-key" not in target.facts.command
    assert target.facts.buffers
    if psutil.LINUX:
        assert isinstance(target.memory_peak_bytes, Estimate)
        assert 100e6 < target.memory_peak_bytes.value < 600e6


def test_no_server_is_left(result: RunResult) -> None:
    """Nothing that this process started is still running."""
    assert not [p for p in psutil.Process().children(recursive=True) if "embedded_host" in " ".join(p.cmdline())]


def test_no_key_is_stored(result: RunResult) -> None:
    """Neither journal nor logs nor reports hold anything that looks like a bearer key."""
    for path in result.folder.path.rglob("*"):
        if path.is_file():
            assert b"Bearer " not in path.read_bytes(), path
