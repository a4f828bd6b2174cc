"""A folder of 1,000 model files: scanned cold, scanned again, and the memory of the scanning process.

``python -m benchmarks.models_scan``. Twenty families of vocabularies (32k to 64k tokens, half of them with merges) with
fifty files each, as quantizations and fine-tunes share a tokenizer. Cold means: no facts cache, and the pages of the
files dropped where the system allows it. Each scan runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.models_files import vocabulary_bytes

FAMILIES = 20
FILES_PER_FAMILY = 50
COLD_LIMIT_S = 20.0
WARM_LIMIT_S = 0.5
MEMORY_LIMIT_BYTES = 120_000_000

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from llmtester.models.library import ModelManager
started = time.perf_counter()
scan = ModelManager([Path(sys.argv[1])], Path(sys.argv[2])).scan()
taken_s = time.perf_counter() - started
peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([len(scan.models), len(scan.unusable), taken_s, peak_bytes]))
"""


def run() -> dict[str, object]:
    """Seconds of the cold scan, with those of the warm one and the peak memory of both."""
    with tempfile.TemporaryDirectory() as temporary:
        models, cache = Path(temporary) / "models", Path(temporary) / "cache"
        header_bytes = _fill(models)
        cold = _scan(models, cache)
        warm = min((_scan(models, cache) for _ in range(3)), key=lambda figures: figures[2])
    count = FAMILIES * FILES_PER_FAMILY
    complete = cold[:2] == warm[:2] == [count, 0]
    peak_bytes = max(cold[3], warm[3])
    return {
        "name": "models_scan",
        "promise": "1,000 files cold <= 20 s, warm <= 0.5 s, memory <= 120 MB",
        "measured": cold[2],
        "limit": COLD_LIMIT_S,
        "unit": "s",
        "passed": complete and cold[2] <= COLD_LIMIT_S and warm[2] <= WARM_LIMIT_S and peak_bytes <= MEMORY_LIMIT_BYTES,
        "warm_s": warm[2],
        "peak_bytes": peak_bytes,
        "files_count": count,
        "header_bytes": header_bytes,
    }


def _fill(folder: Path) -> int:
    """Writes the files, each with a name and a last block of its own; bytes of all headers together."""
    total = 0
    for family in range(FAMILIES):
        vocabulary = 32_000 + 1_600 * family
        content = vocabulary_bytes(vocabulary, vocabulary if family % 2 else 0, "Family 000000000", family=family)
        where = folder / f"family{family:02d}"
        where.mkdir(parents=True)
        for number in range(FILES_PER_FAMILY):
            path = where / f"model{number:03d}-Q8_0.gguf"
            own = content.replace(b"Family 000000000", b"Family %09d" % (family * 1000 + number), 1)
            with path.open("wb") as file:
                file.write(own)
                os.fsync(file.fileno())
                if hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            total += len(own)
    return total


def _scan(models: Path, cache: Path) -> list[float]:
    """Models, unusable files, seconds and peak bytes of one scan."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(models), str(cache)], capture_output=True, check=True, text=True
    )
    figures: list[float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Prints times and memory."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
