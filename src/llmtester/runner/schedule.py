"""Which cell is measured next. Depends on the state alone, so a resumed run goes on exactly as an undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator

from llmtester.analysis import usable_context
from llmtester.analysis.lens import Lens
from llmtester.analysis.progress import Progress
from llmtester.analysis.state import RunState
from llmtester.domain.work import Cell, Target
from llmtester.runner import pruning
from llmtester.runner.stress_choice import StressChoice


class Schedule:
    """Round by round, target by target: in plan order, and back again in the next round, so that a drift which goes one
    way meets all alike. Within a target the cell with the fewest trials comes next.

    Without a race there is one round, and each target is measured to its end in one server start.
    """

    def __init__(self, state: RunState, lens: Lens) -> None:
        self._state = state
        self._progress = Progress(state, lens)
        self._stress = StressChoice(state, lens, self._progress)

    def next_cell(self, target: Target | None = None) -> Cell | None:
        """The next cell for the running server of ``target``, or of the target that is to be started next.

        ``None`` when that server has done its part of the round, or when all is done.
        """
        held_back = self._stress.held_back()
        left = [cell for cell in self.left() if cell.key not in held_back]
        if not left:
            return None
        rounds = {cell.key: self._progress.round_of(self._state.cells[cell.key]) for cell in left}
        current = min(rounds.values())
        now = [cell for cell in left if rounds[cell.key] == current]
        if target is None:
            target = now[0 if current % 2 == 0 else -1].target
            waiting = [cell for cell in now if cell.target == target]
        else:
            waiting = [cell for cell in now if cell.target == target and not self._needs_another_start(cell)]
        return min(waiting, key=lambda cell: len(self._state.cells[cell.key].trials), default=None)

    def skippable(self) -> Iterator[tuple[str, str]]:
        """Key and reason of each cell that need not be measured any more."""
        yield from pruning.skippable(self._state)
        yield from usable_context.hopeless(self._state)
        yield from self._stress.skippable()

    def left(self) -> list[Cell]:
        """Every cell that is not over, in plan order."""
        return [cell for cell in self._state.plan.cells if not self._over(cell)]

    def _over(self, cell: Cell) -> bool:
        return self._progress.status(self._state.cells[cell.key]).over

    def _needs_another_start(self, cell: Cell) -> bool:
        """Two rounds in one server start would be one block: what a start brings along would count twice."""
        known = self._state.cells[cell.key]
        begins_at = self._progress.begins_round_at(known)
        launch = self._state.targets[cell.target.key].launch
        return any(trial.launch == launch and trial.number < begins_at for trial in known.trials)
