"""The race on real servers: a ladder of the starter model, against measuring everything with ten trials a cell.

The order is the same if no pair that either run tells apart stands the other way round in the other one. Besides, where
the time of a quick run goes, with answers as long as a person's run has them. Needs a machine that is quiet for ten
minutes.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

from benchmarks import matrix_rungs as rungs
from llmtester.analysis.summary import Estimate, Summary

TIME_LIMIT, MEASURED_LEAST = 0.5, 0.85


def _speeds(said: Summary) -> dict[str, Estimate]:
    """Writing speed under the short load by quantization, fastest first."""
    models = {target.key: target.model.quantization for target in said.targets}
    speeds = {
        models[cell.target]: speed
        for cell in said.cells
        if cell.load.name == "short" and isinstance(speed := cell.metrics["decode_tok_per_s"], Estimate)
    }
    return dict(sorted(speeds.items(), key=lambda item: -item[1].value))


def _contradictions(one: dict[str, Estimate], other: dict[str, Estimate]) -> list[str]:
    """Pairs that two runs put into opposite orders although one of the runs tells them apart by its intervals."""
    return [
        f"{a} and {b}"
        for a, b in combinations(one, 2)
        if other[a].value < other[b].value and (_apart(one[a], one[b]) or _apart(other[b], other[a]))
    ]


def _apart(faster: Estimate, slower: Estimate) -> bool:
    return faster.low is not None and slower.high is not None and faster.low > slower.high


def run() -> dict[str, object]:
    """Time of the race over that of measuring everything; order and shares of the time beside it."""
    with tempfile.TemporaryDirectory() as name:
        ladder = rungs.write(Path(name) / "models")
        raced, _ = rungs.run(ladder, Path(name) / "race")
        full, _ = rungs.run(
            ladder,
            Path(name) / "full",
            run__exhaustive=True,
            profiles__interactive__min_trials=10,
            profiles__interactive__max_trials=10,
        )
        quick, _ = rungs.run(ladder, Path(name) / "quick", {}, run__quick=True, models__quants=list(rungs.RUNGS))
    ratio = raced.duration_s / full.duration_s
    spent = quick.wall_time_s
    measured_ratio = spent["measured"] / sum(spent.values())
    speeds = {"race": _speeds(raced), "exhaustive": _speeds(full)}
    contradictions = _contradictions(speeds["race"], speeds["exhaustive"])
    return {
        "name": "matrix_ladder",
        "promise": f"same order in {TIME_LIMIT:.0%} of the time; {MEASURED_LEAST:.0%} of a quick run is measuring",
        "measured": ratio,
        "limit": TIME_LIMIT,
        "passed": not contradictions and ratio <= TIME_LIMIT and measured_ratio >= MEASURED_LEAST,
        "contradictions": contradictions,
        "speeds": {name: {quant: asdict(speed) for quant, speed in one.items()} for name, one in speeds.items()},
        "measured_ratio": measured_ratio,
        "quick_run_s": spent,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
