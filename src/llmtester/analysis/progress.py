"""How far a cell is: done, failed, skipped, or what is missing. The runner and every view ask here, so they agree.

A cell ends by itself (precise enough, as many trials as allowed, hopeless, unbearable) or because the race of its
profile is decided for its target (``analysis.racing``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmtester.analysis import endurance, racing, summary, usable_context
from llmtester.analysis.advice_rules import DOUBTFUL_BITS, FORGIVING_PARAMETERS_COUNT
from llmtester.analysis.contenders import bits_of
from llmtester.analysis.lens import Lens
from llmtester.analysis.metrics import METRICS, of_cell
from llmtester.analysis.quality import assess
from llmtester.analysis.racing import Entrant, Rules
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import Estimate, RaceVerdict
from llmtester.domain.events import TargetFailed
from llmtester.domain.records import Absent
from llmtester.domain.text import counted, human_duration
from llmtester.domain.work import Cell

SPEED = "decode_tok_per_s"
"""Decides among equals where a profile measures it, else the first of its deciding metrics does."""

CRASHES_ALLOWED = 1
"""A server that dies is started once more for the same cell; a second death is the model's own fault."""

HOPELESS_TRIALS = 2
"""After this many trials without one usable answer a cell has failed; more of the same tells nothing new."""

CUSTOM = "custom"
"""The profile of the user's own prompts."""

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
        return self.word in ENDED


class Progress:
    """The standing of every cell of a state that may go on changing. Remembers what cannot have changed."""

    def __init__(self, state: RunState, lens: Lens) -> None:
        self._state = state
        self._lens = lens
        self._alone: dict[str, tuple[tuple[object, ...], CellStatus]] = {}
        self._races: dict[tuple[str, str], _Race] = {}
        self._race_of: dict[str, _Race] = {}
        self._seen_plan: object = None
        self._seen_revision = -1

    def status(self, cell: CellState) -> CellStatus:
        """Where one cell stands. Depends on finished trials only, so a resumed run decides as an undisturbed one."""
        alone = self._status_alone(cell)
        if alone.over:
            return alone
        verdict = self.verdict(cell)
        if verdict:
            return CellStatus("done", f"{counted(len(cell.trials), 'trial')}: {verdict.because}")
        ended = self._state.ended
        if ended and ended.outcome == "finished" and cell.trials:
            return CellStatus("done", f"{counted(len(cell.trials), 'trial')}, enough for the limits of that time")
        return alone

    def verdict(self, cell: CellState) -> RaceVerdict | None:
        """What the race of its profile says of the target of this cell; ``None`` while it goes on or without one."""
        self._refresh()
        race = self._race_of.get(cell.cell.key)
        return race.verdicts.get(cell.cell.target.key) if race else None

    def races(self, cell: CellState) -> bool:
        """Whether this cell has rivals, so that its server is visited in rounds."""
        self._refresh()
        race = self._race_of.get(cell.cell.key)
        return race is not None and not race.alone

    def round_of(self, cell: CellState) -> int:
        """In which round of its race the next trial of this cell falls; 0 for a cell that does not race."""
        return sum(len(cell.trials) >= end for end in self._visit_ends(cell)[:-1])

    def begins_round_at(self, cell: CellState) -> int:
        """With which trial number the present round of this cell began."""
        place = self.round_of(cell)
        return self._visit_ends(cell)[place - 1] if place else 0

    def _visit_ends(self, cell: CellState) -> tuple[int, ...]:
        """How many trials the cell has after each visit of its server; without rivals there is one visit."""
        visit, most = self._state.plan.visit_trials, cell.cell.load.max_trials
        return (most,) if visit is None or not self.races(cell) else racing.quotas(visit, most)

    def _looks(self, cell: CellState) -> tuple[int, ...]:
        """After how many trials verdicts may fall: after each visit, and without rivals after every trial."""
        load = cell.cell.load
        return self._visit_ends(cell) if self.races(cell) else tuple(range(load.min_trials, load.max_trials + 1))

    def _status_alone(self, cell: CellState) -> CellStatus:
        failure = self._state.targets[cell.cell.target.key].load_failure
        seen = (len(cell.trials), len(cell.crashes), cell.skipped, failure is None)
        known = self._alone.get(cell.cell.key)
        if known is None or known[0] != seen:
            names = self._lens.headlines.get(cell.cell.profile, ())
            known = self._alone[cell.cell.key] = (seen, status_alone(self._state, cell, names))
        return known[1]

    def _refresh(self) -> None:
        """Lay the races out again for a new plan, and judge those again in which a round was completed."""
        if self._seen_revision == self._state.revision:
            return
        self._seen_revision = self._state.revision
        if self._seen_plan is not self._state.plan:
            self._seen_plan = self._state.plan
            self._lay_out()
        for race in self._races.values():
            self._judge(race)

    def _lay_out(self) -> None:
        self._races, self._race_of = {}, {}
        if self._state.plan.visit_trials is None:
            return
        for cell in self._state.cells.values():
            if self._deciding(cell.cell):
                key = (cell.cell.target.engine, cell.cell.profile)
                self._races.setdefault(key, _Race()).cells.append(cell)
        for race in self._races.values():
            self._race_of |= dict.fromkeys((cell.cell.key for cell in race.cells), race)

    def _deciding(self, cell: Cell) -> tuple[str, ...]:
        """The metrics that a cell races with: those that decide its rating and have limits.

        Nobody races for usable context: how far each target gets is the result. A fixed set of questions is asked to
        its end, because its answers are the result.
        """
        names, load = self._lens.headlines.get(cell.profile, ()), cell.load
        if load.sequential or load.content or load.duration_s is not None or cell.profile == usable_context.PROFILE:
            return ()
        return tuple(name for name in names if name in self._lens.bands)

    def _judge(self, race: _Race) -> None:
        """Ask for verdicts again if a round was completed, or somebody left, since the last time."""
        running: dict[str, list[CellState]] = {}
        gone, closed = set(), set()
        for cell in race.cells:
            running.setdefault(cell.cell.target.key, []).append(cell)
            word = self._status_alone(cell).word
            if word in ENDED and self._has_left(cell):
                gone.add(cell.cell.target.key)
            elif word == "done" and self._is_closed(cell):
                closed.add(cell.cell.key)
        running = {key: cells for key, cells in running.items() if key not in gone}
        if race.signature == (closed, self._whole_rounds(running, race.verdicts), *running):
            return
        race.verdicts = self._verdicts(running)
        race.signature = (closed, self._whole_rounds(running, race.verdicts), *running)

    def _whole_rounds(self, running: Mapping[str, list[CellState]], verdicts: Mapping[str, RaceVerdict]) -> int:
        """How many rounds all who are still in the race have finished."""
        still = [cells for key, cells in running.items() if key not in verdicts]
        return min((self._rounds_done(cells) for cells in still), default=EVERY_ROUND)

    def _verdicts(self, running: Mapping[str, list[CellState]]) -> dict[str, RaceVerdict]:
        cells = [cell for group in running.values() for cell in group]
        if not cells:
            return {}
        names = self._deciding(cells[0].cell)
        loads = {cell.cell.load.name: cell for cell in cells}
        rules = Rules(
            metrics=tuple(METRICS[name].info for name in names),
            speed=SPEED if SPEED in names else names[0],
            bands=self._lens.bands,
            quotas={name: self._looks(cell) for name, cell in loads.items()},
            least={name: cell.cell.load.min_trials for name, cell in loads.items()},
            one_start=not self.races(cells[0]),
            bits_decide=all(cell.profile != assess.PROFILE for cell in self._state.plan.cells),
        )
        return racing.judge([self._entrant(group, names) for group in running.values()], rules)

    def _entrant(self, cells: Sequence[CellState], names: Sequence[str]) -> Entrant:
        """What the race is told of one target."""
        target, model = cells[0].cell.target, cells[0].cell.target.model
        parameters = float(model.parameters_count or model.size_bytes)
        bits = round(bits_of(model), 1)
        return Entrant(
            key=target.key,
            label=model.label,
            parameters_count=parameters,
            bits_per_weight=bits,
            doubtful=0 < bits < DOUBTFUL_BITS and parameters < FORGIVING_PARAMETERS_COUNT,
            logs={(cell.cell.load.name, name): _logs(cell, name) for cell in cells for name in names},
            rounds_count=self._rounds_done(cells),
            closed=frozenset(cell.cell.load.name for cell in cells if self._is_closed(cell)),
        )

    def _has_left(self, cell: CellState) -> bool:
        """Whether the cell will have no (further) trials for a reason of its own, other than having enough."""
        word = self._status_alone(cell).word
        return word in {"failed", "skipped"} or (word == "done" and unbearable(cell) is not None)

    def _is_closed(self, cell: CellState) -> bool:
        """Whether the cell has had enough trials, and not only no more of them."""
        failure = self._state.targets[cell.cell.target.key].load_failure
        return cell.skipped is None and failure is None and self._status_alone(cell).word == "done"

    def _rounds_done(self, cells: Sequence[CellState]) -> int:
        return min(self._cell_rounds_done(cell) for cell in cells)

    def _cell_rounds_done(self, cell: CellState) -> int:
        if self._status_alone(cell).over:
            return EVERY_ROUND
        return sum(len(cell.trials) >= end for end in self._looks(cell))


ENDED = {"done", "failed", "skipped"}
"""Words for a cell of which nothing more will be measured."""

EVERY_ROUND = 1_000
"""More rounds than any race has: what is measured to its end has done all of them."""


@dataclass(slots=True)
class _Race:
    """The cells of one engine and profile that race, what was decided, and in which situation."""

    cells: list[CellState] = field(default_factory=list)
    signature: tuple[object, ...] = ()
    verdicts: dict[str, RaceVerdict] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether one target has nobody to race with; then only its own word is at stake."""
        return len({cell.cell.target.key for cell in self.cells}) < 2


def _logs(cell: CellState, name: str) -> list[float | None]:
    """The logarithm of a metric by trial number."""
    found: list[float | None] = [None] * cell.next_trial
    for trial in cell.trials:
        value = METRICS[name].of_trial(trial.samples)
        if not isinstance(value, Absent) and value > 0:
            found[trial.number] = math.log(value)
    return found


def status_alone(state: RunState, cell: CellState, headline: Sequence[str]) -> CellStatus:
    """Where a cell stands by what was measured of itself."""
    of_continuous = _continuous(cell)
    if of_continuous:
        return of_continuous
    done = len(cell.trials)
    if cell.skipped is not None:
        word: summary.CellStatus = "done" if done >= HOPELESS_TRIALS else "skipped"
        return CellStatus(word, f"ended after {counted(done, 'trial')}: {cell.skipped}" if done else cell.skipped)
    enough = (assess.decided(state, cell) if cell.cell.load.sequential else precise(cell, headline)) if done else False
    if not endurance.is_continuous(cell) and (
        done >= cell.cell.load.max_trials or (done >= cell.cell.load.min_trials and enough)
    ):
        return CellStatus("done")
    too_slow = unbearable(cell)
    if too_slow:
        return CellStatus("done", f"ended after {counted(done, 'trial')}: {too_slow}")
    lost = _lost(cell, state.targets[cell.cell.target.key].load_failure)
    if lost:
        return lost
    if len(cell.crashes) > CRASHES_ALLOWED:
        return CellStatus("failed", f"the server died {len(cell.crashes)} times: {cell.crashes[-1].message}")
    asked = [sample for trial in cell.trials for sample in trial.samples]
    if done >= HOPELESS_TRIALS and asked and not any(sample.ok for sample in asked):
        first = asked[0]
        return CellStatus("failed", f"no request succeeded: {first.failure_detail}")
    return CellStatus("partial", _so_far(cell)) if done else CellStatus("pending", "not measured yet")


def _lost(cell: CellState, failure: TargetFailed | None) -> CellStatus | None:
    """Where a cell stands whose server does not start, or not any more.

    As many trials as its load asks for stand (the finding ``lost_server`` says the rest): the machine could do it then.
    """
    if failure is None:
        return None
    done = len(cell.trials)
    if done >= cell.cell.load.min_trials and any(sample.ok for trial in cell.trials for sample in trial.samples):
        return CellStatus("done", f"{counted(done, 'trial')}, then its server did not start again: {failure.message}")
    return CellStatus("failed", failure.message)


def _continuous(cell: CellState) -> CellStatus | None:
    """The end of work without a pause: time decides, not the number of trials; what ended it early has failed it."""
    cut_short = endurance.ended(cell)
    if cut_short:
        return CellStatus("failed", cut_short)
    return CellStatus("done") if endurance.complete(cell) else None


def _so_far(cell: CellState) -> str:
    load = cell.cell.load
    if load.duration_s is not None:
        return f"{human_duration(endurance.worked_s(cell))} of {human_duration(load.duration_s)}"
    return f"{len(cell.trials)} of at most {load.max_trials} trials"


def unbearable_ttft_ms(profile: str) -> float:
    """From which wait on nothing more is measured: who hands over a long text waits longer than who chats, and who
    brings prompts wants all of them answered."""
    if profile == CUSTOM:
        return math.inf
    return usable_context.LONGEST_WAIT_S * 1e3 if profile == usable_context.PROFILE else UNBEARABLE_TTFT_MS


def unbearable(cell: CellState) -> str | None:
    """In words how slow the cell is, if its first trials leave no doubt that it is poor; else ``None``."""
    if len(cell.trials) < HOPELESS_TRIALS or cell.cell.profile == assess.PROFILE:
        return None
    ttft, decode = of_cell("ttft_ms", cell), of_cell("decode_tok_per_s", cell)
    if isinstance(ttft, Estimate) and ttft.value > unbearable_ttft_ms(cell.cell.profile):
        return f"{ttft.value / 1e3:.0f} s to the first token"
    if isinstance(decode, Estimate) and decode.value < UNBEARABLE_DECODE_TOK_PER_S:
        return f"{decode.value:.1f} tok/s"
    return None


def precise(cell: CellState, headline: Sequence[str]) -> bool:
    """Whether every headline metric has an interval as narrow as the load asks for."""
    for name in headline:
        measured = of_cell(name, cell)
        if not isinstance(measured, Estimate) or measured.low is None or measured.high is None:
            return False
        if (measured.high - measured.low) / 2 > cell.cell.load.precision_ratio * abs(measured.value):
            return False
    return True
