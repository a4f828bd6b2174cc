"""The journal: what is written comes back, and nothing that is not whole ever counts."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtester.analysis.state import RunState
from llmtester.domain.errors import EnvironmentNotReady, Locked, NothingToDo, StoreError
from llmtester.domain.events import Event, RunStarted
from llmtester.store import journal, runs, schema
from llmtester.store.journal import Journal
from tests.worlds import World, fake_plan


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Every event of a small run, a failure among them."""
    world = World()
    world.run(fake_plan("good?realtime=0", "bad?fail=oom&realtime=0", "mortal?fail=crash_after:2&realtime=0"))
    return world.events


def write(path: Path, events: list[Event]) -> None:
    first = events[0]
    assert isinstance(first, RunStarted)
    with Journal.create(path, first) as book:
        for event in events[1:]:
            book.emit(event)


def test_events_come_back_equal(tmp_path: Path, events: list[Event]) -> None:
    """Reading gives the very events that were written."""
    write(tmp_path / "j", events)
    recorded = journal.read(tmp_path / "j")
    assert list(recorded.events) == events
    assert recorded.damage is None
    assert recorded.good_bytes == (tmp_path / "j").stat().st_size


def test_every_kind_of_event_is_known_by_name() -> None:
    """The file names kinds in snake case, so that other programs can read it."""
    assert set(schema.EVENT_TYPES) >= {"run_started", "sample_taken", "trial_ended", "run_ended"}


def trials(events: tuple[Event, ...]) -> list[int]:
    return [len(cell.trials) for cell in RunState(events).cells.values()]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10**6))
def test_any_cut_counts_no_partial_trial(tmp_path: Path, events: list[Event], cut: int) -> None:
    """Cut anywhere: what is read is a prefix of what was written, and it can be appended to."""
    path = tmp_path / "cut"
    path.unlink(missing_ok=True)
    write(path, events)
    content = path.read_bytes()
    cut %= len(content)
    path.write_bytes(content[:cut])
    if cut <= content.index(b"\n"):
        with pytest.raises(StoreError):
            journal.read(path)
        return
    recorded = journal.read(path)
    assert list(recorded.events) == events[: len(recorded.events)]
    book, again = Journal.reopen(path)
    with book:
        book.emit(events[len(again.events)])
    assert list(journal.read(path).events) == events[: len(again.events) + 1]


def test_flipped_bits_are_never_believed(tmp_path: Path, events: list[Event]) -> None:
    """5,000 flips at random places: what is read is always a prefix of the truth, or refused with a message."""
    path = tmp_path / "flip"
    write(path, events)
    content = bytearray(path.read_bytes())
    chance = random.Random(7)
    for _ in range(5000):
        place = chance.randrange(len(content))
        content[place] ^= 1 << chance.randrange(8)
        lines = bytes(content).splitlines(keepends=True)
        reader = journal._Reader()
        kept = 0
        try:
            for line in lines:
                reader.take(line)
                kept += 1
        except (journal._BadLine, StoreError):
            pass
        assert reader.events == events[:kept]
        content = bytearray(path.read_bytes())


def test_damage_in_the_middle_keeps_a_copy(tmp_path: Path, events: list[Event]) -> None:
    """A bad middle line is cut off on reopening, and the whole file is kept beside it."""
    path = tmp_path / "journal.jsonl"
    write(path, events)
    content = path.read_bytes()
    broken = content.replace(b'"trial":1', b'"trial":7', 1)
    path.write_bytes(broken)
    recorded = journal.read(path)
    assert recorded.damage is not None
    assert not recorded.damage.torn
    book, _ = Journal.reopen(path)
    book.close()
    assert (tmp_path / "journal.damaged-1.jsonl").read_bytes() == broken
    assert path.stat().st_size == recorded.good_bytes


def test_newer_schema_is_refused(tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of the future asks for an upgrade instead of being misread."""
    monkeypatch.setattr(schema, "SCHEMA", schema.SCHEMA + 1)
    write(tmp_path / "j", events[:1])
    monkeypatch.undo()
    with pytest.raises(StoreError, match="newer") as raised:
        journal.read(tmp_path / "j")
    assert "upgrade" in raised.value.fix


def test_not_a_journal(tmp_path: Path) -> None:
    """Missing, empty and foreign files are each refused with a reason."""
    for content in (b"", b"hello\n"):
        (tmp_path / "j").write_bytes(content)
        with pytest.raises(StoreError):
            journal.read(tmp_path / "j")
    with pytest.raises(StoreError, match="Cannot read"):
        journal.read(tmp_path / "none")


def test_create_leaves_nothing_behind(tmp_path: Path, events: list[Event]) -> None:
    """A folder that cannot be written raises before anything exists."""
    first = events[0]
    assert isinstance(first, RunStarted)
    with pytest.raises(EnvironmentNotReady):
        Journal.create(tmp_path / "no" / "j", first)
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_whole_lines(tmp_path: Path, events: list[Event]) -> None:
    """On a device that is full the emit fails with the fix, and the file ends with a whole line."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    book = Journal(tmp_path / "j", os.open("/dev/full", os.O_WRONLY), sequence=0, size_bytes=0)
    with book, pytest.raises(StoreError, match="Cannot write") as raised:
        book.emit(events[0])
    assert "--resume" in raised.value.fix


def test_follow_sees_what_is_appended(tmp_path: Path, events: list[Event]) -> None:
    """A follower gets every event once, in order, and leaves when the writer is gone."""
    path = tmp_path / "j"
    first = events[0]
    assert isinstance(first, RunStarted)
    book = Journal.create(path, first)
    waiting = iter(events[1:])
    alive = True

    def writer_alive() -> bool:
        return alive

    seen = []
    for event in journal.follow(path, writer_alive):
        if event is not None:
            seen.append(event)
            continue
        following = next(waiting, None)
        if following is None:
            alive = False
        else:
            book.emit(following)
            for _, more in zip(range(20), waiting, strict=False):
                book.emit(more)
    book.close()
    assert seen == events


def test_runs_are_found_by_latest_id_and_path(tmp_path: Path, events: list[Event]) -> None:
    """The three ways to name a run, and the nearest name when it is misspelt."""
    with pytest.raises(NothingToDo, match="no run"):
        runs.find(tmp_path / "empty", "latest")
    first, second = runs.create(tmp_path), runs.create(tmp_path)
    for folder in (first, second):
        write(folder.journal, events[:1])
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
    """Prompts and answers may be personal, so only the owner can enter."""
    folder = runs.create(tmp_path)
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
