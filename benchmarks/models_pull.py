"""A 200 MB model from the local fake hub: as fast as ``curl``, and whole after twenty cuts.

``python -m benchmarks.models_pull``. The hub runs in a process of its own; ``curl`` and llmtester take turns, and the
best round of each is compared, because other work on the machine only ever adds time. Ours is the transfer with writing
and SHA-256; ``curl`` only writes. The time of a whole pull (metadata, header, transfer, fsync, record, scan) is shown
beside it. The checksum needs a core of its own, so each turn waits up to ``QUIET_WITHIN_S`` for a quiet machine; where
all cores stay busy with other work, expect about 0.6.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import psutil
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors

from llmtester.models.download import Downloader, Job
from llmtester.models.hub_options import HubOptions
from llmtester.models.library import ModelManager
from llmtester.models.retry import Stop

ROUNDS = 15
LEAST_RATIO = 0.7
QUIET_WITHIN_S = 20.0
QUIET_PERCENT = 15.0
"""Use of all cores by anybody, above which a turn waits."""
CUTS = 20
TWICE_LIMIT_RATIO = 0.02
REPOSITORY = "bench/Big-GGUF"
FILE = "Big-Q8_0.gguf"


def run() -> dict[str, object]:
    """Our rate as a share of curl's; and the share of bytes that travelled twice over the cuts."""
    if shutil.which("curl") is None:
        raise SystemExit("this benchmark needs curl")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        size, sha256 = _stock(folder / "hub")
        hub = subprocess.Popen(
            [sys.executable, "-m", "tests.models.fake_hub", str(folder / "hub")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert hub.stdout is not None
            endpoint = hub.stdout.readline().strip()
            ours_s, curl_s, whole_s = _race(endpoint, folder, size, sha256)
            right, twice_ratio = _with_cuts(hub, endpoint, folder, size, sha256)
        finally:
            hub.terminate()
            hub.communicate()
    ratio = curl_s / ours_s
    return {
        "name": "models_pull",
        "promise": "200 MB at >= 0.7 of curl; 20 cuts: right checksum, <= 2 % fetched twice",
        "measured": ratio,
        "limit": LEAST_RATIO,
        "unit": "of curl",
        "passed": ratio >= LEAST_RATIO and right and twice_ratio <= TWICE_LIMIT_RATIO,
        "fetched_twice_ratio": twice_ratio,
        "right_checksum": right,
        "ours_bytes_per_s": size / ours_s,
        "curl_bytes_per_s": size / curl_s,
        "whole_pull_s": whole_s,
        "load_average": os.getloadavg()[0],
    }


def _stock(hub: Path) -> tuple[int, str]:
    """Puts a model of 200 MB of random weights into the folder of the hub; its size and checksum."""
    path = hub / REPOSITORY / FILE
    path.parent.mkdir(parents=True)
    weights = ("blk.1.big.weight", (1024, 1024, 47), 0)
    content = gguf_bytes(llama_metadata("Big"), [*llama_tensors(), weights])
    random = Random(1).randbytes(1 << 20)
    head = len(content) - 47 * 4 * (1 << 20)
    with path.open("wb") as file:
        file.write(content[:head])
        for number in range(47 * 4):
            file.write(bytes([number]) + random[1:])
    data = path.read_bytes()
    return len(data), hashlib.sha256(data).hexdigest()


def _job(endpoint: str, partial: Path, size: int, sha256: str) -> Job:
    return Job(f"{endpoint}/{REPOSITORY}/resolve/main/{FILE}", partial, FILE, size, sha256)


def _race(endpoint: str, folder: Path, size: int, sha256: str) -> tuple[float, float, float]:
    """Seconds of the best round of our transfer, of curl's, and of a whole pull."""
    downloader = Downloader(HubOptions(endpoint=endpoint, token=""), Stop())
    url = f"{endpoint}/{REPOSITORY}/resolve/main/{FILE}"
    taken: dict[str, list[float]] = {"ours": [], "curl": [], "whole": []}
    for turn in range(ROUNDS + 1):
        _wait_for_quiet()
        target = folder / "target"
        runs: dict[str, Callable[[], object]] = {
            "curl": lambda: subprocess.run(["curl", "-sSL", "-o", str(folder / "target"), url], check=True),
            "ours": lambda: downloader.fetch(_job(endpoint, folder / "target", size, sha256), lambda *_: None),
        }
        for name, work in runs.items():
            target.unlink(missing_ok=True)
            seconds = _seconds(work)
            if turn:  # the first turn fills the caches
                taken[name].append(seconds)
    for _ in range(3):
        shutil.rmtree(folder / "models", ignore_errors=True)
        manager = ModelManager([folder / "models"], folder / "cache", None, HubOptions(endpoint=endpoint, token=""))
        taken["whole"].append(_seconds(lambda: manager.pull(f"{REPOSITORY}:Q8_0")))  # noqa: B023 (called at once)
    downloader.close()
    return min(taken["ours"]), min(taken["curl"]), min(taken["whole"])


def _wait_for_quiet() -> None:
    deadline_s = time.monotonic() + QUIET_WITHIN_S
    while psutil.cpu_percent(interval=0.3) > QUIET_PERCENT and time.monotonic() < deadline_s:
        continue


def _with_cuts(hub: subprocess.Popen[str], endpoint: str, folder: Path, size: int, sha256: str) -> tuple[bool, float]:
    """Whether the checksum is right after the cuts, and which share of the file the hub had to send twice."""
    assert hub.stdin is not None
    assert hub.stdout is not None
    random = Random(20)
    places = sorted(random.sample(range(1, size), CUTS))
    lengths = [place - before for before, place in zip([0, *places], places, strict=False)]
    before = _sent(hub)
    for length in lengths:
        hub.stdin.write(json.dumps({"cut_after": length}) + "\n")
    hub.stdin.flush()
    partial = folder / "cut.part"
    options = HubOptions(endpoint=endpoint, token="", backoff_s=0.01)
    fetched = Downloader(options, Stop()).fetch(_job(endpoint, partial, size, sha256), lambda *_: None)
    right = fetched.sha256 == sha256 == hashlib.sha256(partial.read_bytes()).hexdigest()
    return right, (_sent(hub) - before - size) / size


def _sent(hub: subprocess.Popen[str]) -> int:
    assert hub.stdin is not None
    assert hub.stdout is not None
    hub.stdin.write("sent\n")
    hub.stdin.flush()
    return int(hub.stdout.readline())


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Prints rates and ratios."""
    result = run()
    print({key: value for key, value in result.items() if key not in ("name", "promise")})
    print(f"{'PASS' if result['passed'] else 'FAIL'}: {result['measured']:.2f} of curl; {result['promise']}")


if __name__ == "__main__":
    main()
