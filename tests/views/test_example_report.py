"""The example report in the repository: a real run, whole, after the schema, without a trace of where it was made."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from .schema_check import problems

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "reports"
SCHEMA = json.loads((ROOT / "docs" / "results.schema.json").read_text(encoding="utf-8"))
FILES = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")


def only(suffix: str) -> Path:
    (path,) = (path for path in FILES if path.name.endswith(suffix))
    return path


def test_the_json_obeys_the_schema() -> None:
    """What a run writes today is what the published schema says."""
    assert problems(json.loads(only("_results.json").read_text(encoding="utf-8")), SCHEMA, SCHEMA) == []


def test_it_is_a_finished_run_of_a_real_engine() -> None:
    """Every cell was measured on a real server and has its trials."""
    results = json.loads(only("_results.json").read_text(encoding="utf-8"))
    assert results["outcome"] == "finished"
    assert {target["engine"] for target in results["targets"]} == {"embedded"}
    assert all(cell["status"] == "done" and cell["trials_count"] >= 5 for cell in results["cells"])


def test_the_files_tell_of_the_same_run() -> None:
    """The table has a row for each cell of the JSON, and the Markdown names the model."""
    results = json.loads(only("_results.json").read_text(encoding="utf-8"))
    with only("_results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(results["cells"])
    assert results["targets"][0]["model"]["name"] in only(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_no_path_of_the_machine_is_in_it(path: Path) -> None:
    """Files are named relative to the folder of the run, and no home, temporary or work folder is named."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(work|tmp|root|home|Users|mnt|var|opt|usr)/|[A-Z]:\\\\", text)
