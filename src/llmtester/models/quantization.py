"""Names of quantizations: which one a file has, and which one a person means."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(
    r"(?:^|[-._/ ])"
    r"((?:UD-)?(?:IQ[1-4]_(?:XXS|XS|S|M|NL)|Q[1-8]_(?:K(?:_(?:XXL|XL|L|M|S))?|0|1)|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4"
    r"|BF16|FP?16|FP?32))"
    r"(?=$|[-._/ ])",
    re.IGNORECASE,
)
_ALIASES = {"FP16": "F16", "FP32": "F32"}
_SPLIT = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$|$)", re.IGNORECASE)
FULL_BITS = 15.0
"""Below so many bits per weight a file labelled F16, BF16 or F32 is something else: some converters write label 0."""


def from_name(name: str) -> str | None:
    """The last quantization that a file name mentions, in upper case: ``Q4_K_M``, ``UD-Q4_K_XL``, ``BF16``."""
    stem = re.sub(r"\.gguf$", "", _SPLIT.sub("", name), flags=re.IGNORECASE)
    found = _TOKEN.findall(stem)
    label = found[-1].upper() if found else None
    return _ALIASES.get(label, label) if label else None


def without_quantization(name: str) -> str:
    """A file name without its ending, its part number and its quantization: what the model is called."""
    stem = re.sub(r"\.gguf$", "", _SPLIT.sub("", name), flags=re.IGNORECASE)
    found = _TOKEN.findall(stem)
    rest = re.sub(rf"[-._ ]?{re.escape(found[-1])}(?=$|[-._/ ])", "", stem) if found else stem
    return rest.strip("-._ ") or stem


def quantization_of(
    file_type: str | None, bytes_by_type: Sequence[tuple[str, int]], bits_per_weight: float, file_name: str
) -> str:
    """The label that a person should read.

    The header's label comes first, unless the tensors contradict it. A file name that refines the same family
    (``UD-Q4_K_XL`` where the header says ``Q4_K_M``) is more exact and wins, because one folder often holds both.
    Without a label: the file name, then the type that holds most of the bytes.
    """
    named = from_name(file_name)
    label = file_type
    if label in ("F32", "F16", "BF16") and bits_per_weight < FULL_BITS:
        label = None
    if label is None:
        return named or (bytes_by_type[0][0] if bytes_by_type else "unknown")
    refines = named is not None and (named.startswith("UD-") or named.endswith(("_L", "_XL", "_XXL")))
    if refines and named is not None and _family(named) == _family(label):
        return named
    return label


def _family(label: str) -> str:
    return re.sub(r"_(XXL|XL|L|M|S|XS|XXS|NL)$", "", label.upper().removeprefix("UD-"))


def equal(one: str, other: str) -> bool:
    """Whether two spellings mean the same quantization."""
    return _normal(one) == _normal(other)


def _normal(label: str) -> str:
    upper = label.upper().replace("-", "_").strip()
    return _ALIASES.get(upper, upper)


def split_part(name: str) -> tuple[int, int] | None:
    """``(number, count)`` of a file named ``...-00002-of-00005.gguf``, numbers from 1."""
    match = _SPLIT.search(name)
    return (int(match[1]), int(match[2])) if match else None


def split_stem(name: str) -> str:
    """The name that all parts of a split model share."""
    return _SPLIT.sub("", name)
