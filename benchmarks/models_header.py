"""How fast a GGUF header becomes facts, against ``gguf.GGUFReader`` in the same run.

``python -m benchmarks.models_header``. The starter model comes from ``LLMTESTER_STARTER_MODEL`` or the package index;
the file with 262,144 tokens is generated. Both readers alternate; ours is the median of several rounds, the reference
the best of two.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.models_files import starter_model, write_vocabulary_model
from llmtester.models.facts import facts_of
from llmtester.models.gguf import read_header

ROUNDS = 7
LEAST_SPEEDUP_RATIO = 50.0
LIMITS_MS = {"starter, 49k tokens": 60.0, "generated, 262k tokens": 250.0}


def run() -> dict[str, object]:
    """The smaller of the two speed-ups, with all times in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        large = write_vocabulary_model(Path(folder) / "large.gguf", vocabulary_count=262_144, merges_count=0)
        files = dict(zip(LIMITS_MS, (starter_model(), large), strict=True))
        figures = {name: _figures(path) for name, path in files.items()}
    speedup = min(reference_ms / ours_ms for ours_ms, reference_ms in figures.values())
    in_time = all(figures[name][0] <= limit for name, limit in LIMITS_MS.items())
    return {
        "name": "models_header",
        "promise": "facts >= 50 x as fast as gguf.GGUFReader; 49k tokens <= 60 ms, 262k tokens <= 250 ms",
        "measured": speedup,
        "limit": LEAST_SPEEDUP_RATIO,
        "unit": "x",
        "passed": speedup >= LEAST_SPEEDUP_RATIO and in_time,
        "ours_ms": {name: ours for name, (ours, _) in figures.items()},
        "reference_ms": {name: reference for name, (_, reference) in figures.items()},
    }


def _figures(path: Path) -> tuple[float, float]:
    """Milliseconds of our reader and of the reference."""
    from gguf import GGUFReader

    ours, reference = [], []
    for turn in range(ROUNDS):
        ours.append(_milliseconds(lambda: facts_of([read_header(path)], path.name)))
        if turn < 2:
            reference.append(_milliseconds(lambda: GGUFReader(str(path))))
    return statistics.median(ours), min(reference)


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    """Prints times and ratios."""
    result = run()
    print(f"ours      {result['ours_ms']}\nreference {result['reference_ms']}")
    print(f"{'PASS' if result['passed'] else 'FAIL'}: {result['measured']:.0f} x; {result['promise']}")


if __name__ == "__main__":
    main()
