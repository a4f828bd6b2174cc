"""What the streaming client costs: CPU for each chunk with everything on, beside plain httpx in the same run.

Four streams of 200 chunks a second from a null server. "Everything": parser, stamps, decoding, sample, journal, loop
canary. The variants take turns, each in a fresh process.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.engines_null_server import running

STREAMS, RATE, CHUNKS = 4, 200, 800
ROUNDS = 3
LIMIT_US = 30.0
LIMIT_RATIO = 0.25


async def _ours(url: str) -> None:
    from llmtester.domain.events import RunStarted, SampleTaken
    from llmtester.domain.records import Capabilities, SessionFacts
    from llmtester.domain.work import Message, Plan, Request
    from llmtester.engines.client import StreamingClient
    from llmtester.engines.http_session import LLAMA, HttpSession
    from llmtester.host.canary import LoopCanary
    from llmtester.host.clock import SystemClock
    from llmtester.host.collector import quiet_garbage_collector
    from llmtester.host.machine import read_machine
    from llmtester.profiles.interactive import InteractiveProfile
    from llmtester.runner.trial import sample_of
    from llmtester.store.journal import Journal

    clock, profile = SystemClock(), InteractiveProfile()
    client = StreamingClient(url, "key")
    session = HttpSession(client, LLAMA, SessionFacts("null", "0", (), 1, 4096, 4, Capabilities()), str(RATE))
    with tempfile.TemporaryDirectory() as folder:
        first = RunStarted(clock.now_ns(), clock.instant(), "bench", Plan(()), read_machine(), {}, "0")
        with Journal.create(Path(folder) / "journal.jsonl", first) as journal:

            async def one(number: int) -> None:
                request = Request(str(number), (Message("user", "hello"),), CHUNKS)
                done = await session.generate(request, lambda at_ns: None)
                assert len(done.chunks) == CHUNKS
                journal.emit(SampleTaken(clock.now_ns(), "cell", 1, sample_of(request, done, profile)))

            async with LoopCanary() as canary:
                await one(-1)
                with quiet_garbage_collector():  # as every trial
                    started_s = time.process_time()
                    await asyncio.gather(*map(one, range(STREAMS)))
                    spent_s = time.process_time() - started_s
                canary.take_worst_ns()
    await client.aclose()
    sys.stdout.write(f"{spent_s / (STREAMS * CHUNKS) * 1e6}\n")


async def _plain(url: str) -> None:
    """httpx as its documentation shows it, with the standard library's JSON."""
    import httpx

    async with httpx.AsyncClient(timeout=60) as client:

        async def one() -> int:
            body = {"model": str(RATE), "max_tokens": CHUNKS, "stream": True}
            count = 0
            async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        event = json.loads(line[6:])
                        count += bool(event["choices"][0]["delta"].get("content"))
            return count

        assert await one() == CHUNKS
        started_s = time.process_time()
        assert await asyncio.gather(*[one() for _ in range(STREAMS)]) == [CHUNKS] * STREAMS
        spent_s = time.process_time() - started_s
    sys.stdout.write(f"{spent_s / (STREAMS * CHUNKS) * 1e6}\n")


def _measure(variant: str, url: str) -> float:
    command = [sys.executable, "-m", "benchmarks.engines_client", variant, url]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run() -> dict[str, object]:
    """Median microseconds of CPU for each chunk, and their ratio to plain httpx."""
    taken: dict[str, list[float]] = {"ours": [], "plain": []}
    with running() as url:
        for _ in range(ROUNDS):
            for variant, values in taken.items():
                values.append(_measure(variant, url))
    ours_us, plain_us = (statistics.median(values) for values in taken.values())
    return {
        "name": "client cost",
        "promise": f"<= {LIMIT_US:g} us CPU per streamed chunk with everything on, <= {LIMIT_RATIO} of plain httpx",
        "measured": ours_us,
        "limit": LIMIT_US,
        "unit": "us",
        "passed": ours_us <= LIMIT_US and ours_us / plain_us <= LIMIT_RATIO,
        "plain_httpx_us": plain_us,
        "ratio_to_plain": ours_us / plain_us,
        "rounds_us": taken,
    }


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "ours":
        import uvloop

        uvloop.run(_ours(sys.argv[2]))
    elif len(sys.argv) == 3:
        asyncio.run(_plain(sys.argv[2]))
    else:
        print(json.dumps(run(), indent=2))
