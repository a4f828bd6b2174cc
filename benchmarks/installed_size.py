"""The promise: what ``pip install llmtester`` brings stays under 300 MB. Measured in a fresh environment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

LIMIT_BYTES = 300_000_000


def run() -> dict[str, object]:
    """Installs the base set into a temporary environment and adds up its files."""
    project = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        before_bytes = _size_bytes(Path(folder))
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", str(project)]
        subprocess.run(command, check=True)
        installed_bytes = _size_bytes(Path(folder)) - before_bytes
    return {
        "name": "installed_size",
        "promise": "the base set takes less than 300 MB",
        "measured": installed_bytes / 1e6,
        "limit": LIMIT_BYTES / 1e6,
        "unit": "MB",
        "passed": installed_bytes < LIMIT_BYTES,
    }


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    found = run()
    verdict = "PASS" if found["passed"] else "FAIL"
    print(f"{found['name']}: {found['measured']:.0f} MB (limit {found['limit']:.0f}) {verdict}")
    sys.exit(0 if found["passed"] else 1)
