"""The journal: what is written comes back, and nothing that is not whole ever counts."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtester.analysis.state import RunState
from llmtester.domain.errors import EnvironmentNotReady, StoreError
from llmtester.domain.events import CellSkipped, Event, RunStarted
from llmtester.store import journal, schema
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


@pytest.mark.untraced
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


@pytest.mark.untraced
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
    with pytest.raises(StoreError, match="cannot read"):
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
    with book, pytest.raises(StoreError, match="cannot write") as raised:
        book.emit(events[0])
    assert "--resume" in raised.value.fix


@contextmanager
def files_no_longer_than(limit_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a length: what a full disk does, without needing one."""
    resource = pytest.importorskip("resource", reason="this system limits no length of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_half_a_line_is_taken_back(tmp_path: Path, events: list[Event]) -> None:
    """Where only a part of a record fits, the file ends with the record before it and can be gone on with."""
    path = tmp_path / "j"
    first = events[0]
    assert isinstance(first, RunStarted)
    with Journal.create(path, first) as book:
        size_bytes = path.stat().st_size
        with files_no_longer_than(size_bytes + 20), pytest.raises(StoreError, match="only 20 of") as raised:
            book.emit(events[1])
        assert path.stat().st_size == size_bytes
        book.emit(events[1])
    assert raised.value.why == "the disk is full"
    assert list(journal.read(path).events) == events[:2]


def test_a_plan_that_does_not_fit_leaves_no_journal(tmp_path: Path, events: list[Event]) -> None:
    """A journal is not begun where its first record cannot be stored: no file, neither with the name nor without."""
    first = events[0]
    assert isinstance(first, RunStarted)
    with files_no_longer_than(20), pytest.raises(EnvironmentNotReady, match="cannot write the journal") as raised:
        Journal.create(tmp_path / "j", first)
    assert (raised.value.why, "--output-dir" in raised.value.fix) == ("the disk is full", True)
    assert not list(tmp_path.iterdir())


def test_damage_that_cannot_be_copied_is_not_cut_off(tmp_path: Path, events: list[Event]) -> None:
    """Without room for the copy of a damaged journal nothing of it is touched."""
    path = tmp_path / "journal.jsonl"
    write(path, events)
    broken = path.read_bytes().replace(b'"trial":1', b'"trial":7', 1)
    path.write_bytes(broken)
    with files_no_longer_than(20), pytest.raises(StoreError, match="cannot write to the journal") as raised:
        Journal.reopen(path)
    assert "copy it to another one" in raised.value.fix
    assert path.read_bytes() == broken


def test_a_journal_is_closed_once(tmp_path: Path, events: list[Event]) -> None:
    """Closing again does nothing, least of all to the file that has the descriptor by then."""
    first = events[0]
    assert isinstance(first, RunStarted)
    book = Journal.create(tmp_path / "j", first)
    book.close()
    with (tmp_path / "other").open("wb") as other:
        book.close()
        other.write(b"mine")
    assert (tmp_path / "other").read_bytes() == b"mine"


def sealed(body: bytes) -> bytes:
    """A line whose checksum is right, whatever it says."""
    return body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (sealed(b'{"seq":1,"kind":'), "the line is not JSON"),
        (sealed(b'{"seq":2,"kind":"run_ended","data":{}'), "record 2 where 1 was expected"),
        (sealed(b'{"seq":1,"kind":"run_ended"'), "the record names no kind or holds no data"),
        (sealed(b'{"seq":1,"data":{}'), "the record names no kind or holds no data"),
        (sealed(b'{"seq":1,"kind":"run_ended","data":{}').replace(b"run_ended", b"run_endet"), "checksum"),
    ],
)
def test_a_line_that_is_no_record_ends_the_reading(
    tmp_path: Path, events: list[Event], line: bytes, reason: str
) -> None:
    """A right checksum does not make a record: reading and following stop before it, and reading says why."""
    path = tmp_path / "j"
    write(path, events[:1])
    path.write_bytes(path.read_bytes() + line + sealed(b'{"seq":2,"kind":"run_ended","data":{}'))
    recorded = journal.read(path)
    assert recorded.events == (events[0],)
    assert recorded.damage is not None
    assert reason in recorded.damage.reason
    assert not recorded.damage.torn
    assert list(journal.follow(path, lambda: True)) == events[:1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"seq":0,"kind":"run_ended","data":{}', "this is not an llmtester journal"),
        (b'{"seq":0,"kind":"run_ended","schema":0,"data":{}', "this is not an llmtester journal"),
        (b'{"seq":0,"kind":"tea_drunk","schema":1,"data":{}', "unknown kind 'tea_drunk'"),
        (b'{"seq":0,"kind":"run_ended","schema":1,"data":{"at_ns":"soon"}', "a run_ended record of the journal is not"),
    ],
)
def test_a_record_that_nobody_wrote_is_refused(tmp_path: Path, body: bytes, said: str) -> None:
    """Whole lines of something else are named and not taken for an empty run."""
    path = tmp_path / "j"
    path.write_bytes(sealed(body))
    with pytest.raises(StoreError, match=said) as raised:
        journal.read(path)
    assert raised.value.fix


def test_an_invalid_record_is_named_by_its_field(tmp_path: Path) -> None:
    """Which value is wrong, and what would have been one."""
    (tmp_path / "j").write_bytes(sealed(b'{"seq":0,"kind":"run_ended","schema":1,"data":{"at_ns":"soon"}'))
    with pytest.raises(StoreError) as raised:
        journal.read(tmp_path / "j")
    assert raised.value.why.startswith("at_ns: Input should be a valid integer")


def test_text_that_no_file_can_hold_is_refused(tmp_path: Path, events: list[Event]) -> None:
    """Half a character, as in a mangled file name, is an error of the store, and the journal stays whole."""
    path = tmp_path / "j"
    first = events[0]
    assert isinstance(first, RunStarted)
    with Journal.create(path, first) as book, pytest.raises(StoreError, match="cannot be written"):
        book.emit(CellSkipped(1, "cell", "half of a pair: \ud800"))
    assert journal.read(path).events == (first,)


def test_old_records_walk_up_one_version_at_a_time() -> None:
    """A record passes every upgrade from its own version on, in order, and no earlier one."""
    upgrades: dict[int, schema.Upgrade] = {
        version: lambda kind, data, to=version + 1: {**data, "seen": [*data.get("seen", []), (kind, to)]}
        for version in (1, 2, 3)
    }
    assert schema.upgraded("pulse", {}, 1, upgrades) == {"seen": [("pulse", 2), ("pulse", 3), ("pulse", 4)]}
    assert schema.upgraded("pulse", {}, 3, upgrades) == {"seen": [("pulse", 4)]}
    assert schema.upgraded("pulse", {"a": 1}, 4, upgrades) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"hello\n", b"half a line"])
def test_following_something_else_says_so(tmp_path: Path, content: bytes) -> None:
    """A file without a record is refused once its writer is gone, a line of something else at once."""
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(StoreError, match="holds no readable record"):
        list(journal.follow(tmp_path / "j", lambda: False))


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


def test_a_torn_line_is_dropped_without_a_copy(tmp_path: Path, events: list[Event]) -> None:
    """Half of a last line is what a kill leaves: it is cut off, nothing is kept of it, and a whole journal stays."""
    path = tmp_path / "journal.jsonl"
    write(path, events)
    whole = path.read_bytes()
    for content, kept_count in ((whole, len(events)), (whole[:-9], len(events) - 1)):
        path.write_bytes(content)
        book, recorded = Journal.reopen(path)
        book.close()
        assert len(recorded.events) == kept_count
        assert path.stat().st_size == recorded.good_bytes
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal.jsonl"]
