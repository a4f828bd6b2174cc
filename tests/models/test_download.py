"""The downloader against a content server that cuts, stalls, corrupts, refuses and changes its mind."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtester.domain.errors import EnvironmentNotReady, NetworkError
from llmtester.models.checksum import GrowingChecksum
from llmtester.models.download import Downloader, Fetched, Interrupted, Job
from llmtester.models.hub_options import HubOptions
from llmtester.models.retry import Pause, Stop
from tests.models.fake_hub import FakeHub, Fault, running

CONTENT = Random(1).randbytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Fetch:
    """One file of the fake hub and a downloader for it."""

    def __init__(self, hub: FakeHub, options: HubOptions, tmp_path: Path) -> None:
        self.hub, self.notes = hub, list[str]()
        self.file = hub.add("o/m", "m.gguf", CONTENT)
        self.stop = Stop()
        self.downloader = Downloader(options, self.stop)
        self.job = Job(
            f"{hub.endpoint}/o/m/resolve/main/m.gguf", tmp_path / "x.part", "m.gguf", len(CONTENT), SHA256, "hf_secret"
        )

    def __call__(self, **changes: object) -> Fetched:
        return self.downloader.fetch(replace(self.job, **changes), self.on_bytes)  # type: ignore[arg-type]  # fields of Job

    def on_bytes(self, done: int, total: int | None, note: str) -> None:
        if note:
            self.notes.append(note)

    @property
    def content(self) -> bytes:
        return self.job.partial.read_bytes()

    @property
    def ranges(self) -> list[str | None]:
        return [seen.headers.get("range") for seen in self.hub.seen if seen.server == "content"]


@pytest.fixture
def fetch(hub: FakeHub, hub_options: HubOptions, tmp_path: Path) -> Fetch:
    return Fetch(hub, hub_options, tmp_path)


def test_a_quiet_line(fetch: Fetch) -> None:
    """Without faults the file arrives whole, checked, in one request, and no byte travels twice."""
    assert fetch() == Fetched(len(CONTENT), len(CONTENT), SHA256, len(CONTENT))
    assert fetch.content == CONTENT
    assert fetch.ranges == [None]


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_is_resumed(fetch: Fetch, reset: bool) -> None:
    """After a cut the next request asks for the rest, on the condition that the file is still the same."""
    fetch.hub.faults.append(Fault(cut_after=300_000, reset=reset))
    fetched = fetch()
    assert fetch.content == CONTENT
    assert fetched.received_bytes == len(CONTENT)
    resumed = [seen for seen in fetch.hub.seen if seen.server == "content"][1]
    assert resumed.headers["if-range"] == fetch.file.etag
    if not reset:
        assert resumed.headers["range"] == "bytes=300000-"
    assert "going on at" in fetch.notes[0]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 200_000), max_size=12))
def test_any_cuts_give_the_same_file(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    """Wherever the line breaks, and however often, the file arrives right and nothing travels twice."""
    with running() as hub:
        options = HubOptions(endpoint=hub.endpoint, token="", tries=3, backoff_s=0.001)
        fetch = Fetch(hub, options, tmp_path_factory.mktemp("cut"))
        hub.faults.extend(Fault(cut_after=cut) for cut in cuts)
        assert fetch().received_bytes == len(CONTENT)
        assert fetch.content == CONTENT


def test_cuts_with_progress_do_not_use_up_the_tries(fetch: Fetch) -> None:
    """A line that drops ten times but moves on is not given up, although only three tries in a row may fail."""
    fetch.hub.faults.extend([Fault(cut_after=50_000)] * 10)
    fetch()
    assert fetch.content == CONTENT


def test_a_stall_is_noticed(fetch: Fetch) -> None:
    """A server that goes silent is left after the time limit, and the transfer goes on with another request."""
    fetch.hub.faults.append(Fault(stall_after=100_000))
    fetch()
    assert fetch.content == CONTENT
    assert "failed" in fetch.notes[0]


def test_a_server_that_is_gone_is_given_up(fetch: Fetch) -> None:
    """Nobody answers: after the tries a clear error, and what had come is kept."""
    fetch.hub.faults.append(Fault(cut_after=1000))
    fetch.hub.faults.extend([Fault(cut_after=0)] * 9)
    with pytest.raises(NetworkError, match="the connection to") as caught:
        fetch()
    assert "goes on where it stopped" in caught.value.fix
    assert fetch.content == CONTENT[:1000]


def test_a_server_that_ignores_ranges_starts_over(fetch: Fetch) -> None:
    """A 200 where a 206 was asked for replaces what was there instead of being appended to it."""
    fetch.hub.faults.extend([Fault(cut_after=1000), Fault(ignore_range=True)])
    assert fetch().received_bytes == len(CONTENT) + 1000
    assert fetch.content == CONTENT


def test_a_changed_file_starts_over(fetch: Fetch) -> None:
    """When the ETag changed, the bytes of the old version are not mixed with those of the new."""
    fetch.job.partial.write_bytes(b"old" * 1000)
    fetch.job.partial.with_suffix(".json").write_text(json.dumps({"etag": '"old"', "size_bytes": len(CONTENT)}))
    fetch()
    assert fetch.content == CONTENT
    assert "another one now" in fetch.notes[0]


def test_a_file_of_another_length_is_refused(fetch: Fetch) -> None:
    """A source that sends another length than the hub promised has changed; nothing of it is kept."""
    with pytest.raises(NetworkError, match="changed at its source"):
        fetch(size_bytes=len(CONTENT) - 5)
    assert fetch.content == b""


def test_a_wrong_part_is_not_written(fetch: Fetch) -> None:
    """An answer that starts elsewhere than asked for is thrown away and asked for again."""
    fetch.hub.faults.extend([Fault(cut_after=1000), Fault(wrong_start=True)])
    fetch()
    assert fetch.content == CONTENT


def test_damage_is_found_and_repaired(fetch: Fetch) -> None:
    """One flipped byte: the checksum is wrong, the file is dropped and fetched once more."""
    fetch.hub.faults.append(Fault(corrupt_at=5000))
    assert fetch().received_bytes == 2 * len(CONTENT)
    assert fetch.content == CONTENT
    assert "checksum" in fetch.notes[0]


def test_damage_twice_is_an_error(fetch: Fetch) -> None:
    """Damaged again: the file is dropped and the error says so."""
    fetch.hub.faults.extend([Fault(corrupt_at=5000)] * 2)
    with pytest.raises(NetworkError, match="damaged twice"):
        fetch()
    assert not fetch.job.partial.exists()


def test_a_partial_file_that_is_too_long_is_dropped(fetch: Fetch) -> None:
    """Bytes beyond the promised length mean another file."""
    fetch.job.partial.write_bytes(CONTENT + b"more")
    fetch()
    assert fetch.content == CONTENT


def test_a_whole_partial_file_needs_no_request(fetch: Fetch) -> None:
    """If everything had arrived before the interruption, only the checksum is computed."""
    fetch.job.partial.write_bytes(CONTENT)
    assert fetch().received_bytes == 0
    assert fetch.hub.seen == []


def test_416_with_the_whole_file_is_success(fetch: Fetch) -> None:
    """Without a known length, a range behind the end says that the file is whole."""
    fetch.job.partial.write_bytes(CONTENT)
    assert fetch(size_bytes=None, sha256=None).sha256 == SHA256


def test_416_for_another_file_starts_over(fetch: Fetch) -> None:
    """A range behind the end of a shorter file drops what was there, and gives up if the server insists."""
    fetch.job.partial.write_bytes(CONTENT + b"other")
    assert fetch(size_bytes=None, sha256=None).sha256 == SHA256
    fetch.job.partial.write_bytes(b"x")
    fetch.hub.faults.extend([Fault(status=416)] * 2)
    with pytest.raises(NetworkError, match="416"):
        fetch(size_bytes=None, sha256=None)


@pytest.mark.parametrize(("status", "says"), [(404, "not there"), (410, "not there"), (400, "status 400")])
def test_final_refusals_are_not_retried(fetch: Fetch, status: int, says: str) -> None:
    """A status that will not change is reported after one request."""
    fetch.hub.faults.append(Fault(status=status))
    with pytest.raises(NetworkError, match=says):
        fetch()
    assert len(fetch.ranges) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_servers_are_asked_again(fetch: Fetch, status: int) -> None:
    """Too many requests and server errors pass, with the pause that the server asked for."""
    fetch.hub.faults.append(Fault(status=status, retry_after="0"))
    fetch()
    assert fetch.content == CONTENT


def test_busy_forever_is_given_up(fetch: Fetch) -> None:
    """A server that stays busy ends in an error with its status."""
    fetch.hub.faults.extend([Fault(status=503)] * 9)
    with pytest.raises(NetworkError, match="503"):
        fetch()


def test_an_expired_signature_is_renewed(fetch: Fetch) -> None:
    """A content server that says 403 is asked again through the hub, which signs a fresh address."""
    fetch.hub.faults.extend([Fault(cut_after=1000), Fault(status=403)])
    fetch()
    assert fetch.content == CONTENT
    assert sum(seen.server == "hub" for seen in fetch.hub.seen) == 3


def test_access_refused_by_the_hub_is_final(fetch: Fetch) -> None:
    """401 and 403 of the hub itself say how to get access."""
    fetch.hub.hub_faults.append(Fault(status=403))
    with pytest.raises(NetworkError, match="access refused") as caught:
        fetch()
    assert "HF_TOKEN" in caught.value.fix


def test_the_token_goes_to_the_hub_only(fetch: Fetch) -> None:
    """The content server on another port never sees the token, and no note or error shows it."""
    fetch.hub.faults.append(Fault(status=404))
    with pytest.raises(NetworkError) as caught:
        fetch()
    authorized = {(seen.server, seen.headers.get("authorization")) for seen in fetch.hub.seen}
    assert authorized == {("hub", "Bearer hf_secret"), ("content", None)}
    assert "hf_secret" not in f"{caught.value} {fetch.notes}"


def test_the_start_of_a_file(fetch: Fetch) -> None:
    """The first bytes can be had alone, and the whole file later goes on behind them."""
    start = fetch(until_bytes=100_000)
    assert (start.have_bytes, start.size_bytes) == (100_000, len(CONTENT))
    assert fetch().received_bytes == len(CONTENT) - 100_000
    assert fetch.ranges == ["bytes=0-99999", "bytes=100000-"]


def test_a_full_disk_keeps_what_has_come(fetch: Fetch) -> None:
    """A write that fails for lack of space is an error with a way on, and the partial file stays."""
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, previous[1]))
    try:
        with pytest.raises(EnvironmentNotReady) as caught:
            fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, ignored)
    assert "cannot be written" in caught.value.what
    assert fetch.content == CONTENT[:200_000]
    fetch()
    assert fetch.content == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_no_space_left_says_so(fetch: Fetch) -> None:
    """The error of a full device names the disk and how to go on."""
    (fetch.job.partial.parent / "full").mkdir()
    link = fetch.job.partial.parent / "full" / "x.part"
    link.symlink_to("/dev/full")
    with pytest.raises(EnvironmentNotReady, match="disk is full") as caught:
        fetch(partial=link)
    assert "goes on where it stopped" in caught.value.fix


def test_stopping_wakes_a_silent_transfer(hub: FakeHub, tmp_path: Path) -> None:
    """A wish to stop ends a transfer that waits for a silent server long before its time limit."""
    patient = HubOptions(endpoint=hub.endpoint, token="", stall_s=60, tries=3)
    fetch = Fetch(hub, patient, tmp_path)
    hub.faults.append(Fault(stall_after=1000))
    threading.Timer(0.3, fetch.stop.ask).start()
    with pytest.raises(Interrupted):
        fetch()
    assert fetch.content == CONTENT[:1000]


def test_pauses_grow_and_stay_below_the_cap() -> None:
    """Pauses double with jitter up to the cap, and a server's own wish is honoured up to the cap."""
    pause = Pause(HubOptions(backoff_s=1, backoff_cap_s=8, tries=99), Stop())
    for failed, ceiling in ((1, 1), (2, 2), (3, 4), (4, 8), (9, 8)):
        pause.failed = failed
        assert all(ceiling / 2 <= pause.next_s(None) <= ceiling for _ in range(50))
    assert (pause.next_s("5"), pause.next_s("500")) == (5, 8)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=300_000), max_size=5))
def test_a_growing_checksum_is_the_checksum(tmp_path: Path, parts: list[bytes]) -> None:
    """However a file grows, the checksum that follows it equals that of the whole."""
    path = tmp_path / "growing"
    path.write_bytes(b"")
    checksum, count = GrowingChecksum(path), 0
    with path.open("ab", buffering=0) as file:
        for part in parts:
            count += file.write(part)
            checksum.written(count)
    assert checksum.result(count) == hashlib.sha256(b"".join(parts)).hexdigest()


CHILD = """
import sys
from pathlib import Path
from llmtester.models.download import Downloader, Job
from llmtester.models.hub_options import HubOptions
from llmtester.models.retry import Stop
url, partial, size, sha256 = sys.argv[1:]
job = Job(url, Path(partial), "m.gguf", int(size), sha256)
Downloader(HubOptions(), Stop()).fetch(job, lambda done, total, note: print(done, flush=True))
"""


@pytest.mark.faults
def test_kill_9_loses_nothing(fetch: Fetch) -> None:
    """A process killed in the middle leaves every byte it had reported, and the next one goes on behind them."""
    fetch.hub.bytes_per_s = 1_000_000
    command = [sys.executable, "-c", CHILD, fetch.job.url, str(fetch.job.partial), str(len(CONTENT)), SHA256]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert child.stdout is not None
    reported = 0
    for line in child.stdout:
        reported = int(line)
        if reported > 150_000:
            break
    child.kill()
    child.communicate()
    have = fetch.job.partial.stat().st_size
    assert reported <= have < len(CONTENT)
    fetch.hub.bytes_per_s = None
    assert fetch().received_bytes == len(CONTENT) - have
    assert fetch.content == CONTENT
