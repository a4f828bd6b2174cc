"""One file from an address to a partial file on disk: resumed, checked, patient, and quick to stop.

What has arrived is written at once, without a buffer of our own, so that even kill -9 loses nothing. The client of the
hub itself starts every file anew (huggingface_hub 1.18 and later), which is why the bytes do not come through it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin, urlsplit

from llmtester.domain.errors import EnvironmentNotReady, LlmtesterError, NetworkError
from llmtester.domain.proxies import refuse_unusable_proxies
from llmtester.domain.text import human_bytes, printable
from llmtester.models.hub_options import HubOptions
from llmtester.models.partial import Partial, drop
from llmtester.models.retry import Pause, Stop

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 6
MOST_DIGITS = 18
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
OnBytes: TypeAlias = Callable[[int, int | None, str], None]
"""Called with bytes on disk, bytes in all if known, and a note for people (empty while bytes flow)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to fetch. ``token`` is sent to the scheme, host and port of ``url`` and to nobody else.

    ``until_bytes`` asks for the start of the file only.
    """

    url: str
    partial: Path
    label: str
    size_bytes: int | None = None
    sha256: str | None = None
    token: str | None = None
    until_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in the partial file: bytes on disk, of the whole file if known, its SHA-256 (empty for a start), and
    the bytes that travelled in this call."""

    have_bytes: int
    size_bytes: int | None
    sha256: str
    received_bytes: int


class Interrupted(Exception):
    """The transfer was asked to stop; the partial file stays and will be resumed."""


class _Again(Exception):
    """This try failed in a way that another may not. ``error`` is raised when no try is left."""

    def __init__(self, error: LlmtesterError, retry_after: str | None = None) -> None:
        super().__init__(error.what)
        self.error = error
        self.retry_after = retry_after


class Downloader:
    """Fetches files one after the other over one connection pool. Use one for each thread.

    Raises ``ConfigurationError`` if the environment names a proxy that cannot be used.
    """

    def __init__(self, options: HubOptions, stop: Stop) -> None:
        import httpx

        refuse_unusable_proxies()
        self._options = options
        self._stop = stop
        self._client = httpx.Client(
            timeout=httpx.Timeout(options.stall_s, connect=options.connect_s),
            headers={"accept-encoding": "identity", "user-agent": "llmtester"},
        )

    def close(self) -> None:
        self._client.close()

    def fetch(self, job: Job, on_bytes: OnBytes) -> Fetched:
        """Completes ``job.partial`` (or its start) and checks it.

        A file that arrived with a wrong checksum is dropped and fetched once more, then given up. Raises
        ``NetworkError``, ``EnvironmentNotReady`` for a full disk, and ``Interrupted``; the partial file is kept
        wherever a later call can go on with it.
        """
        received = 0
        for last in (False, True):
            fetched = self._transfer(job, on_bytes)
            received += fetched.received_bytes
            if job.until_bytes is not None or job.sha256 in (None, fetched.sha256):
                return Fetched(fetched.have_bytes, fetched.size_bytes, fetched.sha256, received)
            drop(job.partial)
            if not last:
                on_bytes(0, job.size_bytes, "the checksum is wrong; fetching it once more")
        raise NetworkError(
            f"{printable(job.label)} arrived damaged twice and was not kept",
            why=f"its sha256 is not {job.sha256}",
            fix="try another network, or a mirror with HF_ENDPOINT",
        )

    def _transfer(self, job: Job, on_bytes: OnBytes) -> Fetched:
        try:
            with Partial(job.partial, checked=job.until_bytes is None) as partial:
                transfer = _Transfer(self._client, job, partial, on_bytes)
                transfer.run(Pause(self._options, self._stop), self._stop)
                sha256 = partial.finish() if job.until_bytes is None else ""
                return Fetched(partial.have, transfer.size_bytes, sha256, transfer.received_bytes)
        except OSError as error:
            raise disk_failure(error, job.label) from error


class _Transfer:
    """The tries for one file."""

    def __init__(self, client: httpx.Client, job: Job, partial: Partial, on_bytes: OnBytes) -> None:
        self._client, self._job, self._partial, self._on_bytes = client, job, partial, on_bytes
        self.size_bytes = job.size_bytes if job.size_bytes is not None else partial.size_bytes
        self._refused_range = False
        self.received_bytes = 0

    def run(self, pause: Pause, stop: Stop) -> None:
        if self.size_bytes is not None and self._partial.have > self.size_bytes:
            self._partial.restart()
        while not self._enough():
            before = self.received_bytes
            failure = self._one_try(stop)
            if failure is None:
                continue
            if self.received_bytes > before:
                pause.reset()
            note = f"{failure.error.what}; going on at {human_bytes(self._partial.have)}"
            self._on_bytes(self._partial.have, self.size_bytes, note)
            again = pause.wait(failure.retry_after)
            if stop.asked:
                raise Interrupted
            if not again:
                raise failure.error

    def _enough(self) -> bool:
        until = self._job.until_bytes
        if until is not None and self._partial.have >= until:
            return True
        return self.size_bytes is not None and self._partial.have >= self.size_bytes

    def _one_try(self, stop: Stop) -> _Again | None:
        import httpx

        try:
            if stop.asked:
                raise Interrupted
            self._request(stop)
        except _Again as again:
            return again
        except httpx.TimeoutException:
            return self._silent("no byte came within the time limit")
        except httpx.TransportError as error:
            return self._silent(str(error) or type(error).__name__)
        return None

    def _silent(self, why: str) -> _Again:
        host = printable(urlsplit(self._job.url).hostname or "")
        label = printable(self._job.label)
        return _Again(
            NetworkError(
                f"{label}: the connection to {host} failed",
                why=printable(why),
                fix="check the connection and run the same command again: it goes on where it stopped",
            )
        )

    def _request(self, stop: Stop) -> None:
        """One request and what it redirects to. The token goes to the first address's own server only."""
        url = self._job.url
        for hops in range(MAX_REDIRECTS):
            headers = self._headers(url)
            with self._client.stream("GET", url, headers=headers) as response:
                if not response.has_redirect_location:
                    socket = response.extensions["network_stream"].get_extra_info("socket")
                    with stop.watching(socket):
                        self._take(response, stop, redirected=hops > 0)
                    return
                target = urljoin(url, response.headers["location"])
                if urlsplit(target).scheme != urlsplit(url).scheme != "http":
                    raise NetworkError(f"{printable(self._job.label)}: redirected to an unprotected address")
                if self.size_bytes is None:
                    self.size_bytes = _whole(response.headers.get("x-linked-size", ""))
                url = target
        raise NetworkError(f"{printable(self._job.label)}: redirected more than {MAX_REDIRECTS} times")

    def _headers(self, url: str) -> dict[str, str]:
        headers = {}
        if self._job.token and urlsplit(url)[:2] == urlsplit(self._job.url)[:2]:
            headers["authorization"] = f"Bearer {self._job.token}"
        have, until = self._partial.have, self._job.until_bytes
        if have or until is not None:
            headers["range"] = f"bytes={have}-{'' if until is None else until - 1}"
        etag = self._partial.etag
        if have and etag and not etag.startswith("W/"):  # a weak tag promises no equal bytes
            headers["if-range"] = etag
        return headers

    def _take(self, response: httpx.Response, stop: Stop, *, redirected: bool) -> None:
        if response.status_code == 416:
            self._unsatisfiable(response)
            return
        if response.status_code not in (200, 206):
            raise self._refused(response, redirected=redirected)
        start, total = _range_of(response)
        if start not in (0, self._partial.have):
            raise _Again(NetworkError(f"{printable(self._job.label)}: the server sent another part than asked for"))
        if total is not None and self.size_bytes is not None and total != self.size_bytes:
            raise self._changed(total)
        if start == 0 and self._partial.have:
            self._on_bytes(0, total, "the file is another one now, or cannot be resumed: starting anew")
            self._partial.restart()
        if self.size_bytes is None:
            self.size_bytes = total
        self._partial.belongs_to(response.headers.get("etag"), self.size_bytes)
        self._copy(response, stop)

    def _changed(self, total: int) -> LlmtesterError | _Again:
        """Another length than promised or than before: the bytes on disk belong to another file and are dropped."""
        self._partial.restart()
        failure = NetworkError(
            f"{printable(self._job.label)} changed at its source",
            why=f"it has {total} bytes now and not {self.size_bytes}",
            fix="pull it again",
        )
        if self._job.size_bytes is not None:
            return failure
        self.size_bytes = None
        return _Again(failure)

    def _unsatisfiable(self, response: httpx.Response) -> None:
        """416: there is nothing where we wanted to go on. Either the file is whole, or it is another file."""
        total = _whole(response.headers.get("content-range", "").rpartition("/")[2])
        if total == self._partial.have and self.size_bytes in (None, self._partial.have):
            self.size_bytes = self._partial.have
            return
        label = printable(self._job.label)
        if self._refused_range:
            raise NetworkError(f"{label}: the server refuses to send the file (status 416)", fix="try again later")
        self._refused_range = True
        self._partial.restart()
        self.size_bytes = self._job.size_bytes
        raise _Again(NetworkError(f"{label}: what was fetched before belongs to another file"))

    def _refused(self, response: httpx.Response, *, redirected: bool) -> LlmtesterError | _Again:
        status, label = response.status_code, printable(self._job.label)
        host = printable(response.request.url.host)
        failure = NetworkError(f"{label}: {host} answered with status {status}", fix="try again in a few minutes")
        if status in RETRIED_STATUS:
            return _Again(failure, response.headers.get("retry-after"))
        if status in (401, 403) and redirected:
            return _Again(failure)  # signed addresses expire; asking the hub again gives a fresh one
        if status in (401, 403):
            return NetworkError(
                f"{label}: access refused (status {status})",
                why="the file is gated or private, or the token is not accepted",
                fix="accept the terms on the page of the model and set HF_TOKEN to a token with read access",
            )
        if status in (404, 410):
            return NetworkError(f"{label} is not there (status {status})", fix="check the name; it may have moved")
        return failure

    def _copy(self, response: httpx.Response, stop: Stop) -> None:
        limits = [limit for limit in (self.size_bytes, self._job.until_bytes) if limit is not None]
        limit = min(limits) if limits else None
        for chunk in response.iter_raw():
            self.received_bytes += len(chunk)
            taken = chunk if limit is None else chunk[: limit - self._partial.have]
            self._partial.append(taken)
            self._on_bytes(self._partial.have, self.size_bytes, "")
            if stop.asked:
                raise Interrupted
            if limit is not None and self._partial.have >= limit:
                return
        if self.size_bytes is None and self._job.until_bytes is None:
            self.size_bytes = self._partial.have  # a stream of unknown length that ended properly is whole


def _range_of(response: httpx.Response) -> tuple[int, int | None]:
    """First byte of the body within the file, and the length of the file if the server says it."""
    if response.status_code == 200:
        return 0, _whole(response.headers.get("content-length", ""))
    span, _, total = response.headers.get("content-range", "").removeprefix("bytes ").partition("/")
    first = _whole(span.partition("-")[0])
    return (-1, None) if first is None else (first, _whole(total))


def _whole(text: str) -> int | None:
    """A number of bytes that a server wrote; ``None`` for what is none, or more than any disk holds."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def disk_failure(error: OSError, label: str) -> EnvironmentNotReady:
    """The error for a disk that is full or cannot be written; what has arrived stays."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentNotReady(
            f"the disk is full while {printable(label)} arrives",
            why=error.strerror or "",
            fix="free some space and run the same command again: it goes on where it stopped",
        )
    return EnvironmentNotReady(
        f"{printable(label)} cannot be written",
        why=printable(str(error)),
        fix="check the first folder of `models.folders`",
    )
