"""The starter model at three quantizations, for trying whole runs: ``python -m benchmarks.ladder FOLDER``.

Needs the packages ``gguf`` and ``numpy``. The example report in ``examples/reports`` is made from these files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import quality_rungs as rungs

KINDS = ("Q8_0", "Q5_1", "Q4_0")
NAME = "SmolLM2-135M-Instruct"


def write(folder: Path) -> tuple[Path, ...]:
    """One file a kind. The starter model has 4 bits a weight already, so Q8_0 is as good as the original."""
    source = rungs.starter()
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(rungs.write(source, folder / f"{NAME}-{kind}.gguf", kind, name=NAME) for kind in KINDS)


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
