"""Models that a server offers under names of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from llmtester.domain.work import ModelRef

_QUANTIZATION = re.compile(
    r"(?<![a-z0-9])(i?q[1-8](?:_[0-9a-z]+)*|f16|bf16|fp16|fp8|mxfp4|nvfp4|awq|gptq|w[48]a(?:8|16)|int[48]|[48]-?bit)(?![a-z0-9])",
    re.IGNORECASE,
)


def quantization_in(name: str) -> str:
    """The quantization that a model's name spells, in capitals; ``""`` if it spells none."""
    found = _QUANTIZATION.search(name.rpartition("/")[2])
    return found[1].upper().replace("-", "") if found else ""


def matching(models: Sequence[ModelRef], wanted: Sequence[str]) -> tuple[ModelRef, ...]:
    """The models that one of the names or shell patterns means; all of them without names. Case does not count.

    A name means the whole name, its last part, or ``name:quantization``.
    """
    return tuple(model for model in models if not wanted or any(_means(pattern, model) for pattern in wanted))


def _means(pattern: str, model: ModelRef) -> bool:
    spellings = (
        model.name,
        model.name.rpartition("/")[2],
        model.name.partition(":")[0],
        f"{model.name}:{model.quantization}",
    )
    return any(fnmatchcase(spelling.lower(), pattern.lower()) for spelling in spellings)
