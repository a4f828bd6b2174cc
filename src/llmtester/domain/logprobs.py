"""Log-probabilities of generated tokens as one compact string, so that a journal holds them as one value.

Format 1, base64 of little-endian: version (u8), positions (u32), then for each position token (i32), its logprob
(f32), entries of its list (u16) and the entries (i32, f32). Forty positions of sixty entries take 26 kB.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = 1
_HEADER = struct.Struct("<BI")
_POSITION = struct.Struct("<ifH")
_ENTRY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Position:
    """One generated token: its id, its natural log-probability, and the likeliest ``(id, logprob)``, best first."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


def pack(positions: Sequence[Position]) -> str:
    """The positions as ASCII text; ``""`` for none. Probabilities keep the precision of 32-bit floats."""
    if not positions:
        return ""
    parts = [_HEADER.pack(VERSION, len(positions))]
    for position in positions:
        parts.append(_POSITION.pack(position.token, position.logprob, len(position.top)))
        flat = [value for entry in position.top for value in entry]
        parts.append(struct.pack("<" + "if" * len(position.top), *flat))
    return base64.b64encode(b"".join(parts)).decode("ascii")


def unpack(packed: str) -> tuple[Position, ...]:
    """What ``pack`` was given, in 32-bit precision. Raises ``ValueError`` for text that ``pack`` did not write."""
    if not packed:
        return ()
    try:
        return _unpacked(base64.b64decode(packed, validate=True))
    except (binascii.Error, struct.error) as error:
        raise ValueError(f"not packed log-probabilities: {error}") from error


def _unpacked(data: bytes) -> tuple[Position, ...]:
    version, count = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"log-probabilities of format {version}; this version reads {VERSION}")
    offset = _HEADER.size
    positions = []
    for _ in range(count):
        token, logprob, entries = _POSITION.unpack_from(data, offset)
        offset += _POSITION.size
        end = offset + entries * _ENTRY_BYTES
        if end > len(data):
            raise ValueError("packed log-probabilities end too early")
        top = tuple(struct.iter_unpack("<if", data[offset:end]))
        positions.append(Position(token, logprob, top))
        offset = end
    if offset != len(data):
        raise ValueError("packed log-probabilities are followed by something else")
    return tuple(positions)
