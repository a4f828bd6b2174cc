"""Which configuration works without a pause: one for a run, chosen from what everything else showed. Pure.

Of those that passed, that is whose other results are all rated acceptable or better, the next to last by size: large
enough to be worth a long run, and not the one that the machine can only just hold. Where nobody gave good answers, who
was fast enough passed: whether the machine holds does not depend on them. Where nothing else was asked for, all did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmtester.analysis import ratings
from llmtester.analysis.endurance import is_continuous
from llmtester.analysis.lens import Lens
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.progress import Progress
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import CellSummary, Rating, Summary
from llmtester.domain.text import printable
from llmtester.domain.work import ModelRef

PASSING = frozenset({Rating.EXCELLENT, Rating.GOOD, Rating.ACCEPTABLE})

ABOUT_ANSWERS = frozenset({"accuracy_ratio", "facts_ratio"})
"""Metrics that say something about a model and nothing about the machine."""


class StressChoice:
    """The choice over one state. It asks for ratings once, when everything else is over."""

    def __init__(self, state: RunState, lens: Lens, progress: Progress) -> None:
        self._state = state
        self._lens = lens
        self._progress = progress
        self._passed: tuple[ModelRef, ...] | None = None

    def held_back(self) -> frozenset[str]:
        """Keys of continuous cells that must not be measured now: all until the rest is over, then all but those of
        the choice."""
        cells = self._continuous()
        if not cells:
            return frozenset()
        chosen = self._chosen()
        return frozenset(cell.cell.key for cell in cells if cell.cell.target.model != chosen)

    def skippable(self) -> Iterator[tuple[str, str]]:
        """Key and reason of each continuous cell that will never be measured.

        The others are given up when the chosen one has begun, so that one that cannot be loaded is replaced.
        """
        cells = [cell for cell in self._continuous() if cell.skipped is None and not _begun(cell)]
        if not cells or not self._rest_is_over():
            return
        chosen = self._chosen()
        if chosen is None:
            for cell in cells:
                yield cell.cell.key, "no configuration passed the other profiles, or could be loaded"
        elif any(_begun(cell) for cell in self._continuous() if cell.cell.target.model == chosen):
            reason = f"continuous work was tried with {printable(chosen.label)}, next to last by size of what passed"
            for cell in cells:
                if cell.cell.target.model != chosen:
                    yield cell.cell.key, reason

    def _chosen(self) -> ModelRef | None:
        if not self._rest_is_over():
            return None
        if self._passed is None:
            self._passed = self._who_passed()
        loadable = [model for model in self._passed if self._loads(model)]
        return loadable[-2] if len(loadable) > 1 else next(iter(loadable), None)

    def _who_passed(self) -> tuple[ModelRef, ...]:
        """Models with continuous cells that passed everything else, by size."""
        models = dict.fromkeys(cell.cell.target.model for cell in self._continuous())
        if any(not is_continuous(cell) for cell in self._state.cells.values()):
            summary = summarise(self._state, self._lens)
            passed = _all_pass(summary, lambda cell: cell.rating)
            able = passed & models.keys() or _all_pass(summary, self._speed)
            models = dict.fromkeys(model for model in models if model in able)
        return tuple(sorted(models, key=lambda model: (model.size_bytes, model.label)))

    def _speed(self, cell: CellSummary) -> Rating:
        """The rating without what concerns the answers; not rated where nothing else decides."""
        bands = ratings.bands_for(cell.profile, self._lens.bands)
        names = [name for name in self._lens.headlines.get(cell.profile, ()) if name in bands.keys() - ABOUT_ANSWERS]
        if cell.rating is Rating.FAILED:
            return Rating.FAILED
        if not names:
            return Rating.NOT_RATED
        return ratings.rate_cell(cell.metrics, [METRICS[name].info for name in names], bands)[0]

    def _continuous(self) -> list[CellState]:
        return [cell for cell in self._state.cells.values() if is_continuous(cell)]

    def _rest_is_over(self) -> bool:
        cells = self._state.cells.values()
        return all(is_continuous(cell) or self._progress.status(cell).over for cell in cells)

    def _loads(self, model: ModelRef) -> bool:
        cells = [cell for cell in self._continuous() if cell.cell.target.model == model]
        return any(self._state.target_of(cell.cell.key).load_failure is None for cell in cells)


def _all_pass(summary: Summary, rating_of: Callable[[CellSummary], Rating]) -> set[ModelRef]:
    """Models of which something was rated, and everything that was rated passed."""
    of_target = {target.key: target.model for target in summary.targets}
    given: dict[ModelRef, list[Rating]] = {}
    for cell in summary.cells:
        rating = rating_of(cell)
        if cell.load.duration_s is None and rating is not Rating.NOT_RATED:
            given.setdefault(of_target[cell.target], []).append(rating)
    return {model for model, found in given.items() if PASSING.issuperset(found)}


def _begun(cell: CellState) -> bool:
    return bool(cell.trials or cell.warmups or cell.crashes)
