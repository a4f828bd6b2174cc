"""The transport behind httpx: TLS, proxies, early bodies, hostile answers. Faults of a stream are in test_faults.py."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time

import httpx
import pytest

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.records import Capabilities, SessionFacts
from llmtester.domain.work import Message, Request, Timeouts
from llmtester.engines import wire
from llmtester.engines.client import StreamingClient
from llmtester.engines.http_session import LLAMA, HttpSession
from tests.engines.scripted_server import Call, content, good_stream, scripted

FACTS = SessionFacts("test", "0", (), 1, 4096, 1, Capabilities())
REQUEST = Request("r", (Message("user", "hi"),), max_tok=4, timeouts=Timeouts(connect_s=2, total_s=10))
PATH = "/v1/chat/completions"


async def answer_of(url: str):
    client = StreamingClient(url, "key")
    try:
        return await HttpSession(client, LLAMA, FACTS, "m").generate(REQUEST, lambda at_ns: None)
    finally:
        await client.aclose()


def failure_of(handler) -> RequestFailed:
    async def run() -> RequestFailed:
        async with scripted({PATH: handler}) as server:
            with pytest.raises(RequestFailed) as raised:
                await answer_of(server.url)
            return raised.value

    return asyncio.run(run())


def test_requests_are_whole_and_closed():
    """One write holds the request: host, length, key, no compression asked for, and the connection closes after it."""

    async def run() -> None:
        async with scripted({PATH: good_stream}) as server:
            assert (await answer_of(server.url)).text == "one two three"
            headers = server.calls[0].headers
            assert headers["host"] == server.url.removeprefix("http://")
            assert headers["connection"] == "close"
            assert headers["accept-encoding"] == "identity"
            assert headers["authorization"] == "Bearer key"

    asyncio.run(run())


def test_a_body_that_comes_with_its_head():
    """A whole answer in one read is stamped, and the request was sent before it."""

    async def everything(call: Call) -> None:
        event = b'data: {"choices":[{"delta":{"content":"all"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        await call.send(b"HTTP/1.1 200 OK\r\n\r\n" + event)
        call.writer.close()

    async def run() -> None:
        async with scripted({PATH: everything}) as server:
            before_ns = time.perf_counter_ns()
            done = await answer_of(server.url)
            assert done.text == "all"
            assert before_ns < done.sent_ns < done.chunks[0].at_ns <= done.ended_ns

    asyncio.run(run())


def test_compressed_answers_are_refused():
    """An answer in a coding that was not asked for is malformed, not garbage JSON."""

    async def zipped(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00")

    failed = failure_of(zipped)
    assert failed.failure is RequestFailure.MALFORMED
    assert "gzip" in failed.detail


def test_a_connection_that_closes_before_its_answer():
    """Closing without a byte is a cut; so is half a head."""

    async def nothing(call: Call) -> None:
        call.writer.close()

    async def half_a_head(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-")
        call.writer.close()

    assert failure_of(nothing).failure is RequestFailure.CUT
    assert failure_of(half_a_head).failure is RequestFailure.CUT


def test_a_bug_in_a_display_is_no_failure_of_the_server():
    """What a callback raises comes out as itself."""

    async def run() -> None:
        async with scripted({PATH: good_stream}) as server:
            client = StreamingClient(server.url)
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

            def broken(at_ns: int) -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await HttpSession(client, LLAMA, FACTS, "m").generate(REQUEST, broken)
            await client.aclose()

    asyncio.run(run())


def test_large_replies_do_not_pile_up(monkeypatch):
    """A reply larger than what may wait is read whole, in turns; one larger than any reply is refused."""
    big = b'"%s"' % (b"x" * (4 * wire.UNREAD_LIMIT_BYTES))

    async def handler(call: Call) -> None:
        await call.json(big)

    async def run() -> None:
        async with scripted({"/big": handler}) as server:
            client = StreamingClient(server.url)
            assert len(await client.call("GET", "/big")) == len(big) - 2
            monkeypatch.setattr(wire, "MAX_RESPONSE_BYTES", 1 << 16)
            with pytest.raises(RequestFailed) as raised:
                await client.call("GET", "/big")
            assert raised.value.failure is RequestFailure.MALFORMED
            await client.aclose()

    asyncio.run(run())


def test_other_machines_are_reached_through_the_proxy(monkeypatch):
    """With HTTP_PROXY set, a stream from another machine comes through the proxy; loopback never does."""

    async def run() -> None:
        through = f"http://elsewhere.invalid{PATH}"
        async with scripted({PATH: good_stream, through: good_stream}) as server:
            for name in ("http_proxy", "HTTP_PROXY"):
                monkeypatch.setenv(name, server.url)
            for name in ("no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            assert (await answer_of("http://elsewhere.invalid")).text == "one two three"
            assert (await answer_of(server.url)).text == "one two three"
            assert [call.path for call in server.calls] == [through, PATH]

    asyncio.run(run())


def test_a_stream_cut_behind_a_proxy(monkeypatch):
    """httpx reports a connection that closes as a broken protocol; it is a cut here as well."""

    async def cut(call: Call) -> None:
        await call.start_stream()
        await call.event(content("one"))
        call.writer.close()

    async def run() -> None:
        async with scripted({f"http://elsewhere.invalid{PATH}": cut}) as server:
            for name in ("http_proxy", "HTTP_PROXY"):
                monkeypatch.setenv(name, server.url)
            for name in ("no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            with pytest.raises(RequestFailed) as raised:
                await answer_of("http://elsewhere.invalid")
            assert raised.value.failure is RequestFailure.CUT
            assert len(raised.value.arrivals_ns) == 1

    asyncio.run(run())


def test_tls(tmp_path, monkeypatch):
    """An https address is read over TLS if its certificate is trusted, and refused as a failure to connect if not."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *names]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def run() -> None:
        async with scripted({PATH: good_stream}, context) as server:
            url = server.url.replace("http://127.0.0.1", "https://localhost")
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # the server's side of it
            with pytest.raises(RequestFailed) as raised:
                await answer_of(url)
            assert raised.value.failure is RequestFailure.CONNECT
            assert "certificate" in raised.value.detail
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert (await answer_of(url)).text == "one two three"

    asyncio.run(run())


def test_connecting_has_a_limit():
    """A machine that does not answer at all is given up after the connect time-out."""

    async def run() -> None:
        async with httpx.AsyncClient(
            transport=wire.WireTransport(), timeout=httpx.Timeout(None, connect=0.05)
        ) as client:
            with pytest.raises((httpx.ConnectError, httpx.ConnectTimeout)):
                await client.get("http://192.0.2.1/")

    asyncio.run(run())
