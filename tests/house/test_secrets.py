"""Canary tokens: secrets are given wherever llmtester takes one, and may be found nowhere afterwards."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]
KEY = "canary-key-3f9c1b7a"
TOKEN = "hf_canaryTokenOfAPerson"
WORDS = 24


class Talkative(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that repeats the key it was sent: in headers, in answers, in its errors."""

    protocol_version = "HTTP/1.1"
    refuses = False

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._json({"data": [{"id": "parrot", "owned_by": self.headers["authorization"]}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.refuses:
            self._json({"error": {"message": f"wrong key {self.headers['authorization']}"}}, 401)
            return
        prompt_tok = sum(len(message["content"]) for message in asked["messages"]) // 4
        used = {"prompt_tokens": prompt_tok, "completion_tokens": WORDS, "total_tokens": prompt_tok + WORDS}
        if not asked.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "length"}
            self._json({"choices": [choice], "usage": used})
            return
        events = [{"choices": [{"index": 0, "delta": {"content": f"w{n} "}}]} for n in range(WORDS)]
        events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}, {"choices": [], "usage": used}]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self._send(200, body.encode(), "text/event-stream")

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-echo", str(self.headers["authorization"]))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(params=[False, True], ids=["answers", "refuses"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Handler", (Talkative,), {"refuses": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def test_no_secret_is_written_or_said(home: Path, server: str) -> None:
    """A whole run at log level debug with two secrets in the environment: neither is in any file or stream."""
    words = ["run", "--engine", "openai", "--set", f"engine.url={server}", "--set", "engine.api_key_env=MY_KEY"]
    words += ["--log-level", "debug", "--json", "--quick", "--display", "plain"]
    words += ["--set", "profiles.interactive.max_trials=5", "--set", "run.seed=3"]
    environment = {**os.environ, "MY_KEY": KEY, "HF_TOKEN": TOKEN}
    command = [sys.executable, "-m", "llmtester", *words]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    files = [path for path in home.rglob("*") if path.is_file()]
    found = [path for path in files if any(secret.encode() in path.read_bytes() for secret in (KEY, TOKEN))]
    assert found == []
    assert not [secret for secret in (KEY, TOKEN) if secret.encode() in done.stdout + done.stderr]
    if done.returncode == 0:
        assert {path.suffix for path in files} >= {".jsonl", ".log", ".html", ".json", ".csv"}
    else:
        assert done.returncode in {3, 6}, done.stderr


def test_a_crash_report_holds_no_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file about a bug has arguments and traceback, and no value of a variable."""
    code = "import typer\nfrom llmtester.cli.console import guarded\napp = typer.Typer()\n"
    code += "@app.command()\ndef fail() -> None:\n    secret = __import__('os').environ['HF_TOKEN']\n    secret + 1\n"
    code += "raise SystemExit(guarded(app, []))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "HF_TOKEN": TOKEN}, capture_output=True, check=False
    )
    assert done.returncode == 1
    (log,) = home.rglob("error-*.log")
    assert TOKEN not in log.read_text() + done.stderr.decode()


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_run_folder_is_private(home: Path) -> None:
    """Even where new files are readable by all, nobody else can enter a run."""
    words = ["run", "--engine", "fake", "--models", "a?ttft_ms=1&decode_tok_per_s=5000", "--quick", "--display", "none"]
    command = f"umask 000; exec {sys.executable} -m llmtester {' '.join(repr(word) for word in words)}"
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    (folder,) = (path for path in (home / "llmtester-runs").iterdir() if path.is_dir())
    assert folder.stat().st_mode & 0o077 == 0


def test_what_the_page_promises_is_tested_somewhere() -> None:
    """Every file that ``SECURITY.md`` names as a proof exists."""
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []
