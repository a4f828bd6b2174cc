"""How to talk to a hub: where it is, who asks, how patiently."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable

DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HubOptions:
    """``endpoint`` and ``token`` of ``None`` mean: what the environment says (``HF_ENDPOINT``, ``HF_TOKEN``, the token
    that ``hf auth login`` stored). ``tries`` counts attempts in a row that brought no byte.

    A pause between tries starts at ``backoff_s``, doubles up to ``backoff_cap_s`` and is shortened by a random share,
    so that many clients do not come back at the same moment. The token is never part of a printed value.
    """

    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    parallel_files: int = 3
    connect_s: float = 10.0
    stall_s: float = 30.0
    tries: int = 6
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0

    def resolved_endpoint(self, environ: Mapping[str, str] = os.environ) -> str:
        """Address of the hub without a slash at its end. Raises ``ConfigurationError``."""
        address = (self.endpoint or environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"{printable(address)!r} is not the address of a hub", fix=f"set HF_ENDPOINT like {DEFAULT_ENDPOINT}"
            )
        return address

    def resolved_token(self) -> str | None:
        """The token to use, ``None`` without one. An empty string in ``token`` means: none, whatever is stored."""
        if self.token is not None:
            return self.token or None
        from huggingface_hub import get_token

        return get_token()
