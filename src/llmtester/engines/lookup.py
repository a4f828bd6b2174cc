"""One small GET before there is an event loop: is a server there, and what does it offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.text import printable
from llmtester.engines.http_failures import http_failure, without_key

CONNECT_LIMIT_S = 1.0
LIMIT_S = 10.0


def look_up(
    url: str, path: str, api_key: str | None = None, *, method: str = "GET", body: Mapping[str, Any] | None = None
) -> Any:
    """The decoded JSON at ``url`` + ``path``, or its text. Raises ``RequestFailed``. Follows no redirect, so the key
    goes to no other host."""
    import httpx

    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        reply = httpx.request(
            method,
            url + path,
            headers=headers,
            json=body,
            timeout=httpx.Timeout(LIMIT_S, connect=CONNECT_LIMIT_S),
            trust_env=not is_local(url),
        )
    except httpx.TimeoutException as error:
        raise RequestFailed(RequestFailure.CONNECT, f"no answer within {LIMIT_S:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RequestFailed(RequestFailure.CONNECT, printable(str(error))) from error
    if reply.status_code >= 300:
        raise http_failure(reply.status_code, without_key(reply.content, headers))
    try:
        return reply.json()
    except ValueError:
        return reply.text


def is_local(url: str) -> bool:
    """Whether an address names this machine by a loopback name."""
    import httpx

    try:
        return httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}
    except httpx.InvalidURL:
        return False
