"""Why a server is not there: exit code and log -> an error with cause and remedy."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.installing import install_command
from llmtester.domain.text import printable


@dataclass(frozen=True, slots=True)
class Ended:
    """``code`` as ``subprocess`` counts: -n for signal n. ``guard_lost``: the guard vanished and took the server."""

    code: int
    guard_lost: bool = False


@dataclass(frozen=True, slots=True)
class _Marker:
    pattern: re.Pattern[str]
    failure: EngineFailure
    fix: str


def _marker(pattern: str, failure: EngineFailure, fix: str) -> _Marker:
    return _Marker(re.compile(pattern), failure, fix)


_NEW_COPY = "get the file again: llmtester models pull NAME, then run again"
_LESS_MEMORY = "use a smaller quantization or context, for example --set server.context_tok=2048, or close programs"
_NEWER = "update the engine (pip install -U xllamacpp, or a newer llama-server): this build does not know the model"
_GOOD_FLAGS = "use a llama-server that knows the flag, or leave the setting at its default"

# In this order: a load failure prints several of these lines, and the first kind that matches names the cause.
# The texts are those of llama.cpp builds 10434 to 11549 (facts/engines.md section 1).
MARKERS: tuple[_Marker, ...] = (
    _marker(
        r"couldn't bind HTTP server socket.*",
        EngineFailure.PORT_TAKEN,
        "choose another port with --port, or leave it out and a free one is taken",
    ),
    _marker(r"unknown model architecture: '[^']*'", EngineFailure.UNKNOWN_ARCHITECTURE, _NEWER),
    _marker(r"unknown pre-tokenizer type: '[^']*'", EngineFailure.UNKNOWN_ARCHITECTURE, _NEWER),
    _marker(r"data is not within the file bounds.*", EngineFailure.CORRUPT_FILE, _NEW_COPY),
    _marker(r"invalid magic characters.*|failed to read magic.*", EngineFailure.CORRUPT_FILE, _NEW_COPY),
    _marker(r"(?:key|tensor) '?[^']*'? (?:not found|has wrong).*", EngineFailure.CORRUPT_FILE, _NEW_COPY),
    _marker(r"failed to open GGUF file.*", EngineFailure.CORRUPT_FILE, "check that the file exists and can be read"),
    _marker(
        r"unable to allocate \S+ buffer.*|insufficient memory.*|failed to allocate buffer for kv cache.*"
        r"|failed to allocate compute.*|[Oo]ut ?[Oo]f ?[Mm]emory.*|std::bad_alloc|cudaMalloc failed.*",
        EngineFailure.OUT_OF_MEMORY,
        _LESS_MEMORY,
    ),
    _marker(
        r"error: invalid argument: .*|error while handling argument .*|the argument has been removed.*"
        r"|error: unknown argument.*",
        EngineFailure.BAD_FLAG,
        _GOOD_FLAGS,
    ),
    _marker(r"No module named '?xllamacpp'?", EngineFailure.EXITED, install_command("xllamacpp")),
    _marker(r"error loading model: .*", EngineFailure.CORRUPT_FILE, _NEW_COPY),
)
_NO_REASON = " and named no known reason"
ILLEGAL = "this build uses processor instructions that this machine lacks"
ILLEGAL_FIX = "use the engine that is part of llmtester: --set engine.name=embedded; or another build of the engine"
_SIGNALS = {
    signal.SIGILL: ILLEGAL,
    signal.SIGSEGV: "the server crashed while reading memory",
    signal.SIGABRT: "the server gave up on an internal check",
}


def explain(
    what: str, ended: Ended | None, log: str, *, timed_out_s: float | None = None, tail: tuple[str, ...] = ()
) -> EngineError:
    """The error to raise for ``what`` (a name for people). ``log`` is untrusted; its text is made printable."""
    if timed_out_s is not None:
        return EngineError(
            EngineFailure.LOAD_TIMEOUT,
            f"{what} was not ready within {timed_out_s:g} s",
            why="it was still loading when the limit ran out",
            fix="allow more time with --set engine.load_timeout_s=900, or use a smaller model",
            log_tail=tail,
        )
    for marker in MARKERS:
        found = marker.pattern.search(log)
        if found:
            why = printable(found[0])
            return EngineError(marker.failure, f"{what} did not start", why=why, fix=marker.fix, log_tail=tail)
    return _from_exit_code(what, ended, tail)


def _from_exit_code(what: str, ended: Ended | None, tail: tuple[str, ...]) -> EngineError:
    if ended is None:
        why, failure, fix = "it gave no answer and no reason", EngineFailure.UNREACHABLE, "look into its log"
    elif ended.code == -signal.Signals(9):
        why = "it was killed from outside, most likely by the kernel because memory ran out"
        failure, fix = EngineFailure.KILLED, _LESS_MEMORY
    elif ended.code < 0:
        number = -ended.code
        known = number in set(signal.Signals)
        name = signal.Signals(number).name if known else f"signal {number}"
        reason = _SIGNALS.get(signal.Signals(number), "") if known else ""
        why = f"it ended by {name}" + (f": {reason}" if reason else "")
        failure, fix = EngineFailure.EXITED, "try another build of the engine; its last log lines are in the report"
        if number == signal.SIGILL:
            failure, fix = EngineFailure.ILLEGAL_INSTRUCTION, ILLEGAL_FIX
    else:
        why = f"it ended with exit code {ended.code}{_NO_REASON}"
        failure, fix = EngineFailure.EXITED, "read its last log lines; they are in the report"
    return EngineError(failure, f"{what} ended", why=why, fix=fix, log_tail=tail)


def gives_no_reason(error: EngineError) -> bool:
    """Whether a server ended by itself and its log does not say why."""
    return error.failure is EngineFailure.EXITED and error.why.endswith(_NO_REASON)
