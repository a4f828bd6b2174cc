"""An httpx transport that stamps bytes in the callback of the event loop: no task wakes up for a token.

One connection for each request, written whole and closed after the answer (docs/decisions/0010-streaming-client.md).
A response carries two extensions: ``sent_ns``, the moment just before the request was written, and ``deliver``, which
hands every part of the body with its stamp to a function, right where it is read. A body that nobody asks to be
delivered is an ordinary httpx stream.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import httpx

from llmtester.domain.errors import RequestFailed
from llmtester.engines.http1 import Cut, Head, Malformed, ResponseReader

if TYPE_CHECKING:
    import ssl

MAX_RESPONSE_BYTES = 1 << 30
UNREAD_LIMIT_BYTES = 1 << 20
"""Reading pauses when this much waits to be taken."""

Take: TypeAlias = Callable[[int, bytes], None]
"""Gets the monotonic nanoseconds of a read and what it brought of the body. Ends the request by ``RequestFailed``."""


class WireTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over TCP, or TLS with ``ssl_context``. Knows no proxy, no pool and no redirect.

    Raises ``httpx.ConnectError``, ``ConnectTimeout``, ``ReadError`` (the connection broke) and ``RemoteProtocolError``
    (the answer is no HTTP). Only the connect time-out of a request is kept here.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response as soon as its head is there."""
        message = _written(request, await request.aread())
        exchange = await self._connect(request)
        try:
            exchange.send(message)
            head = await exchange.head_arrived()
        finally:
            if exchange.reader.head is None:  # failed or cancelled: nobody else would close it
                exchange.close()
        return httpx.Response(
            head.status,
            headers=list(head.fields),
            stream=_Body(exchange),
            extensions={"sent_ns": exchange.sent_ns, "deliver": exchange.deliver},
        )

    async def _connect(self, request: httpx.Request) -> Exchange:
        url, secure = request.url, request.url.scheme == "https"
        limit_s = request.extensions.get("timeout", {}).get("connect")
        try:
            async with asyncio.timeout(limit_s):
                _, exchange = await asyncio.get_running_loop().create_connection(
                    Exchange, url.host, url.port or (443 if secure else 80), ssl=self._ssl_context if secure else None
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection within {limit_s:g} s") from error
        except OSError as error:  # refused, unreachable, no such name, a certificate that does not fit
            raise httpx.ConnectError(str(error)) from error
        return exchange


class Exchange(asyncio.Protocol):
    """One request and its response on one connection."""

    def __init__(self) -> None:
        self.reader = ResponseReader()
        self.sent_ns = 0
        self._transport: asyncio.Transport | None = None
        self._take: Take | None = None
        self._unread: deque[tuple[int, bytes]] = deque()
        self._unread_bytes = 0
        self._received_bytes = 0
        self._over: Exception | None = None
        self._change: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, message: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - connected before it is handed out
        self.sent_ns = time.perf_counter_ns()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        at_ns = time.perf_counter_ns()
        try:
            body = self.reader.feed(data)
            if body:
                (self._take or self._keep)(at_ns, body)
            self._received_bytes += len(data)
            if self._received_bytes > MAX_RESPONSE_BYTES:
                raise Malformed(f"a response of more than {MAX_RESPONSE_BYTES} bytes")
        except Malformed as error:
            self._end(httpx.RemoteProtocolError(str(error)))
        except RequestFailed as error:  # from ``take``: for the task that awaits ``deliver``
            self._end(error)
        if self._take is None or self.reader.complete:
            self._wake()

    def eof_received(self) -> None:
        try:
            self.reader.end_of_input()
        except Cut as error:
            self._end(httpx.ReadError(str(error)))
        except Malformed as error:
            self._end(httpx.RemoteProtocolError(str(error)))
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        if error is None:
            self.eof_received()
        elif not self.reader.complete:  # what is no OSError is a bug in ``take``: the loop passes it on to here
            broken = isinstance(error, OSError)
            self._end(httpx.ReadError(f"{type(error).__name__}: {error}") if broken else error)

    async def head_arrived(self) -> Head:
        """The head, as soon as it is known. Raises as the class of the transport says."""
        while self.reader.head is None:
            self._raise_if_over()
            await self._changed()
        return self.reader.head

    async def deliver(self, take: Take) -> None:
        """Give the whole body to ``take``, what has already arrived first; return at its end. Raises what ``take``
        raises."""
        self._take = take
        while self._unread:
            take(*self._unread.popleft())
        self._resume()
        while not self.reader.complete:
            self._raise_if_over()
            await self._changed()
        self._raise_if_over()

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes, for who does not look at the time."""
        while True:
            while self._unread:
                yield self._unread.popleft()[1]
            self._resume()
            if self.reader.complete:
                return
            self._raise_if_over()
            await self._changed()

    def close(self) -> None:
        """Drop the connection: a server that still writes notices."""
        if self._transport is not None:
            self._transport.abort()

    def _keep(self, at_ns: int, body: bytes) -> None:
        self._unread.append((at_ns, body))
        self._unread_bytes += len(body)
        if self._unread_bytes > UNREAD_LIMIT_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._unread_bytes > UNREAD_LIMIT_BYTES and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
        self._unread_bytes = 0

    def _end(self, error: Exception) -> None:
        self._over = self._over or error
        self.close()
        self._wake()

    def _raise_if_over(self) -> None:
        if self._over is not None:
            raise self._over

    def _wake(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _changed(self) -> None:
        self._change = asyncio.get_running_loop().create_future()
        await self._change


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._exchange.parts()

    async def aclose(self) -> None:
        self._exchange.close()


def _written(request: httpx.Request, content: bytes) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % field for field in request.headers.raw if field[0].lower() != b"connection"]
    return b"\r\n".join([*lines, b"connection: close", b"", content])
