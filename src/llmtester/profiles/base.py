"""The base of every profile: who it is, which loads it measures, what it asks and how it grades."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from llmtester.domain.ports import Bench
from llmtester.domain.records import Completion, Grade
from llmtester.domain.work import Load, Request, ServerSettings


class BaseProfile(ABC):
    """Implements ``domain.ports.Profile``. Constructed as ``SomeProfile(options, quick=...)``.

    ``options`` is the profile's own frozen dataclass or ``None`` for its defaults; ``quick`` lowers the number of
    trials and never changes what is asked. ``headline`` names the metrics that decide the rating, and whose spread
    decides when a cell has been measured well enough.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    headline: ClassVar[tuple[str, ...]]
    compares: ClassVar[bool] = False
    reference_loads: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """The loads that fit a model trained for ``context_tok`` tokens (``None``: unknown, so all of them)."""

    @abstractmethod
    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """The requests of one trial: equal arguments and tokenizer give equal requests, and no two trials share a
        prompt. Raises ``NotMeasurable`` if this server cannot be asked, and what ``bench.count_tokens`` raises."""

    def refuses(self, server: ServerSettings) -> str | None:
        """In words why nothing sound can be measured on servers started like this, and what to do; else ``None``."""
        return None

    def grade(self, request: Request, completion: Completion) -> Grade | None:
        """``None``: this profile measures speed and has no right or wrong answer."""
        return None
