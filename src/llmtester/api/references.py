"""References that were measured elsewhere: write one, take one in, use them in a plan."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from platformdirs import user_data_path

from llmtester.analysis.quality.preflight import flags_apart
from llmtester.api.reporting import find_run
from llmtester.domain.errors import EnvironmentNotReady, NothingToDo
from llmtester.domain.ports import Profile, Session
from llmtester.domain.text import printable
from llmtester.domain.work import ServerSettings, Target
from llmtester.settings import Settings
from llmtester.store import journal, references
from llmtester.store.references import Pack


def folder() -> Path:
    """Where imported packs are kept."""
    return user_data_path("llmtester") / "references"


def export_reference(settings: Settings, run: str, path: Path, model: str | None = None) -> int:
    """Write the reference of a run as a pack; how many answers it holds.

    Raises ``NothingToDo`` if the run has no reference, or several and ``model`` names none of them.
    """
    events = journal.read(find_run(settings, run).journal).events
    found = references.candidates(events)
    chosen = [one for one in found if model is None or one.model.name == model]
    if not chosen:
        raise NothingToDo("the run has no reference" + (f" of {model!r}" if model else ""), fix=_FIX)
    if len(chosen) > 1:
        names = ", ".join(printable(one.model.name) for one in chosen)
        raise NothingToDo(f"the run has several references: {names}", fix="name one: --model NAME")
    if path.exists():
        raise EnvironmentNotReady(
            f"{printable(str(path))} exists", why="it is not overwritten", fix="choose another name"
        )
    return references.write(events, chosen[0], path)


_FIX = "llmtester run --profiles quality"


def import_reference(path: Path) -> Pack:
    """Check a pack and keep it for later runs. Raises ``StoreError``."""
    return references.keep(path, folder())


def usable(profiles: dict[str, Profile], server: ServerSettings) -> tuple[tuple[Pack, ...], tuple[str, ...]]:
    """The imported packs that answer what ``profiles`` will ask ``server``, and notes on those that do not."""
    comparing = [profile for profile in profiles.values() if profile.compares and not profile.refuses(server)]
    needed = {load.content for profile in comparing for load in profile.loads(server.context_tok)}
    if not needed:
        return (), ()
    fitting: list[Pack] = []
    notes: list[str] = []
    for pack in references.kept_in(folder()):
        apart = flags_apart(pack.target.settings, server)
        reason = f"is not used: {apart}" if apart else "answered other questions and is not used"
        if apart or not needed <= pack.contents:
            notes.append(f"The imported reference {printable(pack.target.model.label)} {reason}")
        else:
            fitting.append(pack)
    return tuple(fitting), tuple(notes)


def standard_questions() -> str:
    """The file of the standard questions, as JSON."""
    from llmtester.profiles.quality.question_set import STANDARD_FILE

    return STANDARD_FILE.read_text(encoding="utf-8")


def open_pack(target: Target) -> AbstractAsyncContextManager[Session]:
    """The session of a target that is a pack. Raises ``StoreError`` if the pack is gone or damaged."""
    from llmtester.engines.replay import replaying

    pack = references.read(Path(target.model.path))
    return replaying(pack.facts, pack.samples)
