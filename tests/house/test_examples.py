"""The examples that a stranger copies: they run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGIN = EXAMPLES / "plugin"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The plugin as pip would leave it: its package on the path, its entry points in a dist-info of its own."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / f"llmtester_example-{project['version']}.dist-info"
    info.mkdir()
    name = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(name, encoding="utf-8")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PLUGIN / "src"), *sys.path])}


def test_the_plugin_measures_with_its_own_engine_and_profile(home: Path, installed: dict[str, str]) -> None:
    """Found by name, planned, measured, graded and reported like what is built in."""
    words = ["run", "--engine", "echo", "--profiles", "haiku", "--quick", "--display", "plain"]
    done = subprocess.run(
        [sys.executable, "-m", "llmtester", *words], env=installed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "haiku/three-lines" in done.stderr
    results = next(home.glob("llmtester-runs/*/*_results.csv")).read_text()
    assert "haiku" in results
    assert next(home.glob("llmtester-runs/*/*_report.html")).stat().st_size > 10_000


def test_the_notebook_runs(home: Path) -> None:
    """``examples/notebook.py`` plans, runs, reads metrics and writes a report."""
    done = subprocess.run([sys.executable, str(EXAMPLES / "notebook.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tok/s" in done.stdout
    assert Path(done.stdout.splitlines()[-1]).is_file()
