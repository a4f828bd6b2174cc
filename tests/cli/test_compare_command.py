"""``llmtester report list`` and ``llmtester compare`` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmtester.cli.app import app
from llmtester.cli.console import guarded
from llmtester.store import runs

HOSTILE = "evil\x1b[31m\u202ename?ttft_ms=2&decode_tok_per_s=3000:Q4_K_M"


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = guarded(app, words)
    out, err = capsys.readouterr()
    return code, out, err


def run(capsys: pytest.CaptureFixture[str], *models: str) -> str:
    """The id of a new run of scripted models."""
    words = ["run", "--engine", "fake", "--models", ",".join(models), "--display", "none", "--output-dir", "runs"]
    code, _, err = typed(capsys, *words, "--profiles", "interactive")
    assert code == 0, err
    return runs.all_runs(Path("runs"))[-1].run_id


def test_the_list_has_every_run_also_a_broken_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Newest first, at most 80 columns, nothing that moves a cursor; an unreadable journal is a row that says so."""
    first = run(capsys, HOSTILE)
    broken = home / "runs" / "20990101-000000-abcd"
    broken.mkdir()
    (broken / "journal.jsonl").write_text("not a journal\n")
    code, out, err = typed(capsys, "report", "list", "--runs", "runs")
    assert code == 0, err
    assert out.index(broken.name) < out.index(first)
    assert "unreadable" in out
    assert "finished" in out
    assert "for chat" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_the_list_as_json_is_one_envelope(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the same rows with their problem in a field of its own."""
    name = run(capsys, "fast?ttft_ms=2&decode_tok_per_s=3000:Q4_K_M")
    _, out, _ = typed(capsys, "report", "list", "--runs", "runs", "--json")
    envelope = json.loads(out)
    assert (envelope["schema"], envelope["ok"]) == ("llmtester/report-list/1", True)
    (row,) = envelope["data"]
    assert (row["run_id"], row["outcome"], row["models"], row["problem"]) == (name, "finished", ["fast Q4_K_M"], "")


def test_a_list_of_no_runs_is_an_empty_list(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No run yet is no failure, for a person and for a program alike; the person is told how to make one."""
    code, out, err = typed(capsys, "report", "list")
    assert (code, out) == (0, "")
    assert "llmtester run --quick" in err
    code, out, err = typed(capsys, "report", "list", "--json")
    assert (code, json.loads(out)["data"], err) == (0, [], "")


def test_compare_shows_both_values_and_the_result(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same cells side by side in 80 columns, and what only one run has by name."""
    steady, hostile = "fast?ttft_ms=2&decode_tok_per_s=3000:Q4_K_M", HOSTILE
    before, after = run(capsys, steady), run(capsys, steady, hostile)
    code, out, err = typed(capsys, "compare", before, after, "--runs", "runs")
    assert code == 0, err
    assert "fast Q4_K_M, interactive/short" in out
    assert "Writing speed" in out
    assert "Only in the run after, 3 cells:" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    _, out, _ = typed(capsys, "compare", before, after, "--runs", "runs", "--json")
    envelope = json.loads(out)
    assert (envelope["schema"], envelope["ok"]) == ("llmtester/compare/1", True)
    assert [cell["load"] for cell in envelope["data"]["cells"]] == ["short", "medium", "follow_up"]


def test_runs_without_a_common_cell_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to put side by side: exit 5 with the command that shows what there is."""
    before = run(capsys, "one?ttft_ms=2&decode_tok_per_s=3000:Q4_K_M")
    after = run(capsys, "two?ttft_ms=2&decode_tok_per_s=3000:Q4_K_M")
    code, _, err = typed(capsys, "compare", before, after, "--runs", "runs")
    assert code == 5
    assert "llmtester report list" in err
