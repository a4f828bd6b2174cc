"""The promise: every Python from 3.11 on makes the same set of questions, whatever the seed of its own hashes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from llmtester.profiles.quality.question_set import standard

WANTED = ("3.11", "3.12", "3.13")
HASH_SEEDS = ("0", "1", "4242", "random")
SOURCE = Path(__file__).parents[1] / "src"
CODE = "from llmtester.profiles.quality.question_set import make; print(make().hash)"


def interpreters() -> Iterator[tuple[str, str]]:
    """Version and program of each wanted Python that this machine has: on PATH, else kept by pyenv or uv."""
    kept = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    kept.append(Path.home() / ".local" / "share" / "uv" / "python")
    for version in WANTED:
        stored = [path for folder in kept for path in sorted(folder.glob(f"*{version}.*/bin/python{version}"))]
        for program in (*map(str, stored), shutil.which(f"python{version}")):
            if program and _runs(program, version):
                yield version, program
                break


def _runs(program: str, version: str) -> bool:
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    return said.returncode == 0 and said.stdout.startswith(f"Python {version}.")


def run() -> dict[str, object]:
    """How many of the sets differ from the shipped one; kept only if all three versions are here."""
    found = dict(interpreters())
    made = {
        f"{version} seed {seed}": subprocess.run(
            [program, "-c", CODE],
            env={"PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for version, program in found.items()
        for seed in HASH_SEEDS
    }
    different = [name for name, value in made.items() if value != standard().hash]
    return {
        "name": "quality_hash",
        "promise": f"one item-set hash on Python {', '.join(WANTED)} and {len(HASH_SEEDS)} hash seeds",
        "measured": len(different),
        "limit": 0,
        "unit": "different",
        "passed": not different and set(found) == set(WANTED),
        "interpreters": sorted(found),
        "different": different,
        "hash": standard().hash,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
