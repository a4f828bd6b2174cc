"""Reference packs as files: what they hold, what they leave out, and what is not taken for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.analysis.costs import Hardware
from llmtester.domain.errors import NothingToDo, StoreError
from llmtester.domain.events import Event, RunStarted, SampleTaken
from llmtester.domain.work import ServerSettings, Target
from llmtester.profiles.quality.profile import QualityOptions, QualityProfile
from llmtester.profiles.quality.texts import TEXTS
from llmtester.runner import planner
from llmtester.store import references
from llmtester.store.journal import Journal
from tests.worlds import World

SCRIPTS = ("m?size_mb=400&realtime=0:F16", "m?size_mb=100&realtime=0:Q4_K_M", "n?size_mb=900&fail=load&realtime=0:F16")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """A run of the quality profile: a reference, its candidate, and a model that did not load."""
    world = World()
    world.profiles = {"quality": QualityProfile(QualityOptions(texts=TEXTS[:2], items_count=4))}
    refs = world.engine.catalogue(SCRIPTS)
    wanted = planner.Wanted("fake", refs, world.profiles, ServerSettings(), 1, Hardware(2, 16 * 10**9))
    plan = planner.plan(wanted, lambda one, settings: None)
    world.run(plan)
    (first, *rest) = world.events
    assert isinstance(first, RunStarted)
    return [replace(first, settings={"models.folders": {"value": "/home/someone", "origin": "file"}}), *rest]


@pytest.fixture
def pack(tmp_path: Path, events: list[Event]) -> Path:
    reference, _ = references.candidates(events)
    references.write(events, reference, tmp_path / "m.reference.jsonl")
    return tmp_path / "m.reference.jsonl"


def answers_of(events: list[Event], target: Target) -> dict[str, str]:
    return {
        event.sample.request_id: event.sample.text
        for event in events
        if isinstance(event, SampleTaken) and event.cell.startswith(target.key)
    }


def test_a_pack_holds_the_answers_of_its_reference_alone(tmp_path: Path, events: list[Event]) -> None:
    """Every finished answer by its request, nothing of the candidate, and neither path nor setting of the machine."""
    reference, gone = references.candidates(events)
    assert [one.model.label for one in (reference, gone)] == ["m F16", "n F16"]
    path = tmp_path / "m.reference.jsonl"
    written = references.write(events, reference, path)
    found = references.read(path)
    assert {name: one.text for name, one in found.samples.items()} == answers_of(events, reference)
    assert written == len(found.samples) > 0
    assert found.facts.command == ()
    assert (found.target.engine, found.target.model.path) == (references.ENGINE, str(path))
    assert found.target.model.fingerprint == reference.model.fingerprint
    for private in (reference.model.path, "/home/someone"):
        assert private not in path.read_text(encoding="utf-8")


def test_a_reference_without_answers_makes_no_pack(tmp_path: Path, events: list[Event]) -> None:
    """A model that did not load has nothing to export, and no file is begun."""
    _, gone = references.candidates(events)
    with pytest.raises(NothingToDo, match="no finished answers of n F16") as raised:
        references.write(events, gone, tmp_path / "n.reference.jsonl")
    assert raised.value.fix == "llmtester run --profiles quality"
    assert not list(tmp_path.iterdir())


def test_packs_are_kept_by_what_they_are(tmp_path: Path, pack: Path) -> None:
    """The same pack taken in twice is one file; whatever else lies in the folder is left alone and out."""
    folder = tmp_path / "kept"
    assert references.kept_in(folder) == ()
    first = references.keep(pack, folder)
    assert references.keep(pack, folder) == first
    foreign = folder / f"a{references.SUFFIX}"
    foreign.write_text("not a pack", encoding="utf-8")
    assert references.kept_in(folder) == (first,)
    assert foreign.read_text(encoding="utf-8") == "not a pack"
    assert first.samples == references.read(pack).samples


def test_half_a_pack_a_whole_run_and_nothing_are_refused(tmp_path: Path, pack: Path, events: list[Event]) -> None:
    """A pack that lost its end is not believed, and neither is what is something else or not there."""
    with pytest.raises(StoreError, match="there is no reference pack") as missing:
        references.read(tmp_path / "none")
    assert "reference export" in missing.value.fix
    pack.write_bytes(pack.read_bytes()[:-10])
    with pytest.raises(StoreError, match="no whole reference pack") as cut:
        references.read(pack)
    assert cut.value.why == "the line is not complete"
    first, *rest = events
    assert isinstance(first, RunStarted)
    with Journal.create(tmp_path / "journal.jsonl", first) as book:
        for event in rest:
            book.emit(event)
    with pytest.raises(StoreError, match="no whole reference pack") as whole:
        references.read(tmp_path / "journal.jsonl")
    assert whole.value.why == "it is a journal of something else"
