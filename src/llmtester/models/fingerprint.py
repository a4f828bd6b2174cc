"""A cheap identity of a model file: equal fingerprints are taken for equal content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

HEADER_BYTES = 64 << 10
PROBES_COUNT = 8
PROBE_BYTES = 16 << 10


def fingerprint(path: Path, data_at_byte: int) -> str:
    """32 hexadecimal digits from the length, both ends of the header and eight probes of the tensor data.

    The end of the header holds the tensor table and the chat template; training changes nearly every block of the
    data, so eight probes tell two checkpoints of one recipe apart. Reads at most 256 KiB. Raises ``OSError``.
    """
    size = path.stat().st_size
    hashed = hashlib.sha256(f"llmtester fingerprint 1, {size} bytes, data at {data_at_byte}".encode())
    with path.open("rb", buffering=0) as file:
        for start, length in _regions(size, data_at_byte):
            file.seek(start)
            hashed.update(file.read(length))
    return hashed.hexdigest()[:32]


def _regions(size: int, data_at_byte: int) -> list[tuple[int, int]]:
    header = min(data_at_byte, size)
    if header <= 2 * HEADER_BYTES:
        regions = [(0, header)]
    else:
        regions = [(0, HEADER_BYTES), (header - HEADER_BYTES, HEADER_BYTES)]
    last = max(size - PROBE_BYTES, header)
    step = (last - header) / (PROBES_COUNT - 1)
    starts = dict.fromkeys(header + round(step * index) for index in range(PROBES_COUNT))
    return regions + [(start, min(PROBE_BYTES, size - start)) for start in starts if start < size]


def combined(fingerprints: Sequence[str]) -> str:
    """One fingerprint for all parts of a split model."""
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256(" ".join(fingerprints).encode()).hexdigest()[:32]
