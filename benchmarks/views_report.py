"""How long the HTML report takes and how large it is, for an evening (60 cells) and for a very large run (1,000).

The first render pays for importing Jinja and compressing the charts' library. ``python -m benchmarks.views_report``
"""

from __future__ import annotations

import json
import time

from tests.views.summaries import summary

from llmtester.views.exporters import exporter

LIMIT_S, LIMIT_BYTES = 1.5, 2_600_000
LARGE_LIMIT_S, LARGE_LIMIT_BYTES = 8.0, 6_000_000


def _rendered(models: int, quants: int, loads: int) -> tuple[float, int]:
    said = summary(models, quants, loads)
    started = time.perf_counter()
    page = exporter("html").render(said)
    return time.perf_counter() - started, len(page)


def run() -> dict[str, object]:
    """Seconds for 60 cells, the first page of this process; the other three figures beside it."""
    seconds, size_bytes = _rendered(5, 4, 3)
    large_s, large_bytes = _rendered(25, 10, 4)
    return {
        "name": "report page",
        "promise": (
            f"60 cells in {LIMIT_S} s and {LIMIT_BYTES / 1e6} MB, 1,000 in {LARGE_LIMIT_S:g} s and "
            f"{LARGE_LIMIT_BYTES / 1e6:g} MB"
        ),
        "measured": seconds,
        "limit": LIMIT_S,
        "unit": "s",
        "passed": (
            seconds < LIMIT_S
            and size_bytes < LIMIT_BYTES
            and large_s < LARGE_LIMIT_S
            and large_bytes < LARGE_LIMIT_BYTES
        ),
        "size_bytes": size_bytes,
        "large_s": large_s,
        "large_bytes": large_bytes,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
