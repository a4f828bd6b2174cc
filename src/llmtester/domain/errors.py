"""Everything that llmtester raises on purpose, and the exit code that each becomes.

    LlmtesterError               one message for a person: what, why, fix
    ├── ConfigurationError       a setting, flag or file is wrong              exit 2
    ├── NothingToDo              the request matched nothing                   exit 5
    │   └── NoModels             there is no model on this machine yet
    ├── EnvironmentNotReady      disk, memory, folder, port                    exit 6
    │   ├── EngineError          a server did not start or died
    │   └── ModelError           a model file cannot be used
    ├── StoreError               a run folder or journal cannot be used        exit 6
    ├── NetworkError             a download or a remote server failed          exit 7
    └── Locked                   another run owns the machine or the folder    exit 8
    RequestFailed                one request failed; becomes a sample, never an exit
    NotMeasurable                a profile cannot ask here; the cell is skipped with the reason

``what`` begins with a small letter, unless it begins with a name: it is shown after ``error:``.

Any other exception that reaches the command line is a bug (exit 1).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a finished process tells its caller; documented in ``docs/cli.md``."""

    OK = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    GATE = 4
    NOTHING = 5
    ENVIRONMENT = 6
    NETWORK = 7
    LOCKED = 8
    INTERRUPTED = 130
    TERMINATED = 143


class LlmtesterError(Exception):
    """A failure that the user can act on: ``what`` happened, ``why``, and the command that ``fix``\\ es it."""

    exit_code: ClassVar[ExitCode] = ExitCode.ENVIRONMENT

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return "; ".join(part for part in (self.what, self.why, self.fix) if part)


class ConfigurationError(LlmtesterError):
    exit_code = ExitCode.USAGE


class NothingToDo(LlmtesterError):
    exit_code = ExitCode.NOTHING


class NoModels(NothingToDo):
    """This machine has no model at all yet."""


class EnvironmentNotReady(LlmtesterError):
    exit_code = ExitCode.ENVIRONMENT


class ModelError(EnvironmentNotReady):
    """A model file that cannot be used; ``at_byte`` is where in the file the reader saw it, if it did."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", at_byte: int | None = None) -> None:
        super().__init__(what, why=why, fix=fix)
        self.at_byte = at_byte


class StoreError(LlmtesterError):
    exit_code = ExitCode.ENVIRONMENT


class NetworkError(LlmtesterError):
    exit_code = ExitCode.NETWORK


class Locked(LlmtesterError):
    exit_code = ExitCode.LOCKED


class EngineFailure(StrEnum):
    """Why a server did not become ready or stopped."""

    CORRUPT_FILE = "corrupt_file"
    UNKNOWN_ARCHITECTURE = "unknown_architecture"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    PORT_TAKEN = "port_taken"
    BAD_FLAG = "bad_flag"
    ILLEGAL_INSTRUCTION = "illegal_instruction"
    LOAD_TIMEOUT = "load_timeout"
    EXITED = "exited"
    UNREACHABLE = "unreachable"


class EngineError(EnvironmentNotReady):
    """A server that did not start, or died. ``log_tail`` holds its last lines, untrusted text."""

    def __init__(
        self, failure: EngineFailure, what: str, *, why: str = "", fix: str = "", log_tail: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.failure = failure
        self.log_tail = log_tail


class RequestFailure(StrEnum):
    """How one request failed."""

    CONNECT = "connect"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"
    STALLED = "stalled"
    TOTAL_TIMEOUT = "total_timeout"
    HTTP_STATUS = "http_status"
    CONTEXT_EXCEEDED = "context_exceeded"
    ERROR_EVENT = "error_event"
    CUT = "cut"
    MALFORMED = "malformed"
    SERVER_GONE = "server_gone"


class NotMeasurable(Exception):
    """A profile cannot prepare the requests of a cell here. The cell is skipped, and the text says why."""


class RequestFailed(Exception):
    """One request failed. It is evidence (a failed sample), not an error of the program.

    ``arrivals_ns`` are the monotonic times of what had arrived until then.
    """

    def __init__(
        self, failure: RequestFailure, detail: str, *, status: int | None = None, arrivals_ns: tuple[int, ...] = ()
    ) -> None:
        super().__init__(f"{failure.value}: {detail}")
        self.failure = failure
        self.detail = detail
        self.status = status
        self.arrivals_ns = arrivals_ns
