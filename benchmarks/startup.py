"""How long a person waits for ``llmtester --help``, beside ``hf --help`` and beside importing Typer alone.

The commands run in turn, so that a busy moment of the machine hits all alike, and medians are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 21
WARM_UP_ROUNDS = 2
HF_LIMIT_RATIO = 0.9
"""Beside the command line of huggingface_hub, which every installation has: also Typer, about as many commands."""
TYPER_LIMIT_RATIO = 1.3
VERSION_LIMIT_RATIO = 3.0
"""``--version`` against a bare Python: facts/ux, section 2."""

# The console script imports the same function; ``-c`` leaves out the cost of ``runpy``, which it does not have either.
_CALL = "import sys; sys.argv[1:] = [{!r}]; from llmtester.__main__ import main; main()"
COMMANDS = {
    "python": "pass",
    "typer": "import typer",
    "help": _CALL.format("--help"),
    "version": _CALL.format("--version"),
    "hf": "import sys; sys.argv[:] = ['hf', '--help']; from huggingface_hub.cli.hf import main; main()",
}


def _seconds(code: str) -> float:
    started = time.perf_counter()
    # Without its look for updates, which would wait for a network.
    quiet = os.environ | {"HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    command = [sys.executable, "-c", code]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=quiet)
    return time.perf_counter() - started


def run() -> dict[str, object]:
    """The ratio of medians of ``llmtester --help`` to ``hf --help``, with all medians in milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(WARM_UP_ROUNDS + ROUNDS):
        for name, code in COMMANDS.items():
            seconds = _seconds(code)
            if turn >= WARM_UP_ROUNDS:
                taken[name].append(seconds)
    median_s = {name: statistics.median(values) for name, values in taken.items()}
    hf_ratio = median_s["help"] / median_s["hf"]
    typer_ratio = median_s["help"] / median_s["typer"]
    version_ratio = median_s["version"] / median_s["python"]
    return {
        "name": "startup",
        "promise": (
            f"--help <= {HF_LIMIT_RATIO} x `hf --help` and <= {TYPER_LIMIT_RATIO} x `import typer`, "
            f"--version <= {VERSION_LIMIT_RATIO:g} x bare Python"
        ),
        "measured": hf_ratio,
        "limit": HF_LIMIT_RATIO,
        "unit": "of hf",
        "passed": (
            hf_ratio <= HF_LIMIT_RATIO and typer_ratio <= TYPER_LIMIT_RATIO and version_ratio <= VERSION_LIMIT_RATIO
        ),
        "typer_ratio": typer_ratio,
        "version_ratio": version_ratio,
        "median_ms": {name: seconds * 1e3 for name, seconds in median_s.items()},
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
