"""How many chunks a second the client can take on one core, and whether its memory stays flat over two million."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from benchmarks.engines_null_server import running

REQUESTS, CHUNKS = 100, 20_000
LIMIT_PER_S = 40_000.0
GROWTH_LIMIT_BYTES = 8 << 20
WARM_REQUESTS = 10


async def _flood(url: str) -> None:
    import psutil

    from llmtester.domain.records import Capabilities, SessionFacts
    from llmtester.domain.work import Message, Request
    from llmtester.engines.client import StreamingClient
    from llmtester.engines.http_session import LLAMA, HttpSession
    from llmtester.host.collector import quiet_garbage_collector

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    client = StreamingClient(url, "key")
    session = HttpSession(client, LLAMA, SessionFacts("null", "0", (), 1, 4096, 1, Capabilities()), "0")
    process, early_bytes, wall_s, cpu_s = psutil.Process(), 0, 0.0, 0.0
    for number in range(REQUESTS):
        request = Request(str(number), (Message("user", "hello"),), CHUNKS)
        with quiet_garbage_collector():
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            done = await session.generate(request, lambda at_ns: None)
            wall_s += time.perf_counter() - started_s
            cpu_s += time.process_time() - started_cpu_s
        assert len(done.chunks) == CHUNKS
        if number == WARM_REQUESTS:
            early_bytes = process.memory_info().rss
    await client.aclose()
    sys.stdout.write(json.dumps([wall_s, cpu_s, process.memory_info().rss - early_bytes]))


def run() -> dict[str, object]:
    """Chunks a second, decoding included, over all requests; growth of resident memory between 10 % and the end."""
    with running() as url:
        command = [sys.executable, "-m", "benchmarks.engines_throughput", url]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wall_s, cpu_s, growth_bytes = json.loads(output)
    rate = REQUESTS * CHUNKS / wall_s
    return {
        "name": "client ceiling",
        "promise": f">= {LIMIT_PER_S:,.0f} chunks/s on one core, memory flat over {REQUESTS * CHUNKS:,} chunks",
        "measured": rate,
        "limit": LIMIT_PER_S,
        "unit": "chunks/s",
        "passed": rate >= LIMIT_PER_S and growth_bytes <= GROWTH_LIMIT_BYTES,
        "cpu_us_per_chunk": cpu_s / (REQUESTS * CHUNKS) * 1e6,
        "memory_growth_bytes": growth_bytes,
    }


if __name__ == "__main__":
    if len(sys.argv) == 2:
        import uvloop

        uvloop.run(_flood(sys.argv[1]))
    else:
        print(json.dumps(run(), indent=2))
