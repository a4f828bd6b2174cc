"""The race on real servers: a ladder of the starter model, against measuring everything with ten trials a cell.

Besides, where the time of a quick run goes. Needs a machine that is quiet for about five minutes.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import matrix_rungs as rungs
from llmtester.analysis.summary import Estimate, Summary

TIME_LIMIT, MEASURED_LEAST = 0.5, 0.85


def _order(said: Summary) -> list[str]:
    """Quantizations by writing speed under the short load, fastest first."""
    speeds = {}
    models = {target.key: target.model.quantization for target in said.targets}
    for cell in said.cells:
        speed = cell.metrics["decode_tok_per_s"]
        if cell.load.name == "short" and isinstance(speed, Estimate):
            speeds[models[cell.target]] = speed.value
    return sorted(speeds, key=lambda name: -speeds[name])


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
        quick, _ = rungs.run(ladder, Path(name) / "quick", run__quick=True, models__quants=list(rungs.RUNGS))
    ratio = raced.duration_s / full.duration_s
    spent = quick.wall_time_s
    measured_ratio = spent["measured"] / sum(spent.values())
    same_order = _order(raced) == _order(full)
    return {
        "name": "matrix_ladder",
        "promise": f"same order in {TIME_LIMIT:.0%} of the time; {MEASURED_LEAST:.0%} of a quick run is measuring",
        "measured": ratio,
        "limit": TIME_LIMIT,
        "passed": same_order and ratio <= TIME_LIMIT and measured_ratio >= MEASURED_LEAST,
        "same_order": same_order,
        "orders": {"race": _order(raced), "exhaustive": _order(full)},
        "measured_ratio": measured_ratio,
        "quick_run_s": spent,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
