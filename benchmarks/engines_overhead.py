"""What lies between the server's own prompt time and the first token as the client sees it, with one stream.

A bare blocking socket asks the same server in turns with the client: what it sees is the server's own part (HTTP,
template, tokenizing, waking its slot) and the kernel's; what the client sees above that is ours.
"""

from __future__ import annotations

import json
import socket
import statistics
import time

from benchmarks.engines_real import real_session

REQUESTS = 40
LIMIT_MS = 3.0


def _bare_overhead_ms(url: str, key: str, path: str, body: bytes) -> float:
    """Milliseconds from writing a request on a fresh connection to the first token, less the server's prompt time."""
    host, _, port = url.removeprefix("http://").partition(":")
    head = f"POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
    message = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    seen, first_ns = b"", 0
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent_ns = time.perf_counter_ns()
        connection.sendall(message)
        while b"[DONE]" not in seen:
            data = connection.recv(1 << 16)
            at_ns = time.perf_counter_ns()
            assert data, seen[-500:]
            seen += data
            if not first_ns and b'"content":"' in seen:
                first_ns = at_ns
    events = [json.loads(line[6:]) for line in seen.split(b"\n") if line.startswith(b"data: {")]
    prompt_ms = next(event["timings"]["prompt_ms"] for event in reversed(events) if "timings" in event)
    return float((first_ns - sent_ns) / 1e6 - prompt_ms)


async def _overheads_ms() -> dict[str, list[float]]:
    from llmtester.domain.work import Message, Request
    from llmtester.engines.http_session import LLAMA

    found: dict[str, list[float]] = {"ours": [], "bare": []}
    async with real_session() as session:
        address = session.address
        assert address is not None
        for number in range(REQUESTS + 2):
            asked = [
                Request(str(number), (Message("user", f"{number} tell me of the {place}"),), 8)
                for place in ("river", "ocean")
            ]
            done = await session.generate(asked[0], lambda at_ns: None)
            assert done.server is not None
            assert done.server.prompt_ms is not None
            found["ours"].append((done.chunks[0].at_ns - done.sent_ns) / 1e6 - done.server.prompt_ms)
            body = json.dumps(LLAMA.body(asked[1], "m")).encode()
            found["bare"].append(_bare_overhead_ms(address.url, address.api_key or "", LLAMA.path, body))
    return {who: values[2:] for who, values in found.items()}


def run() -> dict[str, object]:
    """Median milliseconds of queue, HTTP, template and client before the first token."""
    import uvloop

    overheads_ms = uvloop.run(_overheads_ms())
    median_ms = statistics.median(overheads_ms["ours"])
    bare_ms = statistics.median(overheads_ms["bare"])
    return {
        "name": "first-token overhead",
        "promise": f"TTFT less the server's prompt time < {LIMIT_MS:g} ms (median, one stream)",
        "measured": median_ms,
        "limit": LIMIT_MS,
        "passed": median_ms < LIMIT_MS,
        "largest_ms": max(overheads_ms["ours"]),
        "bare_socket_ms": bare_ms,
        "ours_above_bare_ms": median_ms - bare_ms,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
