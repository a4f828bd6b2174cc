"""Proxies of the environment that no request could go through: told before the HTTP client trips over them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.installing import install_command

_SCHEMES = ("http", "https", "all")
_HTTP, _SOCKS = ("http", "https"), ("socks5", "socks5h")


def refuse_unusable_proxies(proxies: Mapping[str, str] | None = None, *, has_socks: bool | None = None) -> None:
    """Raises ``ConfigurationError`` naming the variable (never its value, which may hold a password).

    ``proxies``: scheme to address, by default what ``urllib`` finds; ``has_socks``: whether SOCKS can be spoken.
    """
    if proxies is None:
        from urllib.request import getproxies

        proxies = getproxies()
    if has_socks is None:
        from importlib.util import find_spec

        has_socks = find_spec("socksio") is not None
    for scheme in _SCHEMES:
        address = proxies.get(scheme)
        why = _problem(address, has_socks=has_socks) if address else None
        if why:
            name = f"{scheme.upper()}_PROXY"
            raise ConfigurationError(
                f"the proxy in {name} cannot be used",
                why=why[0],
                fix=why[1] or f"set {name} like http://HOST:PORT, or unset it",
            )


def _problem(address: str, *, has_socks: bool) -> tuple[str, str] | None:
    """Why an address is no proxy and what to do, if there is more to do than to write it differently."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no address with a port", ""
    if not host:
        return "it names no host", ""
    if parts.scheme in _SOCKS:
        fix = f"{install_command('socksio')}; or name an HTTP proxy, or unset the variable"
        return None if has_socks else ("it is a SOCKS proxy, and the package for these is not installed", fix)
    if parts.scheme not in _HTTP:
        return f"it speaks {parts.scheme}: only http, https, socks5 and socks5h are understood", ""
    return None
