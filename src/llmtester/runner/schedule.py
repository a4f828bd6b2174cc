"""Which cell is measured next. Depends on the state alone, so a resumed run goes on exactly as an undisturbed one."""

from __future__ import annotations

from llmtester.analysis import progress
from llmtester.analysis.progress import CellStatus
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import Headlines
from llmtester.domain.work import Cell, Target


class Schedule:
    """Plan order by target, because a start costs more than a trial. Within a target, the cell with the fewest trials
    comes next: blocks in which every load is measured once meet the same drift."""

    def __init__(self, state: RunState, headlines: Headlines) -> None:
        self._state = state
        self._headlines = headlines
        self._over: set[str] = set()

    def next_cell(self, target: Target | None = None) -> Cell | None:
        """The next cell of ``target``, or of the first target that is not finished; ``None`` when all is done."""
        for candidate in [target] if target else self._state.plan.targets:
            waiting = [cell for cell in self._cells_of(candidate) if not self._status(cell).over]
            if waiting:
                return min(waiting, key=lambda cell: len(self._state.cells[cell.key].trials))
        return None

    def _cells_of(self, target: Target) -> list[Cell]:
        return [cell for cell in self._state.plan.cells if cell.target == target and cell.key not in self._over]

    def _status(self, cell: Cell) -> CellStatus:
        status = progress.status(self._state, self._state.cells[cell.key], self._headlines.get(cell.profile, ()))
        if status.over:
            self._over.add(cell.key)
        return status
