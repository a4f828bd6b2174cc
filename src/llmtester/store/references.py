"""Reference packs: the answers of one reference, cut out of a journal, to be compared with on another machine.

A pack is a journal of its own with one target and the cells of one profile, so whatever reads journals reads packs.
Settings are left out: they may hold paths of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmtester.domain.errors import NothingToDo, StoreError
from llmtester.domain.events import Event, RunStarted, SampleTaken, TargetReady, TrialEnded, TrialStarted
from llmtester.domain.records import Sample, SessionFacts
from llmtester.domain.work import Plan, Target, digest
from llmtester.store import journal
from llmtester.store.journal import Journal

PROFILE = "quality"
SUFFIX = ".reference.jsonl"
ENGINE = "reference-pack"
"""The engine of a target that is a pack; nothing is started for it."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A stored reference: what it was, the sets that it answered, and its answers by request id."""

    path: Path
    target: Target
    facts: SessionFacts
    contents: frozenset[str]
    samples: dict[str, Sample]


def candidates(events: Sequence[Event]) -> tuple[Target, ...]:
    """The targets of a run that were nobody's candidate: its references, in plan order."""
    cells = [cell for cell in _started(events).plan.cells if cell.profile == PROFILE and cell.reference is None]
    return tuple(dict.fromkeys(cell.target for cell in cells))


def _started(events: Sequence[Event]) -> RunStarted:
    return next(event for event in events if isinstance(event, RunStarted))


def write(events: Sequence[Event], target: Target, path: Path) -> int:
    """Write the finished trials of ``target`` as a pack; how many samples it holds.

    Raises ``NothingToDo`` if the target finished none, ``EnvironmentNotReady`` if the file cannot be made.
    """
    first = _started(events)
    cells = tuple(cell for cell in first.plan.cells if cell.target == target and cell.profile == PROFILE)
    keys = {cell.key for cell in cells}
    ended = {(one.cell, one.trial) for one in events if isinstance(one, TrialEnded) and one.cell in keys}
    if not ended:
        raise NothingToDo(
            f"the run holds no finished answers of {target.model.label}",
            fix="llmtester run --profiles quality",
        )
    unpathed = replace(target, model=replace(target.model, path=target.model.fingerprint))
    moved = {cell.key: replace(cell, target=unpathed) for cell in cells}
    plan = Plan(tuple(moved.values()), seed=first.plan.seed)
    kept: list[Event] = []
    for event in events:
        if isinstance(event, TargetReady) and event.target == target.key:
            kept.append(replace(event, target=unpathed.key, facts=replace(event.facts, command=())))
        elif isinstance(event, (TrialStarted, SampleTaken, TrialEnded)) and (event.cell, event.trial) in ended:
            kept.append(replace(event, cell=moved[event.cell].key))
    with Journal.create(path, replace(first, plan=plan, settings={})) as book:
        for event in kept:
            book.emit(event)
    return sum(isinstance(event, SampleTaken) for event in kept)


def read(path: Path) -> Pack:
    """The pack in a file. Raises ``StoreError`` for anything else, also for a pack that was cut short."""
    if not path.is_file():
        raise StoreError(
            f"there is no reference pack {path}", fix="write one: llmtester quality reference export latest FILE"
        )
    recorded = journal.read(path)
    first = recorded.events[0]
    facts = next((one.facts for one in recorded.events if isinstance(one, TargetReady)), None)
    if recorded.damage or facts is None or not isinstance(first, RunStarted) or not _only_answers(first):
        raise StoreError(
            f"{path.name} is no whole reference pack",
            why=recorded.damage.reason if recorded.damage else "it is a journal of something else",
            fix="export it again: llmtester quality reference export latest FILE",
        )
    target = replace(first.plan.targets[0], engine=ENGINE)
    target = replace(target, model=replace(target.model, path=str(path)))
    samples = {one.sample.request_id: one.sample for one in recorded.events if isinstance(one, SampleTaken)}
    contents = frozenset(cell.load.content for cell in first.plan.cells)
    return Pack(path, target, facts, contents, samples)


def _only_answers(first: RunStarted) -> bool:
    """One target, one profile, no settings: a pack and no journal of a run."""
    plan = first.plan
    return len(plan.targets) == 1 and {cell.profile for cell in plan.cells} == {PROFILE} and not first.settings


def keep(path: Path, folder: Path) -> Pack:
    """Check a pack and copy it into ``folder``; the copy. A pack of the same answers is replaced."""
    pack = read(path)
    folder.mkdir(parents=True, exist_ok=True)
    identity = digest([pack.target.model.fingerprint, pack.facts.build, sorted(pack.contents)])
    kept = folder / f"{identity}{SUFFIX}"
    unfinished = kept.with_name(f".{kept.name}")
    unfinished.write_bytes(path.read_bytes())
    unfinished.replace(kept)
    return read(kept)


def kept_in(folder: Path) -> tuple[Pack, ...]:
    """Every readable pack of a folder; others are left alone and out."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        try:
            found.append(read(path))
        except StoreError:
            continue
    return tuple(found)
