"""Whether being measured by llmtester slows a server down: its own decode rate, beside that for curl.

The same server, the same requests, in pairs of random order; sampling of the sensors and the loop canary run as in a
real run. What is compared is what the server itself reports.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess

from benchmarks.engines_real import real_session

PAIRS, TOKENS = 30, 96
LIMIT_RATIO = 0.99
PULSE_S = 1.0


def _rate(timings: dict[str, float]) -> float:
    return 1000 * (timings["predicted_n"] - 1) / timings["predicted_ms"]


async def _curl(url: str, key: str, body: bytes) -> float:
    """Decode tokens a second as the server tells curl; the key goes through standard input."""
    command = ["curl", "-sN", "--config", "-", "--data-binary", body.decode(), url]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    output, _ = await process.communicate(f'header = "Authorization: Bearer {key}"\n'.encode())
    events = [json.loads(line[6:]) for line in output.split(b"\n") if line.startswith(b"data: {")]
    return _rate(next(event["timings"] for event in reversed(events) if "timings" in event))


async def _pairs() -> list[float]:
    from llmtester.domain.work import Message, Request
    from llmtester.engines.http_session import LLAMA, HttpSession
    from llmtester.host.canary import LoopCanary
    from llmtester.host.telemetry import SystemSensors

    chance, ratios = random.Random(3), []
    async with real_session() as session, LoopCanary() as canary:
        assert isinstance(session, HttpSession)
        sensors = SystemSensors(canary)

        async def pulse() -> None:
            while True:
                sensors.read(session.facts.process_id)
                await asyncio.sleep(PULSE_S)

        pulsing = asyncio.create_task(pulse())
        url, key = session.client.address.url, session.client.address.api_key or ""
        for number in range(PAIRS + 1):
            request = Request(str(number), (Message("user", f"{number} tell me of the river"),), TOKENS)
            body = json.dumps(LLAMA.body(request, "m")).encode()

            async def ours(request: Request = request) -> float:
                done = await session.generate(request, lambda at_ns: None)
                assert done.server is not None
                return _rate({"predicted_n": done.server.predicted_tok, "predicted_ms": done.server.predicted_ms})  # type: ignore[dict-item]  # llama.cpp gives both

            order = ["ours", "curl"]
            chance.shuffle(order)
            rates = {}
            for who in order:
                rates[who] = await (ours() if who == "ours" else _curl(f"{url}{LLAMA.path}", key, body))
            if number:
                ratios.append(rates["ours"] / rates["curl"])
        pulsing.cancel()
    return ratios


def run() -> dict[str, object]:
    """Median over pairs of the server's decode rate for llmtester, divided by that for curl."""
    import uvloop

    ratios = uvloop.run(_pairs())
    median = statistics.median(ratios)
    return {
        "name": "perturbation",
        "promise": f"decode tok/s reported by the server is >= {LIMIT_RATIO} of that for curl",
        "measured": median,
        "limit": LIMIT_RATIO,
        "unit": "of curl",
        "passed": median >= LIMIT_RATIO,
        "quartiles": statistics.quantiles(ratios, n=4),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
