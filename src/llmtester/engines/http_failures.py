"""What a refusal or a broken transfer means, in the words of ``RequestFailure``, and without the key that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.text import printable

if TYPE_CHECKING:
    import httpx

SHORTEST_SECRET_CHARACTERS = 8
"""A shorter key is a placeholder such as ``none``, and parts of words would be blotted out for it."""


def without_key(body: bytes, sent: Mapping[str, str]) -> bytes:
    """An error reply in which the key that was sent is blotted out: some servers repeat it, and errors are stored."""
    key = sent.get("authorization", "").removeprefix("Bearer ")
    return body.replace(key.encode(), b"[key]") if len(key) >= SHORTEST_SECRET_CHARACTERS else body


def http_failure(status: int, body: bytes) -> RequestFailed:
    """What an error reply means. Knows the shapes of llama.cpp, vLLM, Ollama, mlx and LM Studio."""
    import orjson

    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        decoded = body.decode("utf-8", "replace")
    error = decoded.get("error", decoded) if isinstance(decoded, dict) else decoded
    kind = str(error.get("type", "")) if isinstance(error, dict) else ""
    message = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    exceeded = kind == "exceed_context_size_error" or (status == 400 and "context length" in message.lower())
    failure = RequestFailure.CONTEXT_EXCEEDED if exceeded else RequestFailure.HTTP_STATUS
    return RequestFailed(failure, f"HTTP {status}: {printable(message)}", status=status)


def transport_failure(error: httpx.HTTPError, arrivals_ns: tuple[int, ...] = ()) -> RequestFailed:
    """What an error of httpx means, with the arrivals of what had come before it."""
    import httpx

    detail = printable(f"{type(error).__name__}: {error}")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.UnsupportedProtocol):
        return RequestFailed(RequestFailure.CONNECT, detail)
    # httpx's own transport, used for proxies, calls a closed connection a broken protocol.
    cut = isinstance(error, httpx.NetworkError) or str(error).startswith(("peer closed", "Server disconnected"))
    return RequestFailed(RequestFailure.CUT if cut else RequestFailure.MALFORMED, detail, arrivals_ns=arrivals_ns)
