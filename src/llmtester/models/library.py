"""The door to the models of this machine: what is here, what it needs, how to get more."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmtester.domain.errors import ConfigurationError, EnvironmentNotReady, NothingToDo
from llmtester.domain.records import Absent, Buffer, Machine
from llmtester.domain.text import printable
from llmtester.domain.work import ServerSettings
from llmtester.models import catalog as catalogs
from llmtester.models import ledger, pulling
from llmtester.models.calibration import Calibration
from llmtester.models.catalog import Catalog
from llmtester.models.choices import Choice, best_first, recorded_source
from llmtester.models.facts import ModelFacts
from llmtester.models.facts_cache import FactsCache
from llmtester.models.fit import Fit, Verdict, fit, memory_of, verdict_of
from llmtester.models.hub_options import HubOptions
from llmtester.models.ledger import Pulled
from llmtester.models.memory import EMBEDDED, MemoryNeed, Overhead, estimate
from llmtester.models.naming import LocalModel, matching, named, of_catalog
from llmtester.models.progress import OnProgress, silent
from llmtester.models.pulling import Offer
from llmtester.models.removal import discard
from llmtester.models.retry import Stop
from llmtester.models.scan import Unusable, scan_folders
from llmtester.models.spec import parse
from llmtester.models.verification import Verification, verify

__all__ = ["Choice", "LocalModel", "ModelManager", "Offer", "Scan", "Unusable"]


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in the folders: models that can be measured, files that belong to models (projectors, adapters,
    vocabularies, embedding models), and files that cannot be used, each with its error."""

    models: tuple[LocalModel, ...]
    companions: tuple[LocalModel, ...]
    unusable: tuple[Unusable, ...]


class ModelManager:
    """Models of this machine.

    ``folders`` are searched, the first one is where pulls go. ``cache_folder`` holds what can be computed again.
    ``catalog`` is a list, the path of a ``models.yaml``, or ``None`` for the built-in list. ``machine`` tells how much
    memory there is; without it the physical memory counts.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache_folder: Path,
        catalog: Catalog | Path | None = None,
        hub: HubOptions | None = None,
        *,
        machine: Machine | None = None,
        overhead: Overhead = EMBEDDED,
    ) -> None:
        if not folders:
            raise ConfigurationError("no model folder is set", fix="set `models.folders`")
        self.folders = tuple(Path(folder).expanduser() for folder in folders)
        self.cache_folder = cache_folder
        self.catalog = catalog if isinstance(catalog, Catalog) else catalogs.load(catalog)
        self.hub = hub or HubOptions()
        self.overhead = overhead
        self.calibration = Calibration(cache_folder)
        self._machine = machine

    @property
    def memory_bytes(self) -> int:
        """Memory that models may use on this machine, before the share that the system keeps."""
        if self._machine is not None:
            return memory_of(self._machine)
        import psutil

        return int(psutil.virtual_memory().total)

    def scan(self, until_s: float | None = None) -> Scan:
        """Everything in the folders. Facts of unchanged files come from the cache, and from the monotonic time
        ``until_s`` on from there alone."""
        found, unusable = scan_folders(self.folders, FactsCache(self.cache_folder), until_s)
        records = {folder / file.path: record for folder, record in self._records() for file in record.files[:1]}
        models = named(found, records, self.catalog.names_by_file)
        return Scan(
            tuple(model for model in models if model.facts.kind == "model"),
            tuple(model for model in models if model.facts.kind != "model"),
            unusable,
        )

    def info(self, name: str) -> LocalModel:
        """The one local model that ``name`` means.

        Raises ``NothingToDo`` if it means none or several, and the ``ModelError`` of a file that cannot be used.
        """
        scanned = self.scan()
        broken = _unusable(scanned, name)
        if broken is not None:
            raise broken.error
        found = self._meant(scanned, name)
        if len(found) > 1:
            labels = ", ".join(printable(model.ref.label) for model in found[:6])
            first = found[0].ref
            raise NothingToDo(
                f"{printable(name)!r} means {len(found)} models",
                why=labels,
                fix=f"say which: `{printable(first.name)}:{printable(first.quantization)}`, or give a path",
            )
        return found[0]

    def local_names(self, names: Sequence[str], scanned: Scan) -> tuple[str, ...]:
        """``names`` with each name of the catalog replaced by what its files are called on this machine.

        Raises ``NothingToDo`` for a name of the catalog of which nothing is here.
        """
        here = {model.ref.name.lower() for model in scanned.models}
        local: list[str] = []
        for name in names:
            asked = name.partition(":")[0]
            if self.catalog.get(asked) is None or asked.strip().lower() in here:
                local.append(name)
            else:
                refs = [model.ref for model in self._of_catalog(scanned, name)]
                local += [f"{glob.escape(ref.name)}:{ref.quantization}" for ref in refs]
        return tuple(local)

    def need(self, facts: ModelFacts, settings: ServerSettings) -> MemoryNeed | Absent:
        """Memory that a server needs for the model, with what was learned on this machine."""
        ratio = self.calibration.ratio(facts, settings)
        return estimate(facts, settings, overhead=self.overhead, compute_ratio=ratio)

    def learn(self, facts: ModelFacts, settings: ServerSettings, buffers: Sequence[Buffer]) -> None:
        """Corrects later estimates with what a server start of this machine reported."""
        self.calibration.learn(facts, settings, buffers)

    def fit(self, facts: ModelFacts, settings: ServerSettings) -> Fit | Absent:
        """Needs for 2k to 128k context beside the memory of this machine."""
        ratio = self.calibration.ratio(facts, settings)
        return fit(facts, settings, self.memory_bytes, overhead=self.overhead, compute_ratio=ratio)

    def verdict(self, facts: ModelFacts, settings: ServerSettings) -> Verdict | Absent:
        """Whether the model fits with exactly these settings."""
        need = self.need(facts, settings)
        return need if isinstance(need, Absent) else verdict_of(need.on("cpu"), self.memory_bytes)

    def judge(self, wanted: Offer, settings: ServerSettings) -> Verdict | Absent:
        """Whether an offered model will fit, from its header, else from what the catalog knows of it."""
        if wanted.facts is not None:
            return self.verdict(wanted.facts, settings)
        entry = self.catalog.get(wanted.remote.name)
        need = entry.approximate_need_bytes(wanted.remote.quantization, settings) if entry else None
        return Absent("its header was not read") if need is None else verdict_of(need, self.memory_bytes)

    def choices(self, settings: ServerSettings) -> tuple[Choice, ...]:
        """The catalog for this machine, best first: what fits before what is tight, larger models before smaller.

        Of each model the first quantization that fits is offered, else the smallest.
        """
        return best_first(self.catalog.entries, settings, self.scan().models, self.memory_bytes)

    def offers(self, wanted: str, on_progress: OnProgress = silent, *, quants: Sequence[str] = ()) -> tuple[Offer, ...]:
        """What ``wanted`` would bring, before anything large is fetched: one offer for each quantization.

        ``wanted`` is ``starter``, a name of the catalog, ``owner/repository:Q4_K_M``, a file of a repository or an
        address. Raises ``NetworkError``, ``NothingToDo``, ``ConfigurationError``.
        """
        spec = parse(self.catalog.source_of(wanted, quants), tuple(quants))
        stop = Stop()
        remotes = pulling.remote_models(spec, self.hub, stop)
        self._check_pull_folder()
        return tuple(pulling.offer(remote, self.folders, self.hub, stop, on_progress) for remote in remotes)

    def fetch(self, offers: Sequence[Offer], on_progress: OnProgress = silent) -> tuple[LocalModel, ...]:
        """Fetches the offered models, one after the other, parts of a split one side by side."""
        stop = Stop()
        for one in offers:
            pulling.announce(one, on_progress)
            pulling.fetch(one, self.hub, stop, on_progress)
        scanned = self.scan()
        everything = (*scanned.models, *scanned.companions)
        return tuple(self._at(one.paths[0], everything) for one in offers)

    def pull(self, wanted: str, on_progress: OnProgress = silent, *, quants: Sequence[str] = ()) -> LocalModel:
        """Fetches what ``wanted`` means without asking; the first model if ``quants`` names several."""
        return self.fetch(self.offers(wanted, on_progress, quants=quants), on_progress)[0]

    def verify(self, name: str, on_progress: OnProgress = silent) -> Verification:
        """Structure of all parts, and the checksums where the source published them. Reads every byte."""
        model = self.info(name)
        return verify(model, on_progress)

    def remove(self, name: str, *, force: bool = False) -> tuple[Path, ...]:
        """Deletes a model, also one that cannot be used; the paths that are gone.

        Raises ``EnvironmentNotReady`` for a model that llmtester did not fetch, unless ``force`` is set.
        """
        paths = self.paths_of(name)
        discard(paths, self._records(), force=force)
        return paths

    def paths_of(self, name: str) -> tuple[Path, ...]:
        """The files of the model that ``name`` means, whether it can be used or not."""
        scanned = self.scan()
        broken = _unusable(scanned, name)
        return (broken.path,) if broken is not None else self.info(name).paths

    def _check_pull_folder(self) -> None:
        folder = self.folders[0]
        try:
            ledger.own_folder(folder)
        except OSError as error:
            raise EnvironmentNotReady(
                f"the model folder {printable(str(folder))} cannot be written",
                why=error.strerror or "",
                fix="name another folder first in `models.folders`",
            ) from error

    def _meant(self, scanned: Scan, name: str) -> tuple[LocalModel, ...]:
        """The local models that ``name`` means, by what they are called here or in the catalog."""
        try:
            return matching((*scanned.models, *scanned.companions), name)
        except NothingToDo:
            if self.catalog.get(name.partition(":")[0]) is None:
                raise
        return self._of_catalog(scanned, name)

    def _of_catalog(self, scanned: Scan, name: str) -> tuple[LocalModel, ...]:
        """What is here of a name of the catalog, or of that name and a quantization."""
        asked, _, quantization = name.strip().partition(":")
        entry = self.catalog.get(asked)
        found = of_catalog(scanned.models, entry.name, recorded_source(entry), quantization) if entry else ()
        if not found:
            self.catalog.source_of(name)  # whoever asks for what cannot be fetched learns that first
            raise NothingToDo(
                f"{printable(name)} is not on this machine",
                why="the catalog knows it, and it was not fetched yet",
                fix=f"llmtester models pull {printable(name)}",
            )
        return found

    def _records(self) -> list[tuple[Path, Pulled]]:
        return [(folder, record) for folder in self.folders for record in ledger.records(folder)]

    @staticmethod
    def _at(path: Path, models: Sequence[LocalModel]) -> LocalModel:
        for model in models:
            if path in (*model.paths, *model.copies):
                return model
        raise EnvironmentNotReady(
            f"{printable(str(path))} was fetched and is not found again", fix="see `llmtester models list`"
        )


def _unusable(scanned: Scan, name: str) -> Unusable | None:
    """The file without facts that ``name`` means by its path or its file name."""
    path = Path(name).expanduser()
    return next((bad for bad in scanned.unusable if bad.path == path or bad.path.name == name), None)
