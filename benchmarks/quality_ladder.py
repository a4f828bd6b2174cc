"""The promise: fidelity over HTTP puts quantizations into the order of the full divergence, neighbours proven apart.

On these rungs the formula was corrected (docs/decisions/0050), so they do not judge it: ``quality_ladder_fresh`` does.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import quality_rungs as rungs
from benchmarks.quality_climb import Ladder, run_ladder

RUNGS: tuple[tuple[str, str, rungs.Change], ...] = (
    ("Q8_0", "Q8_0", rungs.unchanged),
    ("Q5_1", "Q5_1", rungs.unchanged),
    ("Q5_0", "Q5_0", rungs.unchanged),
    ("Q4_0", "Q4_0", rungs.unchanged),
    ("three", "Q8_0", rungs.rounded(3)),
    ("two", "Q8_0", rungs.rounded(2)),
)


def run() -> dict[str, object]:
    """Orders the rungs both ways; the largest adjusted p-value between neighbours is what the promise is about."""
    with tempfile.TemporaryDirectory() as name:
        return run_ladder("quality_ladder", Ladder(rungs.starter(), "F16", RUNGS), Path(name))


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
