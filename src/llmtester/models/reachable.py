"""Whether the model hub answers, asked once and briefly."""

from __future__ import annotations

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.proxies import refuse_unusable_proxies
from llmtester.domain.text import printable
from llmtester.models.hub_options import HubOptions

LIMIT_S = 3.0


def hub_problem(options: HubOptions | None = None, limit_s: float = LIMIT_S) -> str | None:
    """Why the hub cannot be reached, ``None`` if it can. Sends no token, and any answer of the hub counts.

    Raises ``ConfigurationError`` if ``HF_ENDPOINT`` is no address.
    """
    import httpx

    endpoint = (options or HubOptions()).resolved_endpoint()
    try:
        refuse_unusable_proxies()
    except ConfigurationError as error:
        return f"{error.what}: {error.why}"
    try:
        answer = httpx.head(endpoint, timeout=limit_s, follow_redirects=False)
    except httpx.TimeoutException:
        return f"{endpoint} did not answer within {limit_s:g} s"
    except httpx.HTTPError as error:
        return printable(f"{endpoint}: {error or type(error).__name__}")
    return f"{endpoint} answers with status {answer.status_code}" if answer.status_code >= 500 else None
