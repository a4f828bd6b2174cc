"""The folder of runs: names in the order of the runs, found by three names, private, and locked by one process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from llmtester.domain.errors import EnvironmentNotReady, Locked, NothingToDo, StoreError
from llmtester.domain.events import RunStarted
from llmtester.store import runs
from llmtester.store.journal import Journal
from tests.worlds import World, cell, fake_plan


@pytest.fixture
def begun() -> RunStarted:
    """The first record of a run."""
    world = World()
    world.start(fake_plan("good"))
    (first,) = world.events
    assert isinstance(first, RunStarted)
    return first


def test_runs_are_found_by_latest_id_and_path(tmp_path: Path, begun: RunStarted) -> None:
    """The three ways to name a run, and the nearest name when it is misspelt."""
    with pytest.raises(NothingToDo, match="no run"):
        runs.find(tmp_path / "empty", "latest")
    first, second = runs.create(tmp_path), runs.create(tmp_path)
    for folder in (first, second):
        Journal.create(folder.journal, begun).close()
    latest = max((first, second), key=lambda folder: folder.run_id)
    assert runs.find(tmp_path, "latest") == latest
    assert runs.find(tmp_path, first.run_id) == first
    assert runs.find(tmp_path, str(second.path)) == second
    with pytest.raises(NothingToDo, match="no run called") as raised:
        runs.find(tmp_path, first.run_id[:-1] + "z")
    assert "did you mean" in raised.value.why
    with pytest.raises(NothingToDo, match="not a run folder"):
        runs.find(tmp_path, str(tmp_path / "x"))


def test_run_folders_are_private(tmp_path: Path) -> None:
    """Prompts and answers may be personal, so only the owner can enter; everything of a run is inside."""
    folder = runs.create(tmp_path)
    assert {path.parent for path in (folder.journal, folder.lock, folder.log)} == {folder.path}
    if os.name == "posix":
        assert folder.path.stat().st_mode & 0o077 == 0


def test_lock_is_exclusive_and_dies_with_its_owner(tmp_path: Path) -> None:
    """A second holder is refused with the way to wait; a released lock can be taken again."""
    folder = runs.create(tmp_path)
    with runs.exclusive(folder.lock, "This run"):
        assert folder.is_active()
        with pytest.raises(Locked, match="in use"), runs.exclusive(folder.lock, "This run"):
            pass
    assert not folder.is_active()


def test_ids_are_in_the_order_of_the_runs_though_the_clock_was_set_back(tmp_path: Path, begun: RunStarted) -> None:
    """A run after one from the future is named a second later than that; a name that is no time is no obstacle."""
    future = time.strftime("%Y%m%d-%H%M%S", time.localtime(time.time() + 86_400))
    (tmp_path / f"{future}-0000").mkdir()
    Journal.create(tmp_path / f"{future}-0000" / "journal.jsonl", begun).close()
    folder = runs.create(tmp_path)
    assert folder.run_id > f"{future}-ffff"
    Journal.create(folder.journal, begun).close()
    assert runs.find(tmp_path, "latest") == folder
    made_up = tmp_path / "99999999-999999-0000"
    made_up.mkdir()
    Journal.create(made_up / "journal.jsonl", begun).close()
    assert runs.create(tmp_path).run_id < "9"


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """A file in the place of the output folder, of the logs of a server or of a lock: named, with the way out."""
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(EnvironmentNotReady, match="cannot write to the output folder") as raised:
        runs.create(tmp_path / "taken")
    assert "--output-dir" in raised.value.fix
    folder = runs.create(tmp_path / "runs")
    assert folder.server_folder(cell().target).is_dir()
    other = runs.create(tmp_path / "runs")
    (other.path / "servers").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot make the folder") as refused:
        other.server_folder(cell().target)
    assert "--resume" in refused.value.fix
    with (
        pytest.raises(EnvironmentNotReady, match="cannot write the lock"),
        runs.exclusive(tmp_path / "taken" / "lock", "This machine"),
    ):
        pass


def test_only_a_folder_without_a_run_is_taken_back(tmp_path: Path, begun: RunStarted) -> None:
    """A folder goes with its lock if no journal came to be; what somebody put into it stays, and so does a run."""
    empty, used, holds = runs.create(tmp_path), runs.create(tmp_path), runs.create(tmp_path)
    Journal.create(holds.journal, begun).close()
    (used.path / "notes.txt").write_text("mine", encoding="utf-8")
    for folder in (empty, used, holds):
        folder.lock.touch()
        folder.discard()
    assert not empty.path.exists()
    assert [path.name for path in used.path.iterdir()] == ["notes.txt"]
    assert holds.journal.is_file()
    assert holds.lock.is_file()
