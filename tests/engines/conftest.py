"""Real servers on a real model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtester.domain.work import ModelRef


@pytest.fixture(autouse=True, scope="session")
def patient_threads() -> Iterator[None]:
    """Threads of servers sleep while they wait: beside other load, spinning ones are 40 times slower."""
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = "passive"
    yield
    if before is None:
        del os.environ["OMP_WAIT_POLICY"]
    else:
        os.environ["OMP_WAIT_POLICY"] = before


def model(path: Path) -> ModelRef:
    return ModelRef(path.stem, "test", str(path), path.stat().st_size if path.exists() else 0, "fingerprint")
