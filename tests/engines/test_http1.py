"""One HTTP/1.1 response comes out the same however the network cuts it, and what is none is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.engines.http1 import MAX_HEAD_BYTES, MAX_LINE_BYTES, Cut, Malformed, ResponseReader

BODY = b'data: {"a":"\xe2\x80\xa8"}\r\n\n' * 3
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def chunked(*chunks: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    framed = b"".join(b"%X%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return HEAD + b"Transfer-Encoding: Chunked\r\n\r\n" + framed + b"0\r\n" + trailers + b"\r\n"


def counted(body: bytes) -> bytes:
    return HEAD + b"Content-Length:  %d \r\n\r\n%s" % (len(body), body)


RESPONSES = {
    "chunked": chunked(BODY[:1], BODY[1:20], BODY[20:]),
    "one chunk": chunked(BODY),
    "extensions and trailers": chunked(BODY[:7], BODY[7:], extension=b';x="y"', trailers=b"Digest: 1\r\nMore: 2\r\n"),
    "content-length": counted(BODY),
    "until close": HEAD + b"\r\n" + BODY,
    "HTTP/1.0": b"HTTP/1.0 200\r\n\r\n" + BODY,
    "after early hints": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + chunked(BODY),
}


def read(parts: list[bytes]) -> tuple[int, bytes]:
    reader = ResponseReader()
    body = b"".join(map(reader.feed, parts))
    reader.end_of_input()
    assert reader.complete
    return reader.head.status, body


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@given(data=st.data())
def test_any_split_gives_the_same_body(response, data):
    """Cuts anywhere, down to single bytes, change nothing."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(response)), max_size=8)))
    edges = [0, *cuts, len(response)]
    assert read([response[start:end] for start, end in pairwise(edges)]) == (200, BODY)
    assert read([bytes([byte]) for byte in response]) == (200, BODY)


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
def test_any_cut_is_told(response):
    """A response that ends too early is a cut, unless the end of the connection is its end mark."""
    open_ended = response.endswith(b"\r\n\r\n" + BODY) and b"ength" not in response
    head_bytes = len(response) - len(BODY)
    for length in range(len(response)):
        reader = ResponseReader()
        reader.feed(response[:length])
        if open_ended and length >= head_bytes:
            reader.end_of_input()
            assert reader.complete
        else:
            with pytest.raises(Cut):
                reader.end_of_input()


@pytest.mark.parametrize(
    "response",
    [
        b"\x00\x01 no HTTP\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"space : before\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
        HEAD + b"content-length: 1e3\r\n\r\n",
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n\r\nhello",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhelloXX",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\n\n5\r\nhello\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1" * 40 + b"\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1" * (MAX_LINE_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD_BYTES,
    ],
)
def test_what_is_no_response_is_refused(response):
    """Garbage is malformed, whole or byte by byte, and never a body."""
    for parts in ([response], [bytes([byte]) for byte in response]):
        reader = ResponseReader()
        with pytest.raises(Malformed):
            for part in parts:
                reader.feed(part)


def test_garbage_without_an_end():
    """A connection that closes after bytes that begin no response was no HTTP server; after none it was cut."""
    reader = ResponseReader()
    reader.feed(b"SSH-2.0-x\r\n")
    with pytest.raises(Malformed):
        reader.end_of_input()
    with pytest.raises(Cut):
        ResponseReader().end_of_input()


def test_what_follows_the_end_is_ignored():
    """Bytes after a whole response change nothing, and 204 has no body."""
    assert read([RESPONSES["chunked"] + b"HTTP/1.1 500 x\r\n\r\n"]) == (200, BODY)
    assert read([RESPONSES["content-length"] + b"more"]) == (200, BODY)
    assert read([b"HTTP/1.1 204 No Content\r\n\r\nmore"]) == (204, b"")
