"""What a model needs in memory with given server settings, before it is started. Pure arithmetic on header facts.

Weights are what is mapped or loaded, counted once. The KV cache is exact: it equals the engine's own log. The compute
buffer has no closed form; it is modelled, and a correction learned from the engine's log on this machine (module
``calibration``) makes it right for the next start. Sources: llama.cpp b11434 (``llama-kv-cache.cpp``,
``llama-kv-cache-iswa.cpp``, ``llama-hparams.cpp``); *measured*: ``benchmarks/models_memory.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.domain.records import Absent
from llmtester.domain.work import ServerSettings
from llmtester.models.facts import ModelFacts
from llmtester.models.ggml import row_bytes
from llmtester.models.sliding import DEFAULT_WINDOW_TOK

Device: TypeAlias = Literal["cpu", "gpu"]

MIB = 1 << 20
CELL_STEP = 256
"""llama.cpp rounds the cells of a cache up to a multiple of this."""
REARRANGED_TYPES = frozenset({"Q4_0", "Q4_K", "IQ4_NL"})
"""Tensor types of which the processor keeps a copy in the order of its vector registers (``CPU_REPACK`` in the engine's
log; AVX2, and ARM with dot products). Source: ``ggml-cpu/repack.cpp``; Q4_0 *measured*."""
HOST_SCRATCH_BYTES = MIB
"""What the processor keeps to feed a GPU that runs every layer."""


@dataclass(frozen=True, slots=True)
class Overhead:
    """Memory of the serving process that no buffer of the engine accounts for: the process itself, its threads and
    their scratch space (``base_bytes``), each slot, and the tokenizer's tables for each entry of the vocabulary."""

    base_bytes: int
    per_slot_bytes: int
    per_vocabulary_entry_bytes: int

    def total_bytes(self, slots: int, vocabulary_count: int) -> int:
        return self.base_bytes + self.per_slot_bytes * slots + self.per_vocabulary_entry_bytes * vocabulary_count


EMBEDDED = Overhead(base_bytes=11 * MIB, per_slot_bytes=2 * MIB, per_vocabulary_entry_bytes=435)
"""The embedded engine in a Python process of its own: anonymous memory, *measured* on Linux x86-64. The share of the
vocabulary is the slope over tokenizers of 49,152, 128,000 and 256,000 entries with as many merges. A ``llama-server``
program lacks the interpreter and needs less."""


@dataclass(frozen=True, slots=True)
class DeviceNeed:
    """What one kind of device must hold, in bytes."""

    device: Device
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.overhead_bytes


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a server start needs, over all devices; ``devices`` has the processor first and the GPU if it is used."""

    devices: tuple[DeviceNeed, ...]

    @property
    def weights_bytes(self) -> int:
        return sum(need.weights_bytes for need in self.devices)

    @property
    def kv_bytes(self) -> int:
        return sum(need.kv_bytes for need in self.devices)

    @property
    def compute_bytes(self) -> int:
        return sum(need.compute_bytes for need in self.devices)

    @property
    def overhead_bytes(self) -> int:
        return sum(need.overhead_bytes for need in self.devices)

    @property
    def total_bytes(self) -> int:
        return sum(need.total_bytes for need in self.devices)

    def on(self, device: Device) -> int:
        """Bytes on one device; 0 if it is not used."""
        return sum(need.total_bytes for need in self.devices if need.device == device)


def estimate(
    facts: ModelFacts,
    settings: ServerSettings,
    *,
    overhead: Overhead = EMBEDDED,
    compute_ratio: float = 1.0,
) -> MemoryNeed | Absent:
    """The need of one server start.

    ``settings.context_tok`` is per slot; ``gpu_layers`` of ``None`` counts everything on the processor.
    ``compute_ratio`` is the correction for the compute buffer, as ``calibration`` learned it; 1 leaves the model as
    it is. ``Absent`` if the header lacks what the cache is computed from.
    """
    kv_by_layer = kv_bytes_by_layer(facts, settings)
    if isinstance(kv_by_layer, Absent):
        return kv_by_layer
    layers = len(facts.layer_bytes)
    on_gpu = min(settings.gpu_layers or 0, layers + 1)
    first_on_gpu = max(layers - on_gpu, 0)
    output_on_gpu = on_gpu > layers
    gpu_weights = sum(facts.layer_bytes[first_on_gpu:]) if on_gpu else 0
    gpu_kv = sum(kv_by_layer[first_on_gpu:]) if on_gpu else 0
    tied = facts.output_bytes < facts.input_bytes // 8
    cpu_weights = facts.weights_bytes - gpu_weights
    if output_on_gpu:
        gpu_weights += facts.output_bytes + (facts.input_bytes if tied else 0)  # a tied matrix is loaded twice
        cpu_weights -= facts.output_bytes
    compute = round(compute_bytes(facts, settings) * compute_ratio)
    gpu_compute = compute if on_gpu else 0
    process = overhead.total_bytes(settings.slots, facts.vocabulary_count or 0)
    needs = [
        DeviceNeed(
            "cpu",
            cpu_weights,
            round(sum(kv_by_layer) - gpu_kv),
            compute if first_on_gpu else HOST_SCRATCH_BYTES,
            process,
        )
    ]
    if on_gpu:
        needs.append(DeviceNeed("gpu", gpu_weights, round(gpu_kv), gpu_compute, 0))
    return MemoryNeed(tuple(needs))


def rearranged_bytes(facts: ModelFacts) -> int:
    """Weights that exist twice when the processor runs every layer: in the mapped file and rearranged.

    Only the copy is worked on, so the system may drop the mapped pages when memory is short; ``estimate`` leaves them
    out, and a reading of the server's memory does not. The token embedding is looked up and never rearranged.
    """
    total = sum(size for name, size in facts.bytes_by_type if name in REARRANGED_TYPES)
    return min(total, facts.weights_bytes - facts.input_bytes)


def cells(context_tok: int) -> int:
    """Cells of one sequence with full attention: the context, rounded up."""
    return -(-context_tok // CELL_STEP) * CELL_STEP


def sliding_cells(context_tok: int, window_tok: int, micro_batch_tok: int) -> int:
    """Cells of one sequence with a sliding window: the window and one micro batch, never more than the context."""
    return min(cells(context_tok), cells(min(context_tok, window_tok + micro_batch_tok)))


def kv_bytes_by_layer(facts: ModelFacts, settings: ServerSettings) -> list[float] | Absent:
    """Bytes of cache (or recurrent state) that each layer needs for all slots; ``Absent`` with the missing fact."""
    if not facts.layers_count or not facts.kv_heads:
        return Absent("the header does not say how many layers or heads the model has")
    if facts.key_size is None or facts.value_size is None:
        return Absent("the header does not say how large a head is")
    if facts.sliding is None:
        return Absent(f"the header of a {facts.architecture} model must list its sliding layers and does not")
    owners = len(facts.kv_heads) - facts.shared_kv_layers_count
    return [
        settings.slots * (_layer_bytes(facts, settings, layer) if layer < owners else 0.0)
        for layer in range(len(facts.kv_heads))
    ]


def _layer_bytes(facts: ModelFacts, settings: ServerSettings, layer: int) -> float:
    if facts.recurrent_layers and facts.recurrent_layers[layer]:
        state = facts.recurrent
        return 4.0 * (state.convolution_elements + state.state_elements) if state else 0.0
    window = facts.sliding_window_tok or DEFAULT_WINDOW_TOK.get(facts.architecture or "")
    sliding = bool(facts.sliding and facts.sliding[layer] and window)
    key_size, value_size = facts.key_size or 0, facts.value_size or 0
    if sliding:
        key_size = facts.sliding_key_size or key_size
        value_size = facts.sliding_value_size or value_size
    if facts.latent_attention:
        value_size = 0  # multi-head latent attention keeps one compressed row, in the keys
    heads = facts.kv_heads[layer]
    micro_batch = min(settings.micro_batch_tok, settings.batch_tok, settings.context_tok * settings.slots)
    count = (
        sliding_cells(settings.context_tok, window, micro_batch) if sliding and window else cells(settings.context_tok)
    )
    return count * (
        row_bytes(settings.cache_type_k, key_size * heads) + row_bytes(settings.cache_type_v, value_size * heads)
    )


def compute_bytes(facts: ModelFacts, settings: ServerSettings) -> float:
    """Model of the compute and output buffers, fitted to the engine's log (*measured*, starter model, CPU).

    Each token of a micro batch keeps about five rows of the embedding and three of the feed-forward width in 32-bit
    floats, and one 16-bit mask entry per cell. Without flash attention, the scores of every head and cell come on top.
    Each slot has one row of logits. Sliding layers have a mask of their own.
    """
    micro_batch = min(settings.micro_batch_tok, settings.batch_tok, settings.context_tok * settings.slots)
    embedding = facts.embedding_size or 0
    widest = facts.feed_forward_size or 4 * embedding
    per_token = 4.0 * (5 * embedding + 3 * widest)
    mask_cells = cells(settings.context_tok)
    window = facts.sliding_window_tok or DEFAULT_WINDOW_TOK.get(facts.architecture or "")
    if window and facts.sliding and any(facts.sliding):
        mask_cells += sliding_cells(settings.context_tok, window, micro_batch)
    per_token += 2.0 * mask_cells
    if settings.flash_attention == "off":
        per_token += 4.0 * max(facts.heads, default=0) * cells(settings.context_tok)
    return micro_batch * per_token + 4.0 * settings.slots * (facts.vocabulary_count or 0)
