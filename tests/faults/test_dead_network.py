"""No hub, no name, no answer, no usable proxy: one message with code and fix. Broken transfers are in
``tests/models/test_download.py``."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from llmtester.cli.app import app
from llmtester.cli.console import guarded
from llmtester.domain.errors import NetworkError
from llmtester.models.hub import find
from llmtester.models.hub_options import HubOptions
from llmtester.models.retry import Stop
from llmtester.models.spec import FromHub

pytestmark = pytest.mark.faults

WANTED = FromHub("owner/name", ("Q4_K_M",))


def impatient(endpoint: str) -> HubOptions:
    return HubOptions(endpoint, "", connect_s=0.3, stall_s=0.3, tries=2, backoff_s=0.01)


@pytest.mark.parametrize(
    "words",
    [
        ("models", "pull", "owner/name:Q4_K_M"),
        ("models", "pull", "https://example.invalid/x-Q4_K_M.gguf"),
        ("run", "--engine", "openai", "--set", "engine.url=http://elsewhere.invalid/v1", "--models", "x"),
    ],
    ids=" ".join,
)
def test_commands_say_so(
    home: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command that needs the network ends with code 2 and one message, not with a traceback."""
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "gopher://127.0.0.1:70")
    assert guarded(app, words) == 2
    shown = capsys.readouterr().err
    assert shown.count("error: ") == 1
    assert "ALL_PROXY" in shown
    assert "Traceback" not in shown


def test_doctor_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For doctor it is a warning among its checks."""
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "gopher://127.0.0.1:70")
    assert guarded(app, ["doctor", "--engine", "fake"]) in {0, 6}
    assert "the proxy in ALL_PROXY cannot be used" in capsys.readouterr().out


@pytest.fixture
def refusing() -> Iterator[str]:
    """An address that nobody listens on, held for the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refusing", "black_hole", "no_such_name"])
def test_a_hub_that_is_not_there(kind: str, request: pytest.FixtureRequest) -> None:
    """Refused, silent or unknown: told with the reason and what to do, after the tries and not later."""
    endpoint = "http://nothing.invalid" if kind == "no_such_name" else request.getfixturevalue(kind)
    with pytest.raises(NetworkError) as raised:
        find(WANTED, impatient(endpoint), Stop())
    assert endpoint in raised.value.what
    assert raised.value.why not in {"", "ConnectError"}
    assert "HTTPS_PROXY" in raised.value.fix


class _SignIn(BaseHTTPRequestHandler):
    body = b"<html>Welcome to the hotel. Please sign in.</html>"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Keeps the output of the tests clean."""


@pytest.mark.parametrize("body", [_SignIn.body, b"[1]", b'{"siblings": 5}', b"null", b'{"id": 1, "siblings": [{}]}'])
def test_a_page_of_a_hotel_is_no_hub(body: bytes) -> None:
    """What answers with status 200 and something else is named, with the usual reason for it."""
    handler = type("Bound", (_SignIn,), {"body": body})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(NetworkError) as raised:
            find(WANTED, impatient(endpoint), Stop())
        server.shutdown()
    assert "sign in" in raised.value.fix
