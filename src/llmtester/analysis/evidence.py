"""What a doubt is based on: the state of one cell and of its server, and the views of them that checks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmtester.analysis.metrics import METRICS
from llmtester.analysis.state import CellState, TargetState
from llmtester.analysis.summary import Measured
from llmtester.domain.records import Absent, Machine, Reading, Sample

TIME_UNITS = frozenset({"ms", "s", "tok/s", "1/h"})
"""Units of metrics that are made of times; rows that are added to the table later belong to them by their unit."""

TIMES = tuple(name for name, metric in METRICS.items() if metric.info.unit in TIME_UNITS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a check looks at. ``headline`` holds the values of the metrics called ``names``, which decide the rating."""

    cell: CellState
    target: TargetState
    headline: tuple[Measured, ...]
    names: tuple[str, ...]
    machine: Machine

    @property
    def samples(self) -> list[Sample]:
        """Those of the measured trials."""
        return [sample for trial in self.cell.trials for sample in trial.samples]

    @property
    def answered(self) -> list[Sample]:
        """Those whose times count."""
        return [sample for sample in self.samples if sample.ok and sample.timed]

    @property
    def fixed_length(self) -> bool:
        """Whether the engine can be made to write on after its own end."""
        return self.target.facts is not None and self.target.facts.capabilities.fixed_length

    @property
    def deciding_times(self) -> tuple[str, ...]:
        """The deciding metrics that are made of times."""
        return tuple(name for name in self.names if name in TIMES)

    def of_trials(self, name: str) -> list[float]:
        """A metric's value in each measured trial that has one, in order."""
        values = (METRICS[name].of_trial(trial.samples) for trial in self.cell.trials)
        return [value for value in values if not isinstance(value, Absent)]

    def badness(self, name: str) -> list[float]:
        """The same so that more is worse, for positive values: a speed is turned into the time that it needs."""
        values = [value for value in self.of_trials(name) if value > 0]
        return [1 / value for value in values] if METRICS[name].info.better == "higher" else values


FEWEST_READINGS = 3
"""Trials of less than a second meet few readings; then those of the whole server have to do."""


def readings_of(evidence: Evidence, name: str) -> list[float]:
    """The values of one field of the readings while this cell was measured, in order, without those that the machine
    does not tell."""
    own, of_server = evidence.cell.watched.readings, evidence.target.readings
    seen: Sequence[Reading] = own if len(own) >= FEWEST_READINGS else of_server
    values: Sequence[float | None] = [getattr(reading, name) for reading in seen]
    return [value for value in values if value is not None]
