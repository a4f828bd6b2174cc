"""Disks of a test's own: a shell in a mount namespace, where small, full and read-only file systems can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


def in_own_mounts(script: str, home: Path) -> str:
    """Standard output of ``script``, run by bash in ``home`` where ``mount`` is allowed and seen by nobody else.

    ``llmtester`` is a command there. Skips the test where the system allows no such namespace: elsewhere than on Linux,
    and where containers forbid it.
    """
    if shutil.which("unshare") is None:
        pytest.skip("disks of a test's own need Linux and util-linux")
    tried = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", home], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"this system allows no disks of a test's own: {tried.stderr.strip()}")
    prelude = f'llmtester() {{ "{sys.executable}" -m llmtester "$@"; }}\n'
    done = subprocess.run(
        [*UNSHARE, "bash", "-euo", "pipefail", "-c", prelude + script],
        cwd=home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
