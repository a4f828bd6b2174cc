"""A model hub on this machine that speaks the protocol of the real one to the real client, and misbehaves on demand.

Two servers: the hub itself (metadata, and ``resolve`` addresses that redirect) and a content server on another port
(ranges, ETags, signed addresses). ``python -m tests.models.fake_hub FOLDER`` serves a folder of repositories from a
process of its own and prints the address of the hub, for measurements.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
BLOCK_BYTES = 1 << 16


@dataclass
class HubFile:
    """One file of a repository, in memory or on disk."""

    content: bytes | Path
    etag: str = ""
    sha256: str = ""
    large: bool = True

    def __post_init__(self) -> None:
        if not self.sha256:
            self.sha256 = hashlib.sha256(self.read()).hexdigest()
        self.etag = self.etag or f'"{self.sha256}"'

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    @property
    def size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)


@dataclass
class Repository:
    files: dict[str, HubFile] = field(default_factory=dict)
    licence: str | None = "apache-2.0"
    gated: bool = False
    private: bool = False
    needs_token: str | None = None


@dataclass(frozen=True)
class Fault:
    """What one answer does wrong. Counts are bytes of its body."""

    status: int | None = None
    retry_after: str | None = None
    cut_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    corrupt_at: int | None = None
    ignore_range: bool = False
    wrong_start: bool = False
    bytes_per_s: float | None = None


@dataclass(frozen=True)
class Seen:
    """One request as a server saw it."""

    server: str
    method: str
    path: str
    headers: dict[str, str]


class FakeHub:
    """``repositories`` by ``owner/name``; ``faults`` (content server) and ``hub_faults`` (hub) are used up one
    for each request; ``seen`` keeps every request, ``sent_bytes`` counts the bodies that were written."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults: deque[Fault] = deque()
        self.hub_faults: deque[Fault] = deque()
        self.seen: list[Seen] = []
        self.sent_bytes = 0
        self.signature = "first"
        self.bytes_per_s: float | None = None
        self.closing = threading.Event()
        self._content = _server(self, _ContentHandler)
        self._hub = _server(self, _HubHandler)
        self.endpoint = f"http://127.0.0.1:{self._hub.server_address[1]}"
        self.content_endpoint = f"http://localhost:{self._content.server_address[1]}"

    def add(self, repository: str, path: str, content: bytes | Path, **more: Any) -> HubFile:
        """Puts a file into a repository, which is made if it is not there."""
        file = HubFile(content, **more)
        self.repositories.setdefault(repository, Repository()).files[path] = file
        return file

    def close(self) -> None:
        self.closing.set()
        for server in (self._hub, self._content):
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left in the middle is what these tests are about; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _server(hub: FakeHub, handler: type[_Handler]) -> ThreadingHTTPServer:
    server = _Server(("127.0.0.1", 0), type("Bound", (handler,), {"hub": hub}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub
    name = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Keeps the output of the tests clean."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.seen.append(Seen(self.name, self.command, self.path, headers))
        with contextlib.suppress(ConnectionError, TimeoutError):  # the client left
            self.answer(urlsplit(self.path))

    def answer(self, address: Any) -> None:
        raise NotImplementedError

    def small(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _HubHandler(_Handler):
    name = "hub"

    def answer(self, address: Any) -> None:
        fault = self.hub.hub_faults.popleft() if self.hub.hub_faults else Fault()
        if fault.stall_after is not None:
            self.hub.closing.wait(30)
            return
        if fault.status is not None:
            more = {"retry_after": fault.retry_after} if fault.retry_after else {}
            self.small(fault.status, b'{"error":"as asked"}', **more)
            return
        parts = [unquote(part) for part in address.path.split("/") if part]
        if parts[:2] == ["api", "models"]:
            self.metadata("/".join(parts[2:4]), parts[5] if len(parts) > 5 else None)
        else:
            self.resolve("/".join(parts[:2]), "/".join(parts[4:]))

    def allowed(self, repository: str) -> Repository | None:
        found = self.hub.repositories.get(repository)
        given = self.headers.get("authorization", "").removeprefix("Bearer ")
        if found is None or (found.private and given != found.needs_token):
            self.small(401, b'{"error":"Repository not found"}', x_error_code="RepoNotFound")
            return None
        return found

    def metadata(self, repository: str, revision: str | None) -> None:
        found = self.allowed(repository)
        if found is None:
            return
        if revision not in (None, "main", COMMIT):
            self.small(404, b'{"error":"no such revision"}', x_error_code="RevisionNotFound")
            return
        siblings = []
        for path, file in found.files.items():
            entry: dict[str, Any] = {"rfilename": path, "size": file.size, "blobId": "0" * 40}
            if file.large:
                entry["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
            siblings.append(entry)
        data: dict[str, Any] = {
            "_id": "1",
            "id": repository,
            "modelId": repository,
            "sha": COMMIT,
            "siblings": siblings,
        }
        data |= {"private": found.private, "gated": "manual" if found.gated else False, "downloads": 0, "likes": 0}
        tags = [f"license:{found.licence}"] if found.licence else []
        data |= {"tags": tags, "cardData": {"license": found.licence} if found.licence else {}}
        self.small(200, json.dumps(data).encode(), content_type="application/json")

    def resolve(self, repository: str, path: str) -> None:
        found = self.allowed(repository)
        if found is None:
            return
        given = self.headers.get("authorization", "").removeprefix("Bearer ")
        if found.gated and given != found.needs_token:
            self.small(403 if given else 401, b"", x_error_code="GatedRepo")
            return
        file = found.files.get(path)
        if file is None:
            self.small(404, b"", x_error_code="EntryNotFound")
            return
        location = f"{self.hub.content_endpoint}/{repository}/{path}?signature={self.hub.signature}"
        self.small(
            302,
            b"",
            location=location,
            x_linked_size=str(file.size),
            x_linked_etag=f'"{file.sha256}"',
            x_repo_commit=COMMIT,
        )


class _ContentHandler(_Handler):
    name = "content"

    def answer(self, address: Any) -> None:
        fault = self.hub.faults.popleft() if self.hub.faults else Fault()
        if fault.status is not None:
            more = {"retry_after": fault.retry_after} if fault.retry_after else {}
            self.small(fault.status, b"no", **more)
            return
        if parse_qs(address.query).get("signature") not in ([self.hub.signature], None):
            self.small(403, b"expired")
            return
        parts = [unquote(part) for part in address.path.split("/") if part]
        repository = self.hub.repositories.get("/".join(parts[:2]))
        file = repository.files.get("/".join(parts[2:])) if repository else None
        if file is None:
            self.small(404)
            return
        self.content(file, fault)

    def content(self, file: HubFile, fault: Fault) -> None:
        span = self.span(file)
        if span == "unsatisfiable":
            self.small(416, b"", content_range=f"bytes */{file.size}")
            return
        partial = isinstance(span, tuple) and not fault.ignore_range
        first, last = span if isinstance(span, tuple) and partial else (0, file.size - 1)
        self.send_response(206 if partial else 200)
        if partial:
            shown = first + 1 if fault.wrong_start else first
            self.send_header("content-range", f"bytes {shown}-{last}/{file.size}")
        self.send_header("accept-ranges", "bytes")
        self.send_header("etag", file.etag)
        self.send_header("content-length", str(last - first + 1))
        self.end_headers()
        if self.command != "HEAD":
            self.body(file, first, last + 1, fault)

    def span(self, file: HubFile) -> tuple[int, int] | str | None:
        asked = self.headers.get("range")
        condition = self.headers.get("if-range")
        if not asked or (condition and condition != file.etag):
            return None
        first_text, _, last_text = asked.removeprefix("bytes=").partition("-")
        first, last = int(first_text), int(last_text) if last_text else file.size - 1
        return (first, min(last, file.size - 1)) if first < file.size else "unsatisfiable"

    def body(self, file: HubFile, first: int, end: int, fault: Fault) -> None:
        rate = fault.bytes_per_s or self.hub.bytes_per_s
        plain = fault == Fault() and rate is None
        if plain and isinstance(file.content, Path):
            with file.content.open("rb") as source:
                self.wfile.flush()
                self.hub.sent_bytes += self.connection.sendfile(source, first, end - first)
            return
        data = bytearray(file.read()[first:end])
        if fault.corrupt_at is not None and first <= fault.corrupt_at < end:
            data[fault.corrupt_at - first] ^= 0xFF
        stop_at = min(
            len(data), *(limit for limit in (fault.cut_after, fault.stall_after) if limit is not None), 1 << 62
        )
        started = time.monotonic()
        for at in range(0, stop_at, BLOCK_BYTES):
            block = data[at : min(at + BLOCK_BYTES, stop_at)]
            self.wfile.write(block)
            self.hub.sent_bytes += len(block)
            if rate is not None:
                self.hub.closing.wait(max(started + (at + len(block)) / rate - time.monotonic(), 0))
        if fault.stall_after is not None:
            self.hub.closing.wait(60)
        if stop_at < len(data):
            if fault.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True


@contextlib.contextmanager
def running() -> Iterator[FakeHub]:
    """A fake hub for the time of the block."""
    hub = FakeHub()
    try:
        yield hub
    finally:
        hub.close()


def main(folder: Path) -> None:
    """Serves ``folder/owner/name/files`` until standard input ends; the first line printed is the endpoint.

    Lines on standard input are JSON objects for ``Fault``: one for each coming answer of the content server.
    """
    with running() as hub:
        for path in sorted(folder.glob("*/*/*.gguf")):
            hub.add("/".join(path.relative_to(folder).parts[:2]), path.name, path)
        sys.stdout.write(hub.endpoint + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            if line.strip() == "sent":
                sys.stdout.write(f"{hub.sent_bytes}\n")
                sys.stdout.flush()
            else:
                hub.faults.append(Fault(**json.loads(line)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
