"""How good the forecast of a real run over a ladder of the starter model was: speed, memory, time."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import matrix_rungs as rungs
from llmtester.analysis.lens import Lens
from llmtester.analysis.ratings import BANDS
from llmtester.profiles.interactive import InteractiveProfile

SPEED_LIMIT, MEMORY_LIMIT, TIME_LIMIT = 0.15, 0.10, 0.25
LEARNED = 2


def run() -> dict[str, object]:
    """Errors of what was predicted after two rungs, and of the time left that was shown after a quarter."""
    with tempfile.TemporaryDirectory() as name:
        ladder = rungs.write(Path(name) / "models")
        said, folder = rungs.run(ladder, Path(name) / "runs")
        lens = Lens({"interactive": InteractiveProfile.headline}, BANDS)
        expected_s, true_s = rungs.at_quarter(folder, lens)
    rows = [row for row in said.forecast if row.predicted.trials_count >= LEARNED]
    worst = {
        quantity: max((abs(row.error_ratio) for row in rows if row.quantity == quantity), default=float("nan"))
        for quantity in ("decode_tok_per_s", "memory_peak_bytes")
    }
    time_error = abs(expected_s / true_s - 1)
    return {
        "name": "matrix_forecast",
        "promise": "after two rungs speed within 15 % and memory within 10 %; time left at 25 % within 25 %",
        "measured": worst["decode_tok_per_s"],
        "limit": SPEED_LIMIT,
        "passed": (
            worst["decode_tok_per_s"] <= SPEED_LIMIT
            and worst["memory_peak_bytes"] <= MEMORY_LIMIT
            and time_error <= TIME_LIMIT
        ),
        "memory_error_ratio": worst["memory_peak_bytes"],
        "time_left_error_ratio": time_error,
        "rows": [
            [row.target, row.quantity, row.predicted.value, row.measured, row.error_ratio] for row in said.forecast
        ],
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
