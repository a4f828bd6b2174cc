"""Journals cut short and with flipped bits at thousands of places: what is read back is a prefix of the truth.

A journal of a run with a failure and a death in it is damaged, repaired as a resume repairs it, and read again. No
trial may count that was not whole, a copy must be kept where more than the last line is lost, and what cannot be used
at all must say why and what to do.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.worlds import World, fake_plan

from llmtester.analysis.state import RunState
from llmtester.domain.errors import StoreError
from llmtester.domain.events import Event, RunStarted
from llmtester.store import journal
from llmtester.store.journal import Journal

PLACES = 5000
SCRIPTS = ("good?noise=0.05&realtime=0", "bad?fail=oom&realtime=0", "mortal?fail=crash_after:2&realtime=0")


def a_run() -> list[Event]:
    """Every event of a small run in which things go wrong."""
    world = World()
    world.run(fake_plan(*SCRIPTS))
    return world.events


def write(path: Path, events: Sequence[Event]) -> bytes:
    """The content of a journal of ``events``."""
    first = events[0]
    assert isinstance(first, RunStarted)
    with Journal.create(path, first) as book:
        for event in events[1:]:
            book.emit(event)
    return path.read_bytes()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut at a random place, or one bit turned, or both."""
    how = chance.randrange(3)
    spoiled = bytearray(content)
    if how != 0:
        place = chance.randrange(len(spoiled))
        spoiled[place] ^= 1 << chance.randrange(8)
    return bytes(spoiled[: chance.randrange(len(spoiled))] if how != 1 else spoiled)


def problem(path: Path, spoiled: bytes, events: Sequence[Event]) -> str | None:
    """What the repair of a damaged journal did wrong, or ``None``."""
    path.write_bytes(spoiled)
    copies = len(list(path.parent.glob("journal.damaged-*")))
    try:
        book, recorded = Journal.reopen(path)
    except StoreError as refused:
        return None if refused.why and refused.fix else "a refusal without reason or fix"
    with book:
        kept = len(recorded.events)
        if list(recorded.events) != list(events[:kept]):
            return "an event that was never written"
        if path.stat().st_size != recorded.good_bytes:
            return "damage was left in the file"
        torn_only = recorded.damage is None or recorded.damage.torn
        if not torn_only and len(list(path.parent.glob("journal.damaged-*"))) == copies:
            return "damage in the middle was cut off without a copy"
        if kept < len(events):
            book.emit(events[kept])
    again = journal.read(path)
    if list(again.events) != list(events[: min(kept + 1, len(events))]):
        return "the repaired journal cannot be continued"
    whole = RunState(events[: len(again.events)])
    return None if trials(RunState(again.events)) == trials(whole) else "a trial that was not whole counts"


def trials(state: RunState) -> list[int]:
    return [len(cell.trials) for cell in state.cells.values()]


def check(places: int, folder: Path, seed: int = 7) -> list[str]:
    """The problems at that many random places."""
    events = a_run()
    content = write(folder / "journal.jsonl", events)
    chance = random.Random(seed)
    found = []
    for number in range(places):
        said = problem(folder / "journal.jsonl", damaged(content, chance), events)
        if said:
            found.append(said)
        if number % 100 == 0:
            for copy in folder.glob("journal.damaged-*"):
                copy.unlink()
    return found


def run() -> dict[str, object]:
    """How many of the damaged journals were not repaired as promised."""
    with tempfile.TemporaryDirectory() as name:
        found = check(PLACES, Path(name))
    return {
        "name": "matrix_journal",
        "promise": f"{PLACES} journals cut or with flipped bits: no partial trial, a copy, a clear message",
        "measured": len(found),
        "limit": 0,
        "passed": not found,
        "problems": sorted(set(found)),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
