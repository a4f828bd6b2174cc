"""What watching costs, and whether what it says of memory is true: beside a real server that works.

The sensors run once a second as in a real run. Their cost is the processor time of this process. The kernel's own sum
over the same processes (``smaps_rollup``, which the sensors do not read) is the truth for memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.engines_real import real_session

READINGS = 40
LIMIT_CORE_RATIO = 0.005
LIMIT_MEMORY_RATIO = 0.02


def _rolled_up(process_ids: list[int], name: str) -> int:
    texts = [Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="ascii") for process_id in process_ids]
    lines = [line.split() for text in texts for line in text.splitlines()]
    return sum(int(words[1]) * 1024 for words in lines if words[0] == f"{name}:")


async def _watch() -> tuple[float, dict[str, float]]:
    """Processor seconds a reading, and the largest deviation of each kind of memory."""
    import psutil

    from llmtester.domain.work import Message, Request
    from llmtester.host.canary import LoopCanary
    from llmtester.host.telemetry import SystemSensors

    spent_s, errors = 0.0, {"Rss": 0.0, "Anonymous": 0.0, "Pss": 0.0}
    async with real_session() as session, LoopCanary() as canary:
        server = session.facts.process_id
        assert server is not None
        sensors = SystemSensors(canary)
        sensors.read(server)

        async def work() -> None:
            number = 0
            while True:
                number += 1
                message = Message("user", f"{number} tell me of the river")
                await session.generate(Request(str(number), (message,), 128), lambda at_ns: None)

        working = asyncio.create_task(work())
        for _ in range(READINGS):
            await asyncio.sleep(1.0)
            begun_s = time.process_time()
            reading = sensors.read(server)
            spent_s += time.process_time() - begun_s
            ids = [server, *(child.pid for child in psutil.Process(server).children(recursive=True))]
            seen = {
                "Rss": reading.server_rss_bytes,
                "Anonymous": reading.server_anonymous_bytes,
                "Pss": reading.server_proportional_bytes,
            }
            for name, value in seen.items():
                truth = _rolled_up(ids, name)
                errors[name] = max(errors[name], abs((value or 0) / truth - 1))
        working.cancel()
    return spent_s / READINGS, errors


def run() -> dict[str, object]:
    """Share of one core that a reading a second takes, and the worst deviation of memory from the kernel's sums."""
    import uvloop

    cost_s, errors = uvloop.run(_watch())
    return {
        "name": "host_telemetry",
        "promise": f"costs < {LIMIT_CORE_RATIO:.1%} of a core; memory within {LIMIT_MEMORY_RATIO:.0%} of /proc",
        "measured": cost_s,
        "limit": LIMIT_CORE_RATIO,
        "unit": "of a core",
        "passed": cost_s < LIMIT_CORE_RATIO and max(errors.values()) <= LIMIT_MEMORY_RATIO,
        "worst_deviation_ratio": errors,
    }


if __name__ == "__main__":
    measured = run()
    print(json.dumps(measured, indent=2))
    sys.exit(0 if measured["passed"] else 4)
