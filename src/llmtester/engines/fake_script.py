"""The script in a fake model's name: ``fast?ttft_ms=20&decode_tok_per_s=300:Q4_K_M`` -> times and failures."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypeVar, get_args
from urllib.parse import unquote_plus

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable

FailureKind: TypeAlias = Literal["load", "oom", "corrupt", "crash_after", "hang_after", "error_event"]
_COUNTED: frozenset[str] = frozenset({"crash_after", "hang_after", "error_event"})
_QUANTIZATION_SUFFIX = re.compile(r":([A-Za-z][A-Za-z0-9_.-]*)$")


@dataclass(frozen=True, slots=True)
class Failure:
    """``load``, ``oom``, ``corrupt``: the server does not start. ``crash_after:N``: it dies in request N+1 and stays
    dead. ``hang_after:N``: from request N+1 on it falls silent half way. ``error_event:N``: only request N ends in an
    error event. N counts the requests of one server start, from 1."""

    kind: FailureKind
    at_request: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """What a fake server does. Every field but ``name`` is a key of the script.

    ``noise``: standard deviation of ln(speed) from request to request. ``jitter``: the same from token to token.
    ``drift_ratio``: share of the speed lost, evenly, over the first ``drift_requests``. ``outliers``: share of
    requests that are slower by exp(|N(0, 0.25)|). ``scaling``: total speed with n streams is n**scaling times that of
    one. ``stop_early``: share of the asked length after which the model stops whatever was asked. ``answer_tok``: where
    it stops when no fixed length is asked. ``cached``: prompt tokens that it takes from a cache although told not to;
    ``hidden``: the same, and it says nothing of it. ``leak_mb``: memory that it loses with every request. ``stall_s``:
    one pause in the middle of request ``stall_at`` (from 1, warm-ups count).
    ``realtime=0``: virtual time. ``skill``: share of the questions that every quantization of the name can answer;
    ``flips`` turns that share of a file's answers around, ``corrupt`` spoils that share of them, ``loops`` that share
    of its free texts; ``damage``: standard deviation of the noise on its logits.
    """

    name: str = "fake"
    quant: str = "F16"
    ttft_ms: float | None = None
    prefill_tok_per_s: float = 1000.0
    overhead_ms: float = 0.0
    decode_tok_per_s: float = 50.0
    noise: float = 0.0
    jitter: float = 0.0
    drift_ratio: float = 0.0
    drift_requests: int = 100
    outliers: float = 0.0
    scaling: float = 1.0
    seed: int = 1
    load_ms: float = 0.0
    tok_per_chunk: int = 1
    answer_tok: int | None = None
    stop_early: float | None = None
    text: str = ""
    cached: int = 0
    hidden: int = 0
    leak_mb: float = 0.0
    stall_s: float = 0.0
    stall_at: int = 3
    timings: bool = True
    realtime: bool = True
    context_tok: int = 32768
    size_mb: float = 100.0
    skill: float = 0.8
    flips: float = 0.0
    corrupt: float = 0.0
    loops: float = 0.0
    damage: float = 0.0
    fail: Failure | None = field(default=None)


def parse(wanted: str) -> Script:
    """The script that ``wanted`` spells. Raises ``ConfigurationError`` for an unknown key or a value that does not fit.

    The quantization is ``quant=``, or a suffix such as ``:Q4_K_M`` of the whole or of the name.
    """
    suffix = _QUANTIZATION_SUFFIX.search(wanted)
    body = wanted[: suffix.start()] if suffix else wanted
    name, _, spelled = body.partition("?")
    name, _, name_suffix = name.partition(":")
    values: dict[str, Any] = {"name": name or "fake"}
    quantization = (suffix.group(1) if suffix else "") or name_suffix
    if quantization:
        values["quant"] = quantization
    for pair in filter(None, spelled.split("&")):
        key, _, text = pair.partition("=")
        values[key] = _value(wanted, key, text)
    return replace(Script(), **values)


def _value(wanted: str, key: str, text: str) -> Any:
    reader = _READERS.get(key)
    if reader is None:
        near = difflib.get_close_matches(key, _READERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(sorted(_READERS))}"
        raise ConfigurationError(f"the fake model {printable(wanted)} has an unknown key {printable(key)}", fix=hint)
    try:
        return reader(text)
    except ValueError as error:
        raise ConfigurationError(
            f"the fake model {printable(wanted)} has an unusable value for {key}",
            why=f"{printable(text)} {error}",
            fix=f"write for example {_EXAMPLES.get(key, key + '=1')}",
        ) from error


def _number(at_least: float, at_most: float = 1e12) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = _convert(float, text)
        if not at_least <= value <= at_most:
            raise ValueError(f"is not between {at_least:g} and {at_most:g}")
        return value

    return read


def _count(at_least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = _convert(int, text)
        if value < at_least:
            raise ValueError(f"is less than {at_least}")
        return value

    return read


_Number = TypeVar("_Number", int, float)


def _convert(kind: Callable[[str], _Number], text: str) -> _Number:
    try:
        return kind(text)
    except ValueError:
        raise ValueError("is not a number") from None


def _flag(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("is neither 0 nor 1")
    return text == "1"


def _failure(text: str) -> Failure:
    kind, _, count = text.partition(":")
    if kind not in get_args(FailureKind):
        raise ValueError(f"is none of {', '.join(get_args(FailureKind))}")
    if (kind in _COUNTED) != count.isdigit():
        raise ValueError("needs a count of requests" if kind in _COUNTED else "takes no count")
    return Failure(kind, int(count) if count else 0)  # type: ignore[arg-type]  # checked against the literal above


_EXAMPLES: Mapping[str, str] = {"fail": "fail=crash_after:5", "realtime": "realtime=0", "noise": "noise=0.03"}
_READERS: Mapping[str, Callable[[str], Any]] = {
    "quant": str,
    "ttft_ms": _number(0),
    "prefill_tok_per_s": _number(1e-3),
    "overhead_ms": _number(0),
    "decode_tok_per_s": _number(1e-3),
    "noise": _number(0, 2),
    "jitter": _number(0, 2),
    "drift_ratio": _number(-10, 0.99),
    "drift_requests": _count(1),
    "outliers": _number(0, 1),
    "scaling": _number(0, 1),
    "seed": _count(0),
    "load_ms": _number(0),
    "tok_per_chunk": _count(1),
    "answer_tok": _count(1),
    "stop_early": _number(0.001, 1),
    "text": unquote_plus,
    "cached": _count(0),
    "hidden": _count(0),
    "leak_mb": _number(0),
    "stall_s": _number(0),
    "stall_at": _count(1),
    "timings": _flag,
    "realtime": _flag,
    "context_tok": _count(1),
    "size_mb": _number(0),
    "skill": _number(0, 1),
    "flips": _number(0, 1),
    "corrupt": _number(0, 1),
    "loops": _number(0, 1),
    "damage": _number(0, 100),
    "fail": _failure,
}
KEYS: tuple[str, ...] = tuple(entry.name for entry in fields(Script) if entry.name != "name")
