"""The catalog as a person chooses from it on this machine: what fits first, each model as it is best here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmtester.domain.records import Absent
from llmtester.domain.work import ServerSettings
from llmtester.models.catalog import STARTER_SOURCE, CatalogEntry
from llmtester.models.fit import Verdict, verdict_of
from llmtester.models.naming import LocalModel, of_catalog
from llmtester.models.pulling import INDEX_SOURCE


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list that a person chooses from: a model of the catalog at its best quantization for here."""

    entry: CatalogEntry
    quantization: str
    size_bytes: int | None
    need_bytes: int | None
    verdict: Verdict | Absent
    here: bool

    @property
    def spec(self) -> str:
        """What ``pull`` takes."""
        return STARTER_SOURCE if self.entry.source == STARTER_SOURCE else f"{self.entry.name}:{self.quantization}"


_RANK = {"fits": 0, "tight": 1, "does not fit": 3}
_UNKNOWN_RANK = 2


def best_first(
    entries: Sequence[CatalogEntry], settings: ServerSettings, local: Sequence[LocalModel], memory_bytes: int
) -> tuple[Choice, ...]:
    """A choice for each entry: what fits before what is tight, larger models before smaller."""

    def order(line: Choice) -> tuple[int, int]:
        rank = _RANK[line.verdict] if isinstance(line.verdict, str) else _UNKNOWN_RANK
        return rank, -(line.entry.parameters_count or 0)

    return tuple(sorted((_choice(entry, settings, local, memory_bytes) for entry in entries), key=order))


def _choice(entry: CatalogEntry, settings: ServerSettings, local: Sequence[LocalModel], memory_bytes: int) -> Choice:
    """The first quantization of an entry that fits, else the smallest."""
    options = []
    for quantization in entry.quants:
        need = entry.approximate_need_bytes(quantization, settings)
        options.append((quantization, need, verdict_of(need, memory_bytes) if need is not None else None))
    best = next((option for option in options if option[2] == "fits"), None)
    best = best or min(options, key=lambda option: option[1] if option[1] is not None else 0)
    quantization, need, verdict = best
    here = bool(of_catalog(local, entry.name, recorded_source(entry), quantization))
    known = verdict or Absent("the catalog does not say how large it is")
    return Choice(entry, quantization, entry.approximate_bytes(quantization), need, known, here)


def recorded_source(entry: CatalogEntry) -> str:
    """How the record of a pull names the source of an entry."""
    return INDEX_SOURCE if entry.source == STARTER_SOURCE else entry.source
