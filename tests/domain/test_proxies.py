"""Proxies of the environment: what no request could go through is named before anything is sent."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.proxies import refuse_unusable_proxies

pytestmark = pytest.mark.faults

UNUSABLE = {
    "socks5://127.0.0.1:1080": "SOCKS",
    "ftp://me:secret@127.0.0.1:21": "ftp",
    "http://me:secret@127.0.0.1:port": "port",
    "http://": "no host",
}
USABLE = ("http://127.0.0.1:3128", "127.0.0.1:3128", "https://proxy:443", "http://[::1]:8080")


@pytest.mark.parametrize("address", UNUSABLE)
@pytest.mark.parametrize("scheme", ["http", "https", "all"])
def test_a_proxy_that_cannot_be_used_is_named(scheme: str, address: str) -> None:
    """The message names variable and reason, and never what may be a password."""
    with pytest.raises(ConfigurationError) as raised:
        refuse_unusable_proxies({scheme: address}, has_socks=False)
    assert f"{scheme.upper()}_PROXY" in raised.value.what
    assert UNUSABLE[address] in raised.value.why
    assert raised.value.fix
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("address", USABLE)
def test_ordinary_proxies_pass(address: str) -> None:
    """Every form that HTTP clients take is left alone, and SOCKS where its package is installed."""
    refuse_unusable_proxies({"all": address}, has_socks=False)
    refuse_unusable_proxies({"all": "socks5h://127.0.0.1:1080"}, has_socks=True)


def test_the_environment_is_asked_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the proxies are those of the environment, and SOCKS is spoken where its package is installed."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    refuse_unusable_proxies()
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    if find_spec("socksio"):
        refuse_unusable_proxies()
    else:
        with pytest.raises(ConfigurationError, match="ALL_PROXY"):
            refuse_unusable_proxies()
    monkeypatch.setenv("HTTPS_PROXY", "ftp://127.0.0.1:21")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY"):
        refuse_unusable_proxies()
