"""Reference packs: written on one machine, taken in on another, and then compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

import llmtester
from llmtester.analysis.summary import QualitySummary, Rating
from llmtester.cli.app import app
from llmtester.cli.console import guarded
from llmtester.domain.errors import ExitCode, StoreError
from llmtester.store import references

LARGE = "m?size_mb=400&realtime=0:F16"
SMALL = "m?size_mb=100&damage=0.2&realtime=0:Q4_K_M"


def run(folder: Path, *scripts: str) -> list[QualitySummary]:
    loaded = llmtester.load_settings(
        overrides={
            "engine.name": "fake",
            "models.include": list(scripts),
            "profiles.enabled": ["quality"],
            "run.quick": True,
            "run.output_dir": str(folder),
        }
    )
    return list(llmtester.run(loaded).summary.quality)


def command(*words: str) -> int:
    return guarded(app, ["quality", "reference", *words])


def test_a_pack_stands_in_for_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Machine one measures both files and exports; machine two has the small file and the pack: the same figures."""
    here = run(tmp_path / "one", LARGE, SMALL)
    pack = tmp_path / "m.reference.jsonl"
    assert command("export", "latest", str(pack), "--runs", str(tmp_path / "one")) == ExitCode.OK
    assert command("import", str(pack)) == ExitCode.OK
    assert "m F16" in capsys.readouterr().out
    there = run(tmp_path / "two", SMALL)
    one, other = (next(q for q in found if q.reference) for found in (here, there))
    assert one.rating is not Rating.NOT_RATED
    assert (one.words, one.details, one.sentence) == (other.words, other.details, other.sentence)
    assert other.reference is not None
    assert other.reference.startswith("reference-pack/")


def test_a_better_file_here_is_preferred_to_a_pack(tmp_path: Path) -> None:
    """A pack of a small file is not used where a larger one can be measured."""
    run(tmp_path / "one", SMALL)
    pack = tmp_path / "m.reference.jsonl"
    assert command("export", "latest", str(pack), "--runs", str(tmp_path / "one")) == ExitCode.OK
    assert command("import", str(pack)) == ExitCode.OK
    found = next(q for q in run(tmp_path / "two", LARGE, "m?size_mb=50&realtime=0:Q5_K_M") if q.reference)
    assert found.reference is not None
    assert "F16" in found.reference
    assert found.reference.startswith("fake/")


def test_packs_hold_no_path_and_no_setting_of_the_machine(tmp_path: Path) -> None:
    """What leaves the machine names neither folders nor commands."""
    run(tmp_path / "one", LARGE)
    pack = tmp_path / "m.reference.jsonl"
    command("export", "latest", str(pack), "--runs", str(tmp_path / "one"))
    text = pack.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert references.read(pack).facts.command == ()


def test_a_cut_or_foreign_pack_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a pack, text and a whole journal are each refused, and nothing is kept."""
    run(tmp_path / "one", LARGE, SMALL)
    pack = tmp_path / "m.reference.jsonl"
    command("export", "latest", str(pack), "--runs", str(tmp_path / "one"))
    pack.write_bytes(pack.read_bytes()[:-100])
    assert command("import", str(pack)) == ExitCode.ENVIRONMENT
    journal = next((tmp_path / "one").glob("*/journal.jsonl"))
    with pytest.raises(StoreError, match="no whole reference pack"):
        references.read(journal)
    assert command("import", str(tmp_path / "none")) == ExitCode.ENVIRONMENT
    assert "fix:" in capsys.readouterr().err


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    """Export refuses a name that is taken, and a run without the profile has nothing to export."""
    run(tmp_path / "one", LARGE)
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    assert command("export", "latest", str(taken), "--runs", str(tmp_path / "one")) == ExitCode.ENVIRONMENT
    assert taken.read_text(encoding="utf-8") == "mine"
