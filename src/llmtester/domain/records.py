"""What was observed: chunks, completions, samples, readings, facts. Observations only, no derived number.

Moments are monotonic nanoseconds of the measuring process (``time.perf_counter_ns``). ``Instant`` ties them to the
wall clock once per process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.domain.errors import RequestFailure

ChunkKind: TypeAlias = Literal["content", "reasoning", "tool"]
TokenSource: TypeAlias = Literal["timings", "usage", "tokenizer", "estimate"]
Finish: TypeAlias = Literal["stop", "length", "tool_calls", "other"]


@dataclass(frozen=True, slots=True)
class Absent:
    """A value that could not be computed or observed, and why. Never 0, never NaN."""

    reason: str


@dataclass(frozen=True, slots=True)
class Instant:
    """The same moment on both clocks: monotonic nanoseconds and nanoseconds since the Unix epoch."""

    monotonic_ns: int
    unix_ns: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream that carried output, stamped when its bytes were read."""

    at_ns: int
    kind: ChunkKind
    text: str


@dataclass(frozen=True, slots=True)
class ServerTimings:
    """What the server itself says of one request. ``None`` where it does not say.

    llama.cpp: ``prompt_ms`` ends when token 1 is sampled, ``predicted_ms`` runs from token 1 to the last token.
    """

    prompt_tok: int | None = None
    cached_tok: int | None = None
    prompt_ms: float | None = None
    predicted_tok: int | None = None
    predicted_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole answer to one request. ``sent_ns`` is taken just before the request is written.

    ``completion_tok`` counts every generated token, the end token included; ``token_source`` says who counted.
    ``prompt_tok`` counts the whole prompt, the cached part included. ``logprobs`` is packed by ``domain.logprobs``.
    """

    sent_ns: int
    ended_ns: int
    chunks: tuple[Chunk, ...]
    finish: Finish
    prompt_tok: int | None
    cached_tok: int | None
    completion_tok: int
    token_source: TokenSource
    server: ServerTimings | None = None
    logprobs: str = ""

    @property
    def text(self) -> str:
        """The visible answer, reasoning left out."""
        return "".join(chunk.text for chunk in self.chunks if chunk.kind == "content")


@dataclass(frozen=True, slots=True)
class Grade:
    """What a profile thinks of one answer: ``score`` in 0..1 and the outcome in one word.

    ``facts_asked_count`` and ``facts_right_count`` where single facts were asked for.
    """

    score: float
    outcome: str
    detail: str = ""
    facts_asked_count: int | None = None
    facts_right_count: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What happened to one request, ready for the journal.

    ``arrivals_ns`` are offsets from ``sent_ns`` of the events that carried output; ``first_answer_ns`` is the offset
    of the first one that was not reasoning. A failed request keeps what had arrived and its ``failure``.
    ``timed`` and ``cache_allowed`` are what the request said: of an untimed one only the content counts, and where the
    cache was allowed, a cached prompt is what a user would have met.
    """

    request_id: str
    sent_ns: int
    ended_ns: int
    arrivals_ns: tuple[int, ...]
    planned_prompt_tok: int | None = None
    first_answer_ns: int | None = None
    prompt_tok: int | None = None
    cached_tok: int | None = None
    completion_tok: int = 0
    token_source: TokenSource = "estimate"
    finish: Finish | None = None
    server: ServerTimings | None = None
    text: str = ""
    grade: Grade | None = None
    failure: RequestFailure | None = None
    failure_detail: str = ""
    logprobs: str = ""
    timed: bool = True
    cache_allowed: bool = False

    @property
    def ok(self) -> bool:
        return self.failure is None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at machine and server. ``None`` means that this platform cannot say.

    ``server_*`` sum the server's process tree. ``other_cpu_ratio`` is the share of all cores used by everything that
    is neither the server nor llmtester since the reading before, ``own_cpu_ratio`` that of llmtester.
    ``loop_lag_ns`` is the worst lateness of the event loop since the reading before.

    ``server_model_bytes`` are resident pages of mapped data files (a part of ``server_file_bytes``),
    ``server_proportional_bytes`` shares each page among the processes that map it; both are looked up less often and
    carried forward. Since the reading before: bytes that the whole machine wrote to and read from swap, page faults of
    the server that went to the disk, times that the kernel throttled cores and packages for heat, and energy. Power is
    the mean since the reading before; ``Machine.meters`` says how it was measured. ``gpu_*`` sum all GPUs, but the
    utilisation is their mean and the temperature that of the hottest.
    """

    at_ns: int
    memory_available_bytes: int
    swap_used_bytes: int
    server_rss_bytes: int | None = None
    server_anonymous_bytes: int | None = None
    server_file_bytes: int | None = None
    own_cpu_ratio: float | None = None
    server_cpu_ratio: float | None = None
    other_cpu_ratio: float | None = None
    temperature_c: float | None = None
    frequency_mhz: float | None = None
    loop_lag_ns: int | None = None
    server_model_bytes: int | None = None
    server_proportional_bytes: int | None = None
    server_major_faults_count: int | None = None
    swap_in_bytes: int | None = None
    swap_out_bytes: int | None = None
    frequency_lowest_mhz: float | None = None
    throttled_cores_count: int | None = None
    throttled_packages_count: int | None = None
    cpu_power_w: float | None = None
    cpu_energy_j: float | None = None
    gpu_power_w: float | None = None
    gpu_energy_j: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_utilisation_ratio: float | None = None
    gpu_temperature_c: float | None = None
    gpu_throttled: bool | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """How one quantity is measured here, or why it is not.

    ``method``: a counter of energy, samples of power, a model's estimate, or ``none``. ``scope``: what the figure
    covers. ``source`` names the interface; for ``none`` it is the reason, with what would change it.
    """

    quantity: Literal["cpu_power", "gpu_power"]
    method: Literal["counter", "sampled", "model", "none"]
    scope: Literal["package", "soc", "gpu", "none"]
    source: str


@dataclass(frozen=True, slots=True)
class KernelTime:
    """Seconds that an engine needs for one weight of a tensor type and one token: of an answer, and of a prompt."""

    tensor_type: str
    decode_weight_s: float
    prefill_weight_s: float


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of the measuring machine. Names no user and no host.

    ``performance_cores`` and ``efficiency_cores`` only where the two kinds differ. ``memory_bandwidth_bytes_per_s`` is
    measured once for a machine: what all cores together read and write while they copy. ``kernels`` are those of the
    engine of a run, timed before it. Caches are totals. ``container`` names what puts limits on this process,
    ``virtual_machine`` who makes the hardware up.
    """

    system: str
    architecture: str
    cpu_model: str
    physical_cores: int
    logical_cores: int
    memory_bytes: int
    memory_limit_bytes: int
    swap_bytes: int
    cpu_limit_cores: float
    gpus: tuple[str, ...] = ()
    power_source: str | None = None
    governor: str | None = None
    python_version: str = ""
    system_name: str = ""
    performance_cores: int | None = None
    efficiency_cores: int | None = None
    l2_cache_bytes: int | None = None
    l3_cache_bytes: int | None = None
    memory_bandwidth_bytes_per_s: float | None = None
    kernels: tuple[KernelTime, ...] = ()
    gpu_memory_bytes: int | None = None
    container: str | None = None
    virtual_machine: str | None = None
    meters: tuple[Meter, ...] = ()

    def differences(self, other: Machine) -> tuple[str, ...]:
        """What makes results of the two machines incomparable, in words; empty if nothing does.

        Measured facts and those that old journals lack are not among them.
        """
        names = ("system", "architecture", "cpu_model", "physical_cores", "logical_cores", "memory_bytes", "gpus")
        return tuple(
            f"{name}: {getattr(self, name)} then, {getattr(other, name)} now"
            for name in names
            if getattr(self, name) != getattr(other, name)
        )


@dataclass(frozen=True, slots=True)
class Buffer:
    """One allocation that the engine reported: device, what for, size."""

    device: str
    purpose: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a session can do. A profile that needs a missing one says so instead of guessing."""

    tokenize: bool = False
    timings: bool = False
    fixed_length: bool = False
    no_cache: bool = False
    logprobs: bool = False
    grammar: bool = False
    memory: bool = False


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of a ready server: build, command, effective settings, process, cost of the start."""

    engine: str
    build: str
    command: tuple[str, ...]
    load_ns: int
    context_tok: int
    slots: int
    capabilities: Capabilities
    process_id: int | None = None
    buffers: tuple[Buffer, ...] = ()
    system_info: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server can be reached, and the key that it asks for. Never stored, never logged."""

    url: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class Available:
    """An engine that can be used here: its build, and why it would be chosen."""

    build: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """An engine that cannot be used here, and the command that changes that.

    ``noteworthy``: it is here, so whoever gets another engine instead should be told why.
    """

    reason: str
    fix: str
    noteworthy: bool = False
