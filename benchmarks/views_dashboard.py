"""What the dashboard costs the machine that measures: catching up with a very large journal, and one frame a second.

2,000 cells with 100,000 samples are folded in a process of its own, so that its memory can be told.
``python -m benchmarks.views_dashboard``
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO

from rich.console import Console
from tests.views.journals import SECOND, reading, sample, targets
from tests.views.summaries import MACHINE

from llmtester.domain import events
from llmtester.domain.records import Instant
from llmtester.domain.work import Cell, Load, Plan
from llmtester.views.board import Board
from llmtester.views.dashboard import FRAME_S, frame
from llmtester.views.screen import screen

CELLS, TRIALS, SAMPLES_PER_TRIAL = 2000, 5, 10
CORE_RATIO_LIMIT = 0.03
REBUILD_LIMIT_S = 6.0
MEMORY_LIMIT_BYTES = 500_000_000
FRAMES = 40


def _journal() -> Iterator[events.Event]:
    load = Load("chat", 512, 32)
    cells = tuple(Cell(target, "interactive", load) for target in targets(CELLS // 10, 10))
    now = SECOND
    yield events.RunStarted(now, Instant(now, 0), "run", Plan(cells, expected_s=36_000.0), MACHINE, {}, "0")
    for cell in cells:
        for trial in range(TRIALS):
            yield events.TrialStarted(now, cell.key, trial)
            for place in range(SAMPLES_PER_TRIAL):
                now += SECOND
                yield events.Pulse(now, cell.key, place * 30, reading(now, place))
                yield events.SampleTaken(now, cell.key, trial, sample(now, 0.2, 30.0 + place / 10, tok=32))
            yield events.TrialEnded(now, cell.key, trial)
    yield events.TrialStarted(now, cells[-1].key, TRIALS)


def _measured() -> dict[str, float]:
    """Runs in the child: seconds of CPU to fold everything without making the events, and per frame; peak memory."""
    board = Board()
    rebuild_s = 0.0
    for event in _journal():
        started = time.process_time()
        board.apply(event)
        rebuild_s += time.process_time() - started
    started = time.process_time()
    screen(board, 80, 24)  # the first look judges every cell; the ones after it only what changed
    rebuild_s += time.process_time() - started
    frame_s = {}
    for width, height in ((80, 24), (200, 60)):
        console = Console(file=StringIO(), width=width, height=height, force_terminal=True, color_system="truecolor")
        started = time.process_time()
        for _ in range(FRAMES):
            console.print(frame(board, console))
        frame_s[width] = (time.process_time() - started) / FRAMES
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"rebuild_s": rebuild_s, "frame_80_s": frame_s[80], "frame_200_s": frame_s[200], "peak_bytes": peak_bytes}


def run() -> dict[str, object]:
    """The share of a core that a wide dashboard over 2,000 cells takes; rebuild time and memory beside it."""
    command = [sys.executable, "-m", "benchmarks.views_dashboard", "--child"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    ratio = max(found["frame_80_s"], found["frame_200_s"]) / FRAME_S
    return {
        "name": "dashboard",
        "promise": "2,000 cells, 100,000 samples: 3 % of a core; caught up in 6 s and 500 MB",
        "measured": ratio,
        "limit": CORE_RATIO_LIMIT,
        "unit": "of a core",
        "passed": (
            ratio < CORE_RATIO_LIMIT
            and found["rebuild_s"] < REBUILD_LIMIT_S
            and found["peak_bytes"] < MEMORY_LIMIT_BYTES
        ),
        **found,
    }


if __name__ == "__main__":
    print(json.dumps(_measured() if "--child" in sys.argv else run(), indent=2))
