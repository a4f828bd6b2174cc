"""What a llama.cpp server says of itself in its log at ``-lv 4``. Pure; the text is untrusted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmtester.domain.records import Buffer
from llmtester.domain.text import printable

_BUFFER = re.compile(r"(\S+)\s+(model|KV|RS|output|compute) buffer size\s*=\s*([0-9]+(?:\.[0-9]+)?) MiB")
_REAL_LOAD = "loaded meta data"  # the fit pass before it logs buffers that are never allocated
_SYSTEM_INFO = re.compile(r"system_info: (.+)")
_FLASH_ATTENTION = re.compile(r"Flash Attention (enabled|disabled)|flash_attn\s*=\s*(enabled|disabled|0|1)")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class LoggedFacts:
    """Empty where the log says nothing. ``buffers`` are summed by device and purpose, sizes to 0.01 MiB."""

    buffers: tuple[Buffer, ...]
    system_info: str
    flash_attention: bool | None


def read_log(text: str) -> LoggedFacts:
    """The facts in the log of one start."""
    sizes: dict[tuple[str, str], float] = {}
    for device, purpose, mebibytes in _BUFFER.findall(text[max(0, text.rfind(_REAL_LOAD)) :]):
        sizes[device, purpose] = sizes.get((device, purpose), 0.0) + float(mebibytes)
    system = _SYSTEM_INFO.search(text)
    flash = [first or second for first, second in _FLASH_ATTENTION.findall(text)]
    return LoggedFacts(
        buffers=tuple(
            Buffer(printable(device, 40), purpose, round(mebibytes * _MEBIBYTE))
            for (device, purpose), mebibytes in sizes.items()
        ),
        system_info=printable(system[1].strip(" |"), 600) if system else "",
        flash_attention=flash[-1] in {"enabled", "1"} if flash else None,
    )
