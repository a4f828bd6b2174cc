"""One small GET before there is an event loop: is a server there, and what does it offer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.proxies import refuse_unusable_proxies
from llmtester.domain.text import printable
from llmtester.engines.http_failures import http_failure, without_key

if TYPE_CHECKING:
    import httpx

CONNECT_LIMIT_S = 1.0
LIMIT_S = 10.0
MAX_REPLY_BYTES = 16 << 20
"""Lists of models take kilobytes; one with whole chat templates, a few megabytes."""


def look_up(
    url: str, path: str, api_key: str | None = None, *, method: str = "GET", body: Mapping[str, Any] | None = None
) -> Any:
    """The decoded JSON at ``url`` + ``path``, or its text. Raises ``RequestFailed``. Follows no redirect, so the key
    goes to no other host."""
    import httpx
    import orjson

    headers = {"accept-encoding": "identity"}
    if api_key:
        headers["authorization"] = f"Bearer {api_key}"
    if not is_local(url):
        refuse_unusable_proxies()
    limits = httpx.Timeout(LIMIT_S, connect=CONNECT_LIMIT_S)
    try:
        with (
            httpx.Client(timeout=limits, trust_env=not is_local(url)) as client,
            client.stream(method, url + path, headers=headers, json=body) as reply,
        ):
            content = _content(reply)
    except httpx.TimeoutException as error:
        raise RequestFailed(RequestFailure.CONNECT, f"no answer within {LIMIT_S:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RequestFailed(RequestFailure.CONNECT, printable(str(error))) from error
    if reply.status_code >= 300:
        raise http_failure(reply.status_code, without_key(content, headers))
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")


def _content(reply: httpx.Response) -> bytes:
    """The body, if it ends soon and is small. Raises ``RequestFailed`` and what httpx raises."""
    until_s = time.monotonic() + LIMIT_S
    content = bytearray()
    for data in reply.iter_raw():
        content += data
        if len(content) > MAX_REPLY_BYTES or time.monotonic() > until_s:
            detail = f"the answer goes on after {len(content)} bytes and up to {LIMIT_S:g} s"
            raise RequestFailed(RequestFailure.MALFORMED, detail)
    return bytes(content)


def is_local(url: str) -> bool:
    """Whether an address names this machine by a loopback name."""
    import httpx

    try:
        return httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}
    except httpx.InvalidURL:
        return False
