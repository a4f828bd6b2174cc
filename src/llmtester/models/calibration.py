"""What the engine's log said about its compute buffer on this machine, kept for the next estimate.

The ratio of the real to the modelled buffer depends on the architecture, the micro batch, the attention and the
engine's build, and hardly on the context. The last value for each is kept, as llama.cpp changes from build to build.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from llmtester.domain.records import Buffer
from llmtester.domain.work import ServerSettings
from llmtester.models.facts import ModelFacts
from llmtester.models.memory import compute_bytes

FILE_NAME = "compute-buffers.json"
PLAUSIBLE = (0.1, 10.0)
"""A ratio outside is no correction but a misread log."""


class Calibration:
    """Corrections for compute buffers. A file that cannot be read or written only means a rougher estimate."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._ratios: dict[str, float] = {}
        try:
            loaded = json.loads(self._path.read_text(encoding="utf-8"))
            low, high = PLAUSIBLE
            self._ratios = {str(key): float(ratio) for key, ratio in loaded.items() if low <= float(ratio) <= high}
        except (OSError, ValueError, TypeError, AttributeError):
            self._ratios = {}

    def ratio(self, facts: ModelFacts, settings: ServerSettings) -> float:
        """Learned for the same conditions, else for the architecture, else 1."""
        return self._ratios.get(_key(facts, settings), self._ratios.get(str(facts.architecture), 1.0))

    def learn(self, facts: ModelFacts, settings: ServerSettings, buffers: Iterable[Buffer]) -> float | None:
        """Keeps what the engine reported for a start; the new ratio, or ``None`` if nothing could be learned.

        ``buffers`` are those of ``SessionFacts``; the ones for ``compute`` and ``output`` count.
        """
        seen = sum(buffer.size_bytes for buffer in buffers if buffer.purpose in ("compute", "output"))
        modelled = compute_bytes(facts, settings)
        low, high = PLAUSIBLE
        if not seen or not modelled or not low <= seen / modelled <= high:
            return None
        ratio = seen / modelled
        self._ratios[_key(facts, settings)] = self._ratios[str(facts.architecture)] = ratio
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(self._ratios, indent=1), encoding="utf-8")
            fresh.replace(self._path)
        except OSError:
            return ratio
        return ratio


def _key(facts: ModelFacts, settings: ServerSettings) -> str:
    return f"{facts.architecture} {settings.micro_batch_tok} {settings.flash_attention} {settings.gpu_layers or 0}"
