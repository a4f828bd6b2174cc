"""What lies between the server's own prompt time and the first token as the client sees it, with one stream."""

from __future__ import annotations

import json
import statistics

from benchmarks.engines_real import real_session

REQUESTS = 40
LIMIT_MS = 3.0


async def _overheads_ms() -> list[float]:
    from llmtester.domain.work import Message, Request

    found = []
    async with real_session() as session:
        for number in range(REQUESTS + 2):
            request = Request(str(number), (Message("user", f"{number} tell me of the river"),), 8)
            done = await session.generate(request, lambda at_ns: None)
            assert done.server is not None
            assert done.server.prompt_ms is not None
            found.append((done.chunks[0].at_ns - done.sent_ns) / 1e6 - done.server.prompt_ms)
    return found[2:]


def run() -> dict[str, object]:
    """Median milliseconds of queue, HTTP, template and client before the first token."""
    import uvloop

    overheads_ms = uvloop.run(_overheads_ms())
    median_ms = statistics.median(overheads_ms)
    return {
        "name": "first-token overhead",
        "promise": f"TTFT less the server's prompt time < {LIMIT_MS:g} ms (median, one stream)",
        "measured": median_ms,
        "limit": LIMIT_MS,
        "unit": "ms",
        "passed": median_ms < LIMIT_MS,
        "largest_ms": max(overheads_ms),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
