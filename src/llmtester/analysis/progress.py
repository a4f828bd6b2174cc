"""How far a cell is: done, failed, skipped, or what is missing. The runner and every view ask here, so they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmtester.analysis import summary
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.quality import assess
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate
from llmtester.domain.text import counted

CRASHES_ALLOWED = 1
"""A server that dies is started once more for the same cell; a second death is the model's own fault."""

HOPELESS_TRIALS = 2
"""After this many trials without one usable answer a cell has failed; more of the same tells nothing new."""

UNBEARABLE_TTFT_MS = 30_000
UNBEARABLE_DECODE_TOK_PER_S = 2
"""Three times the limit of attention, and a third of reading speed: poor beyond doubt, whatever the interval."""


@dataclass(frozen=True, slots=True)
class CellStatus:
    word: summary.CellStatus
    reason: str = ""

    @property
    def over(self) -> bool:
        """Nothing more will be measured for this cell."""
        return self.word in {"done", "failed", "skipped"}


def status(state: RunState, cell: CellState, headline: Sequence[str]) -> CellStatus:
    """Where one cell stands. Depends on finished trials only, so a resumed run decides as an undisturbed one does."""
    if cell.skipped is not None:
        return CellStatus("skipped", cell.skipped)
    done = len(cell.trials)
    enough = (assess.decided(state, cell) if cell.cell.load.sequential else precise(cell, headline)) if done else False
    if done >= cell.cell.load.max_trials or (done >= cell.cell.load.min_trials and enough):
        return CellStatus("done")
    too_slow = unbearable(cell)
    if too_slow:
        return CellStatus("done", f"ended after {counted(done, 'trial')}: {too_slow}")
    failure = state.targets[cell.cell.target.key].load_failure
    if failure:
        return CellStatus("failed", failure.message)
    if len(cell.crashes) > CRASHES_ALLOWED:
        return CellStatus("failed", f"the server died {len(cell.crashes)} times: {cell.crashes[-1].message}")
    asked = [sample for trial in cell.trials for sample in trial.samples]
    if done >= HOPELESS_TRIALS and asked and not any(sample.ok for sample in asked):
        first = asked[0]
        return CellStatus("failed", f"no request succeeded: {first.failure_detail}")
    if done:
        return CellStatus("partial", f"{done} of at most {cell.cell.load.max_trials} trials")
    return CellStatus("pending", "not measured yet")


def unbearable(cell: CellState) -> str | None:
    """In words how slow the cell is, if its first trials leave no doubt that it is poor; else ``None``."""
    if len(cell.trials) < HOPELESS_TRIALS or cell.cell.profile == assess.PROFILE:
        return None
    ttft, decode = METRICS["ttft_ms"].of_cell(cell), METRICS["decode_tok_per_s"].of_cell(cell)
    if isinstance(ttft, Estimate) and ttft.value > UNBEARABLE_TTFT_MS:
        return f"{ttft.value / 1e3:.0f} s to the first token"
    if isinstance(decode, Estimate) and decode.value < UNBEARABLE_DECODE_TOK_PER_S:
        return f"{decode.value:.1f} tok/s"
    return None


def precise(cell: CellState, headline: Sequence[str]) -> bool:
    """Whether every headline metric has an interval as narrow as the load asks for."""
    for name in headline:
        measured = METRICS[name].of_cell(cell)
        if not isinstance(measured, Estimate) or measured.low is None or measured.high is None:
            return False
        if (measured.high - measured.low) / 2 > cell.cell.load.precision_ratio * abs(measured.value):
            return False
    return True


def statuses(state: RunState, headlines: Mapping[str, Sequence[str]]) -> dict[str, CellStatus]:
    """The status of every cell by key."""
    return {key: status(state, cell, headlines.get(cell.cell.profile, ())) for key, cell in state.cells.items()}
