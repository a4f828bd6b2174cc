"""The promise: each faulty engine is found by the name of its fault, and sound ones raise no finding.

Whole runs of the real runner on fake engines in virtual time. A fault is missed if its own finding is not raised; a
sound run counts if it raises any finding at all.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

from tests.worlds import LENS, World, fake_plan

from llmtester.analysis.summarise import summarise
from llmtester.domain.work import Load

FAULTY_RUNS_COUNT, CLEAN_RUNS_COUNT = 40, 200
CLEAN_LIMIT = 2
FOUND_RATIO = 0.95
LOAD = Load("short", prompt_tok=128, output_tok=64, min_trials=5, max_trials=10)
CLEAN = "m?prefill_tok_per_s=1000&decode_tok_per_s=20&noise=0.01&jitter=0.05&realtime=0&seed="

FAULTS: dict[str, tuple[str, str]] = {
    "leaks 1 MB a request": ("leak_mb=1", "memory_growth"),
    "slows down by 8 % over the run": ("drift_ratio=0.1&drift_requests=5", "slowing_down"),
    "stalls for 3 s once": ("stall_s=3", "stalls"),
    "answers with loops": ("loops=1", "degenerate_output"),
    "stops early": ("stop_early=0.5", "early_end"),
    "hides a cache": ("hidden=1000", "hidden_cache"),
    "tells of a cache": ("cached=100", "cached_prompt"),
    "fails once": ("fail=error_event:3", "failed_requests"),
}
"""What the engine does, its script, and the code of the finding. The warm-up takes the first fifth of the drift."""


def codes(script: str) -> set[str]:
    """The findings of one whole run."""
    state, _ = World().run(fake_plan(script, loads=(LOAD,)))
    return {finding.code for finding in summarise(state, LENS).findings}


def run() -> dict[str, object]:
    """The share of faulty runs that were found by name, lowest over the faults, with the sound ones."""
    found = {
        fault: sum(code in codes(f"{CLEAN}{seed}&{script}") for seed in range(FAULTY_RUNS_COUNT)) / FAULTY_RUNS_COUNT
        for fault, (script, code) in FAULTS.items()
    }
    raised = Counter(tuple(sorted(codes(f"{CLEAN}{seed}"))) for seed in range(CLEAN_RUNS_COUNT))
    doubted = CLEAN_RUNS_COUNT - raised[()]
    lowest = min(found.values())
    return {
        "name": "statistics_findings",
        "promise": "each faulty engine is found by name; of 200 sound runs at most 2 raise a finding",
        "measured": lowest,
        "limit": FOUND_RATIO,
        "unit": "found",
        "passed": lowest >= FOUND_RATIO and doubted <= CLEAN_LIMIT,
        "found_ratio": found,
        "sound_runs_doubted": doubted,
        "sound_runs_raised": {" ".join(names): count for names, count in raised.items() if names},
    }


if __name__ == "__main__":
    measured = run()
    print(json.dumps(measured, indent=2))
    sys.exit(0 if measured["passed"] else 4)
