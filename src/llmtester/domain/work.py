"""What is to be done: model, target, load, cell, plan. All values; equality is meaning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Literal, TypeAlias

CacheType: TypeAlias = Literal["f16", "q8_0", "q4_0"]
Role: TypeAlias = Literal["system", "user", "assistant"]


def digest(value: object) -> str:
    """16 hexadecimal digits that are equal exactly if two JSON-able values are equal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class WeightsRead:
    """Weights of one tensor type that are read to write one token: how many there are, and their bytes."""

    tensor_type: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One model at one quantization, as a file (or a name that its engine understands).

    ``fingerprint`` identifies the content cheaply (header, size and probes of the file): two files with the same
    fingerprint are taken for the same model. ``None`` in a fact means that the source did not say.
    ``rearranged_bytes`` are weights that a processor keeps a second time in an order of its own, while the file stays
    mapped. ``read_per_token`` is what each token of an answer reads: of a mixture of experts only those that are asked,
    and never the embedding that is only looked up; empty where no header was read.
    """

    name: str
    quantization: str
    path: str
    size_bytes: int
    fingerprint: str
    architecture: str | None = None
    parameters_count: int | None = None
    context_tok: int | None = None
    bits_per_weight: float | None = None
    has_chat_template: bool | None = None
    licence: str | None = None
    rearranged_bytes: int = 0
    read_per_token: tuple[WeightsRead, ...] = ()

    @property
    def label(self) -> str:
        """``name quantization``, for people; untrusted text."""
        return f"{self.name} {self.quantization}".strip()


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server is started. Everything that distorts a measurement is pinned here.

    ``context_tok`` is per slot. ``threads`` and ``gpu_layers`` of ``None`` leave the choice to the engine, which
    reports what it chose.
    """

    context_tok: int = 4096
    slots: int = 1
    threads: int | None = None
    batch_tok: int = 2048
    micro_batch_tok: int = 512
    gpu_layers: int | None = None
    device: str | None = None
    tensor_split: str | None = None
    flash_attention: Literal["auto", "on", "off"] = "auto"
    cache_type_k: CacheType = "f16"
    cache_type_v: CacheType = "f16"
    memory_map: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Engine + model + settings: one server start."""

    engine: str
    model: ModelRef
    settings: ServerSettings

    @property
    def key(self) -> str:
        """Unique in a plan and readable: ``engine/model/quantization/settings digest``. Untrusted text."""
        return f"{self.engine}/{self.model.name}/{self.model.quantization}/{self._identity[:6]}"

    @property
    def folder_name(self) -> str:
        """A file-system safe name made from the identity alone."""
        return f"target-{self._identity}"

    @property
    def _identity(self) -> str:
        return _target_digest(self.engine, self.model.fingerprint, self.model.path, self.settings)


@lru_cache(maxsize=4096)
def _target_digest(engine: str, fingerprint: str, path: str, settings: ServerSettings) -> str:
    """Remembered, because folding a journal asks for the key of a target at every pulse."""
    return digest([engine, fingerprint, path, asdict(settings)])


@dataclass(frozen=True, slots=True)
class Load:
    """How requests of one kind arrive, and how long they are.

    One trial sends ``requests_per_trial`` requests, at most ``concurrency`` in flight. Trials go on until the
    relative half-width of the headline interval is at most ``precision_ratio``, within ``min_trials`` and
    ``max_trials``. Lengths are tokens as the server counts them, template included. A ``sequential`` load also ends
    when its answers differ from those of the reference clearly enough, or clearly not (``analysis.quality``).
    ``content`` names what is asked where that is a fixed set: results of different sets are never compared.

    A load with ``duration_s`` works without a pause: its trials send requests for ``trial_s`` (at most
    ``requests_per_trial``), and it ends when its trials together lasted ``duration_s``, whatever their number.
    """

    name: str
    prompt_tok: int
    output_tok: int
    concurrency: int = 1
    requests_per_trial: int = 1
    warmup_trials: int = 1
    min_trials: int = 4
    max_trials: int = 10
    precision_ratio: float = 0.03
    sequential: bool = False
    content: str = ""
    duration_s: float | None = None
    trial_s: float | None = None

    def warms(self, other: Load) -> bool:
        """Whether a server that has answered this load is warm for the other one too."""
        return self.prompt_tok >= other.prompt_tok and self.concurrency >= other.concurrency


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of the matrix: a target measured by one profile under one load.

    ``reference`` is the key of the target whose answers these are compared with; ``None`` for the reference itself and
    for profiles that compare nothing.
    """

    target: Target
    profile: str
    load: Load
    reference: str | None = None

    @property
    def key(self) -> str:
        """Unique in a plan and stable over processes: the target's key, profile and load name."""
        return f"{self.target.key}/{self.profile}/{self.load.name}"


@dataclass(frozen=True, slots=True)
class Skip:
    """A cell that the planner leaves out, kept as evidence with its reason."""

    cell: Cell
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run will do, in order. Two equal requests give two plans with equal digests.

    ``memory_need_bytes`` is what each target (by key) is expected to take, where that could be estimated.
    ``visit_trials`` is how many trials a cell gets in one server start before the others have theirs, and decisions are
    taken; ``None`` measures each cell to its end at once (``--exhaustive``). After ``budget_s`` of active time nothing
    more is begun.
    """

    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 1
    expected_s: float | None = None
    memory_need_bytes: dict[str, int] = field(default_factory=dict)
    visit_trials: int | None = None
    budget_s: float | None = None

    @property
    def digest(self) -> str:
        """Identity of the work itself: cells and seed, not notes, skips or expectations."""
        return digest([self.seed, [asdict(cell) for cell in self.cells]])

    @property
    def targets(self) -> tuple[Target, ...]:
        """Distinct targets in plan order."""
        return tuple(dict.fromkeys(cell.target for cell in self.cells))

    def by_target(self) -> Iterator[tuple[Target, tuple[Cell, ...]]]:
        """Neighbouring cells that share one server start."""
        for target, cells in groupby(self.cells, key=lambda cell: cell.target):
            yield target, tuple(cells)


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one request, in seconds: to connect, to the first token, between tokens, in all."""

    connect_s: float = 5.0
    first_token_s: float = 300.0
    between_tokens_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Request:
    """What one client asks once.

    ``fixed_length`` asks the engine to write exactly ``max_tok`` tokens where it can (``ignore_eos``).
    ``reuse_cache`` allows the engine to reuse a cached prefix; off for everything that measures prefill.
    ``timed`` is off for what is asked for its content alone, so that its times enter no metric.
    ``continues`` is the id of an earlier request of the trial whose conversation, with the answer that it really got,
    comes before ``messages``; only in loads with one request in flight. ``planned_prompt_tok`` is ``None`` then.
    ``planned_prompt_tok`` is the length that the profile aimed at, template included.
    ``forced_tok`` are token ids that the model must write one after the other; ``top_logprobs_count`` asks for that
    many log-probabilities at each position. ``thinking=False`` asks a reasoning model to answer at once.
    ``oracle`` is a perfect answer: no server is ever sent it, the fake engine plays with it.
    """

    id: str
    messages: tuple[Message, ...]
    max_tok: int
    planned_prompt_tok: int | None = None
    fixed_length: bool = True
    reuse_cache: bool = False
    temperature: float = 0.0
    seed: int = 1
    timeouts: Timeouts = field(default_factory=Timeouts)
    forced_tok: tuple[int, ...] | None = None
    top_logprobs_count: int = 0
    thinking: bool = True
    oracle: str = ""
    timed: bool = True
    continues: str | None = None
