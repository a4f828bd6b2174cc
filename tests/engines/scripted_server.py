"""An HTTP server whose every byte a test writes: half chunks, resets, stalls, garbage."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Call:
    """One request as it arrived, and the connection to answer on."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def json(self, value: Any, status: str = "200 OK", headers: str = "") -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        await self.send(head.encode() + body)

    async def start_stream(self, content_type: str = "text/event-stream") -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        await self.send(head.encode())

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, value: Any) -> None:
        await self.chunk(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Drop the connection at once, unsent bytes included."""
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Return when the client has closed its side."""
        while await self.reader.read(65536):
            pass
        self.closed.set()


Handler = Callable[[Call], Awaitable[None]]


@dataclass
class ScriptedServer:
    """``handlers`` by path; what was asked is in ``calls``."""

    handlers: dict[str, Handler]
    url: str = ""
    calls: list[Call] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, path, _ = line.decode("latin-1").split(" ", 2)
                headers = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                call = Call(method, path, headers, json.loads(raw) if raw else None, reader, writer)
                self.calls.append(call)
                handler = self.handlers.get(path)
                if handler is None:
                    await call.json({"error": f"no {path}"}, "404 Not Found")
                else:
                    await handler(call)
                if writer.is_closing() or headers.get("connection") == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:  # the test is over; asyncio of Python 3.11 would log the cancellation as a fault
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(handlers: dict[str, Handler], ssl_context: ssl.SSLContext | None = None):
    """A running server; its address is ``.url``."""
    scripted_server = ScriptedServer(handlers)
    server = await asyncio.start_server(scripted_server._serve, "127.0.0.1", 0, ssl=ssl_context)
    scripted_server.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted_server
    finally:
        server.close()
        server.close_clients() if hasattr(server, "close_clients") else None


def content(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}


async def good_stream(call: Call) -> None:
    """Three tokens as a correct server sends them."""
    await call.start_stream()
    await call.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]})
    for text in ("one", " two", " three"):
        await call.event(content(text))
    await call.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    await call.event(USAGE)
    await call.event(b"[DONE]")
    await call.end_stream()
