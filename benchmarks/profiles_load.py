"""Batch and stress on a real server: both complete, agree with the server about speed and with the kernel about memory.

The starter model on the embedded engine; fewer documents, and work without a pause is shortened to 90 seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.engines_real import starter_model

LIMIT_RATIO = 0.02
STRESS_S = 90
DOCUMENTS = 12
SHOWN = frozenset(
    {"documents_per_hour", "facts_ratio", "throughput_tok_per_s", "speed_change_ratio", "sustained_ratio"}
)


class _Kernel:
    """Holds every reading of the server's memory against what the kernel says at the same moment."""

    def __init__(self) -> None:
        self.server: int | None = None
        self.worst_ratio = 0.0
        self.compared_count = 0

    def preparing(self, what: str) -> None: ...

    def started(self, folder: object) -> None: ...

    def event(self, event: object) -> None:
        import psutil

        from llmtester.domain.events import Pulse, TargetReady

        if isinstance(event, TargetReady):
            self.server = event.facts.process_id
        if not isinstance(event, Pulse) or event.cell is None or self.server is None:
            return
        told = event.reading.server_rss_bytes
        try:
            ids = [self.server, *(child.pid for child in psutil.Process(self.server).children(recursive=True))]
            texts = [Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="ascii") for process_id in ids]
        except (OSError, psutil.Error):
            return
        lines = [line.split() for text in texts for line in text.splitlines()]
        truth = sum(int(words[1]) * 1024 for words in lines if words[0] == "Rss:")
        if told and truth:
            self.compared_count += 1
            self.worst_ratio = max(self.worst_ratio, abs(told / truth - 1))


def run() -> dict[str, object]:
    """The largest relative disagreement, about speed or memory; not kept as well if anything was not completed."""
    import llmtester
    from llmtester.analysis.summary import Estimate

    kernel, model = _Kernel(), starter_model()
    with tempfile.TemporaryDirectory() as folder:
        overrides = {
            "engine.name": "embedded",
            "models.folders": [str(model.parent)],
            "models.include": ["SmolLM2*"],
            "models.quants": ["Q4_1"],
            "profiles.enabled": ["batch", "stress"],
            "profiles.batch.documents_count": DOCUMENTS,
            "profiles.stress.duration_s": STRESS_S,
            "run.output_dir": folder,
        }
        result = llmtester.run(llmtester.load_settings(overrides=overrides, env={}), observer=kernel)
    speeds = {}
    for cell in result.summary.cells:
        ours, theirs = (cell.metrics[name] for name in ("decode_tok_per_s", "server_decode_tok_per_s"))
        if isinstance(ours, Estimate) and isinstance(theirs, Estimate):
            speeds[f"{cell.profile} {cell.load.name}"] = abs(ours.value / theirs.value - 1)
    complete = all(cell.status == "done" for cell in result.summary.cells) and len(speeds) == len(result.summary.cells)
    stress = result.summary.stress[0] if result.summary.stress else None
    lasted = stress is not None and stress.duration_s >= STRESS_S and isinstance(stress.sustained_tok_per_s, Estimate)
    worst = max([kernel.worst_ratio, *speeds.values()])
    return {
        "name": "profiles_load",
        "promise": f"batch and stress complete; decode within {LIMIT_RATIO:.0%} of the server's, memory of /proc",
        "measured": worst,
        "limit": LIMIT_RATIO,
        "unit": "off",
        "passed": complete and lasted and kernel.compared_count > 0 and worst <= LIMIT_RATIO,
        "decode_deviation_ratio": speeds,
        "memory_deviation_ratio": kernel.worst_ratio,
        "memory_compared_count": kernel.compared_count,
        "meanings": [cell.meaning for cell in result.summary.cells],
        "metrics": {
            f"{cell.profile} {cell.load.name} {name}": metric.value
            for cell in result.summary.cells
            for name, metric in cell.metrics.items()
            if isinstance(metric, Estimate) and name in SHOWN
        },
    }


if __name__ == "__main__":
    measured = run()
    print(json.dumps(measured, indent=2))
    sys.exit(0 if measured["passed"] else 4)
