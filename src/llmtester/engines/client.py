"""The streaming client: stamps events as their bytes are read, keeps limits, says exactly how a request failed.

httpx is the interface, ``wire.py`` reads (docs/decisions/0010-streaming-client.md). JSON is decoded after the stream.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.ports import OnArrival
from llmtester.domain.proxies import refuse_unusable_proxies
from llmtester.domain.records import Address
from llmtester.domain.text import printable
from llmtester.domain.work import Timeouts
from llmtester.engines.http_failures import http_failure, transport_failure, without_key
from llmtester.engines.sse import Oversized, Splitter

if TYPE_CHECKING:
    import httpx

DONE = b"[DONE]"
DRAIN_S = 1.0  # to read the end of the transfer after the last event
ERROR_BODY_BYTES = 4096
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a call that is safe to repeat is repeated: waits double from ``first_wait_s``, with jitter."""

    tries: int = 4
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0

    def wait_s(self, attempt: int, told_s: float | None) -> float:
        """Seconds before attempt ``attempt + 1``, at least as long as the server told, at most ``longest_wait_s``."""
        grown_s: float = self.first_wait_s * 2**attempt * (0.5 + random.random() / 2)  # noqa: S311 - jitter
        return min(self.longest_wait_s, max(grown_s, told_s or 0.0))


REPEATABLE_STATUS = frozenset({408, 425, 429, 502, 503, 504})


@dataclass(slots=True)
class RawStream:
    """A whole stream, not yet decoded: payloads with the monotonic time of the read that completed each."""

    sent_ns: int
    ended_ns: int = 0
    done: bool = False
    events: list[tuple[int, bytes]] = field(default_factory=list)

    def arrivals_ns(self) -> tuple[int, ...]:
        return tuple(at_ns for at_ns, _ in self.events)


class StreamingClient:
    """Requests to one server. Closes with ``aclose``; belongs to one event loop.

    Connections are not limited in number, so nothing ever queues here, and none is used twice: llama-server closes
    after a stream without saying so, and a request that meets a closing socket would be a failed sample. Connecting
    here takes about 0.1 ms; to another machine, and with TLS, it is part of what is measured. Proxies of the
    environment serve other machines only.
    """

    def __init__(self, base_url: str, api_key: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        import httpx

        url = httpx.URL(base_url.rstrip("/"))
        self.address = Address(base_url.rstrip("/"), api_key)
        sent = {"accept-encoding": "identity", "content-type": "application/json", **(headers or {})}
        if api_key:
            sent["authorization"] = f"Bearer {api_key}"
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=sent,
            transport=_transport(url),
            timeout=httpx.Timeout(None),
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def stream(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        timeouts: Timeouts,
        splitter: Splitter,
        on_arrival: OnArrival,
        max_events: int,
    ) -> RawStream:
        """POST ``body`` and read the answer to its end, or to ``[DONE]``.

        Raises ``RequestFailed`` with what had arrived. Leaving early, also by cancellation, closes the connection,
        which makes the server stop generating.
        """
        import httpx
        import orjson

        content = orjson.dumps(body)
        request = self._client.build_request(
            "POST",
            path,
            content=content,
            timeout=httpx.Timeout(None, connect=timeouts.connect_s),
        )
        raw = RawStream(sent_ns=time.perf_counter_ns())
        watch = _Watch(timeouts, raw)
        try:
            async with watch.running(), _sent(self._client, request) as response:
                raw.sent_ns = response.extensions.get("sent_ns", raw.sent_ns)
                await _refuse_errors(response)
                await _Intake(raw, splitter, on_arrival, watch, max_events).drink(response)
        except TimeoutError:
            if watch.tripped is None:
                raise
            if not raw.done:
                raise RequestFailed(watch.tripped, watch.describe(), arrivals_ns=raw.arrivals_ns()) from None
        except httpx.HTTPError as error:
            raise transport_failure(error, raw.arrivals_ns()) from error
        return raw

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        limit_s: float = 30.0,
        retry: Retry | None = None,
    ) -> Any:
        """The decoded JSON of a small reply; what is not JSON comes back as text. Raises ``RequestFailed``.

        Pass ``retry`` only for a call that is safe to repeat.
        """
        attempts = retry.tries if retry else 1
        for attempt in range(attempts):
            try:
                return await self._call_once(method, path, body, limit_s)
            except _Refused as refused:
                last = attempt == attempts - 1
                if last or retry is None or (refused.status and refused.status not in REPEATABLE_STATUS):
                    raise
                await asyncio.sleep(retry.wait_s(attempt, refused.retry_after_s))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _call_once(self, method: str, path: str, body: Mapping[str, Any] | None, limit_s: float) -> Any:
        import httpx
        import orjson

        content = orjson.dumps(body) if body is not None else None
        request = self._client.build_request(method, path, content=content)
        try:
            async with asyncio.timeout(limit_s), _sent(self._client, request) as response:
                _refuse_coding(response)  # httpx would unpack it, and a megabyte can unpack to a terabyte
                await response.aread()
        except TimeoutError:
            raise _Refused(RequestFailure.TOTAL_TIMEOUT, f"{path} took more than {limit_s:g} s") from None
        except httpx.HTTPError as error:
            failed = transport_failure(error)
            raise _Refused(failed.failure, failed.detail) from error
        if response.status_code >= 300:
            failed = http_failure(response.status_code, without_key(response.content, response.request.headers))
            told = response.headers.get("retry-after", "")
            raise _Refused(
                failed.failure, failed.detail, response.status_code, float(told) if told.isdecimal() else None
            )
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            return response.text


class _Refused(RequestFailed):
    def __init__(
        self, failure: RequestFailure, detail: str, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(failure, detail, status=status)
        self.retry_after_s = retry_after_s


class _Watch:
    """The limits of one request. One timer that is re-armed when it fires, so an event costs nothing."""

    def __init__(self, timeouts: Timeouts, raw: RawStream) -> None:
        self._timeouts = timeouts
        self._raw = raw
        self._drain_until_ns: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._scope = asyncio.timeout(None)
        self.tripped: RequestFailure | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._scope:
            self._check()
            try:
                yield
            finally:
                if self._timer is not None:
                    self._timer.cancel()

    def drain(self) -> None:
        """The answer is complete; only the end of the transfer is waited for."""
        self._drain_until_ns = time.perf_counter_ns() + round(DRAIN_S * 1e9)
        if self._timer is not None:
            self._timer.cancel()
        self._check()

    def describe(self) -> str:
        limits = {
            RequestFailure.FIRST_TOKEN_TIMEOUT: f"no token within {self._timeouts.first_token_s:g} s",
            RequestFailure.STALLED: f"nothing for {self._timeouts.between_tokens_s:g} s",
            RequestFailure.TOTAL_TIMEOUT: f"not finished within {self._timeouts.total_s:g} s",
        }
        return limits[self.tripped] if self.tripped else ""

    def _next(self) -> tuple[int, RequestFailure]:
        if self._drain_until_ns is not None:
            return self._drain_until_ns, RequestFailure.STALLED
        total = (self._raw.sent_ns + round(self._timeouts.total_s * 1e9), RequestFailure.TOTAL_TIMEOUT)
        if not self._raw.events:
            first_ns = self._raw.sent_ns + round(self._timeouts.first_token_s * 1e9)
            return min(total, (first_ns, RequestFailure.FIRST_TOKEN_TIMEOUT))
        return min(
            total, (self._raw.events[-1][0] + round(self._timeouts.between_tokens_s * 1e9), RequestFailure.STALLED)
        )

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        limit_ns, failure = self._next()
        left_ns = limit_ns - time.perf_counter_ns()
        if left_ns > 0:
            self._timer = loop.call_later(left_ns / 1e9, self._check)
        else:
            self.tripped = failure
            self._scope.reschedule(loop.time())


@asynccontextmanager
async def _sent(client: httpx.AsyncClient, request: httpx.Request) -> AsyncIterator[httpx.Response]:
    response = await client.send(request, stream=True)
    try:
        yield response
    finally:
        await response.aclose()


@dataclass(slots=True)
class _Intake:
    """Turns the body of one response into the events of ``raw``."""

    raw: RawStream
    splitter: Splitter
    on_arrival: OnArrival
    watch: _Watch
    max_events: int

    async def drink(self, response: httpx.Response) -> None:
        """Read to the end. Raises ``RequestFailed`` and what httpx raises."""
        _refuse_coding(response)
        deliver = response.extensions.get("deliver")
        if deliver is not None:
            await deliver(self.take)
        else:  # through a proxy: httpx reads, and a task wakes up for each read
            async for data in response.aiter_raw():
                self.take(time.perf_counter_ns(), data)
        self._finish()

    def take(self, at_ns: int, data: bytes) -> None:
        """The bytes of one read. Raises ``RequestFailed``."""
        raw, events = self.raw, self.raw.events
        if raw.done:
            return
        try:
            payloads = self.splitter.feed(data)
        except Oversized as error:
            raise RequestFailed(RequestFailure.MALFORMED, str(error), arrivals_ns=raw.arrivals_ns()) from error
        for payload in payloads:
            if payload == DONE:
                raw.done = True
                self.watch.drain()
                break
            events.append((at_ns, payload))
            self.on_arrival(at_ns)
        raw.ended_ns = at_ns
        if len(events) > self.max_events:
            detail = f"the stream goes on after {len(events)} events"
            raise RequestFailed(RequestFailure.MALFORMED, detail, arrivals_ns=raw.arrivals_ns())

    def _finish(self) -> None:
        raw = self.raw
        for payload in self.splitter.finish() if not raw.done else ():
            if payload == DONE:
                raw.done = True
                break
            raw.events.append((raw.ended_ns, payload))
        raw.ended_ns = raw.ended_ns or time.perf_counter_ns()


def _refuse_coding(response: httpx.Response) -> None:
    coding = response.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise RequestFailed(RequestFailure.MALFORMED, f"answered in {printable(coding)}, which nobody asked for")


async def _refuse_errors(response: httpx.Response) -> None:
    if response.status_code < 300:
        return
    body = bytearray()
    async for data in response.aiter_raw():
        body += data
        if len(body) > ERROR_BODY_BYTES:
            break
    shown = without_key(bytes(body), response.request.headers)
    raise http_failure(response.status_code, shown[:ERROR_BODY_BYTES])


def _transport(url: httpx.URL) -> httpx.AsyncBaseTransport | None:
    """Ours; ``None``, which means httpx's own, for what the environment sends through a proxy."""
    import httpx

    from llmtester.engines.wire import WireTransport

    if url.host not in _LOCAL_HOSTS:
        from urllib.request import getproxies, proxy_bypass

        if getproxies().keys() & {url.scheme, "all"} and not proxy_bypass(url.host):
            refuse_unusable_proxies()
            return None
    # Certificates as the environment says (SSL_CERT_FILE); loading them takes 30 ms that plain HTTP need not pay.
    return WireTransport(httpx.create_ssl_context() if url.scheme == "https" else None)
