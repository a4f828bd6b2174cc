"""A chat server that costs nothing: it streams prepared events at a set rate, or as fast as the client reads.

A request asks for ``max_tokens`` events; the model's name is the rate of one stream in events a second, ``0`` for full
speed. ``with running() as url`` starts it in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator

BURST = 32  # events in one write at full speed
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _framed(event: object) -> bytes:
    data = b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(delta: dict[str, object], finish: str | None = None, **more: object) -> bytes:
    return _framed(
        {
            "choices": [{"finish_reason": finish, "index": 0, "delta": delta}],
            "created": 1795507331,
            "id": "chatcmpl-s2AjSHUZaFOGHYLbkpEo1QiQbckBvIjX",
            "model": "null-server-of-the-benchmarks",
            "system_fingerprint": "b1-7e4c0a9",
            "object": "chat.completion.chunk",
            **more,
        }
    )


_ROLE = _event({"role": "assistant", "content": None})
_TOKEN = _event({"content": " token"})
_BURST = _TOKEN * BURST


def _last(count: int) -> bytes:
    usage = {"prompt_tokens": 32, "completion_tokens": count, "total_tokens": count + 32}
    timings = {"cache_n": 0, "prompt_n": 32, "prompt_ms": 1.0, "predicted_n": count, "predicted_ms": 1.0}
    return _event({}, "length") + _event({}, usage=usage, timings=timings) + _framed(b"[DONE]") + b"0\r\n\r\n"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    asked = json.loads(await reader.readexactly(length))
    count, rate = int(asked["max_tokens"]), float(asked["model"])
    writer.write(_HEAD + _ROLE)
    with contextlib.suppress(ConnectionError):
        await (_paced(writer, count, rate) if rate else _flooded(writer, count))
        writer.write(_last(count))
        await writer.drain()
    writer.close()


async def _paced(writer: asyncio.StreamWriter, count: int, rate: float) -> None:
    """All streams speak at the same moments, as those of a server do that decodes its slots in one batch."""
    loop = asyncio.get_running_loop()
    first = math.ceil(loop.time() * rate)
    for number in range(first + 1, first + count + 1):
        await asyncio.sleep(number / rate - loop.time())
        writer.write(_TOKEN)


async def _flooded(writer: asyncio.StreamWriter, count: int) -> None:
    for _ in range(count // BURST):
        writer.write(_BURST)
        await writer.drain()
    writer.write(_TOKEN * (count % BURST))


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # ends with its parent


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of a null server that lives as long as the block."""
    command = [sys.executable, "-m", "benchmarks.engines_null_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
