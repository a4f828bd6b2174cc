"""Memory estimates against figures from the engine's own logs, and the laws that every estimate obeys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.domain.records import Absent, Buffer, Machine
from llmtester.domain.work import CacheType, ServerSettings
from llmtester.models.calibration import Calibration
from llmtester.models.facts import ModelFacts, Recurrent, facts_of
from llmtester.models.fit import fit, memory_of, verdict_of
from llmtester.models.gguf import read_header
from llmtester.models.library import ModelManager
from llmtester.models.memory import MIB, MemoryNeed, compute_bytes, estimate, rearranged_bytes
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors, write_model

BASE = ServerSettings()


def model(**changes: Any) -> ModelFacts:
    """SmolLM2-135M as its header describes it, with changes."""
    smol = ModelFacts(
        kind="model",
        architecture="llama",
        name="SmolLM2",
        quantization="Q4_1",
        file_type="Q4_1",
        parameters_count=134_515_008,
        bits_per_weight=5.74,
        weights_bytes=96_576_768,
        file_bytes=98_362_432,
        bytes_by_type=(("Q4_1", 66_355_200),),
        read_per_token=(("Q4_1", 106_168_320, 66_355_200),),
        licence=None,
        context_tok=8192,
        layers_count=30,
        embedding_size=576,
        feed_forward_size=1536,
        heads=(9,) * 30,
        kv_heads=(3,) * 30,
        key_size=64,
        value_size=64,
        sliding_key_size=None,
        sliding_value_size=None,
        sliding_window_tok=None,
        sliding=(False,) * 30,
        latent_attention=False,
        shared_kv_layers_count=0,
        recurrent_layers=(),
        recurrent=None,
        experts_count=None,
        experts_used_count=None,
        vocabulary_count=49_152,
        tokenizer="gpt2",
        has_chat_template=True,
        layer_bytes=(2_216_448,) * 30,
        input_bytes=30_081_024,
        output_bytes=2_304,
        split_number=0,
        split_count=1,
        split_tensors_count=None,
        version=3,
        byte_order="little",
    )
    return replace(smol, **changes)


GEMMA: dict[str, Any] = {
    "architecture": "gemma3",
    "layers_count": 18,
    "embedding_size": 640,
    "feed_forward_size": 2048,
    "heads": (4,) * 18,
    "kv_heads": (1,) * 18,
    "key_size": 256,
    "value_size": 256,
    "sliding_window_tok": 512,
    "sliding": tuple(layer % 6 < 5 for layer in range(18)),
    "vocabulary_count": 262_144,
    "layer_bytes": (1,) * 18,
}


def need(facts: ModelFacts, settings: ServerSettings, **more: Any) -> MemoryNeed:
    result = estimate(facts, settings, **more)
    assert isinstance(result, MemoryNeed)
    return result


@pytest.mark.parametrize(
    ("context", "slots", "cache", "expected_mib"),
    [
        (512, 1, "f16", 11.25),
        (2048, 1, "f16", 45.0),
        (2048, 4, "f16", 180.0),
        (8192, 2, "f16", 360.0),
        (2048, 1, "q8_0", 23.91),
        (300, 1, "f16", 11.25),
    ],
)
def test_cache_equals_the_log_of_the_engine(context: int, slots: int, cache: CacheType, expected_mib: float) -> None:
    """The cache of the starter model is what llama.cpp logged, for contexts, slots and cache types."""
    settings = replace(BASE, context_tok=context, slots=slots, cache_type_k=cache, cache_type_v=cache)
    assert need(model(), settings).kv_bytes / MIB == pytest.approx(expected_mib, abs=0.01)


def test_sliding_window_equals_the_log_of_the_engine() -> None:
    """gemma-3-270m at 2048 tokens: 6 MiB for three full layers and 15 MiB for fifteen sliding ones, as logged."""
    settings = replace(BASE, context_tok=2048)
    assert need(model(**GEMMA), settings).kv_bytes / MIB == pytest.approx(21.0, abs=0.01)


@pytest.mark.parametrize(("context", "slots", "micro_batch", "expected_mib"), [
    (512, 1, 512, 15.33), (2048, 4, 512, 17.39), (8192, 1, 512, 22.83), (2048, 1, 64, 2.27), (2048, 1, 1024, 33.48),
])  # fmt: skip
def test_compute_buffer_is_near_the_log(context: int, slots: int, micro_batch: int, expected_mib: float) -> None:
    """The modelled compute and output buffers are within 3 % of what the embedded engine logged."""
    settings = replace(BASE, context_tok=context, slots=slots, micro_batch_tok=micro_batch)
    assert compute_bytes(model(), settings) / MIB == pytest.approx(expected_mib, rel=0.03)


def test_latent_attention_keeps_one_row() -> None:
    """With multi-head latent attention only the compressed row is cached."""
    latent = model(latent_attention=True, key_size=576, value_size=512, kv_heads=(1,) * 30)
    assert need(latent, replace(BASE, context_tok=1024)).kv_bytes == 30 * 1024 * 576 * 2


def test_recurrent_layers_keep_a_state_for_each_slot() -> None:
    """State-space layers need the same for any context, and once for each slot."""
    state = Recurrent(convolution_elements=3 * 100, state_elements=1600)
    mixed = model(recurrent=state, recurrent_layers=(True,) * 29 + (False,))
    short, long = (need(mixed, replace(BASE, context_tok=context, slots=2)).kv_bytes for context in (1024, 2048))
    assert long - short == 2 * 1024 * (3 * 64 * 2) * 2
    assert short == 2 * (29 * 4 * 1900 + 1024 * (3 * 64 * 2) * 2)


def test_layers_without_a_cache_of_their_own_cost_nothing() -> None:
    """Layers with no cache heads, and the last layers that share a cache, are left out."""
    half = model(kv_heads=(3, 0) * 15)
    assert need(half, BASE).kv_bytes * 2 == need(model(), BASE).kv_bytes
    shared = model(shared_kv_layers_count=10)
    assert need(shared, BASE).kv_bytes * 3 == need(model(), BASE).kv_bytes * 2


def test_what_the_processor_rearranges_exists_twice() -> None:
    """Q4_0 as the engine's log had it (72 of 72 MiB beside an embedding of another type); other types never."""
    plain = model(bytes_by_type=(("Q4_0", 72 * MIB), ("Q8_0", 28 * MIB)), weights_bytes=100 * MIB, input_bytes=28 * MIB)
    assert rearranged_bytes(plain) == 72 * MIB
    assert rearranged_bytes(replace(plain, bytes_by_type=(("Q4_0", 100 * MIB),))) == 72 * MIB
    assert rearranged_bytes(replace(plain, bytes_by_type=(("Q5_0", 100 * MIB),))) == 0


def test_layers_move_to_the_gpu() -> None:
    """Offloaded layers take their weights and cache along; one more than all of them takes the output along."""
    whole = need(model(), BASE)
    half = need(model(), replace(BASE, gpu_layers=15))
    assert half.weights_bytes == whole.weights_bytes
    assert half.kv_bytes == whole.kv_bytes
    assert half.devices[1].weights_bytes == 15 * 2_216_448
    assert half.devices[1].kv_bytes == whole.kv_bytes // 2
    everything = need(model(), replace(BASE, gpu_layers=999))
    assert everything.devices[1].weights_bytes == 30 * 2_216_448 + 2_304 + 30_081_024  # a tied matrix is there twice
    assert everything.on("cpu") < half.on("cpu") < whole.on("cpu")


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"kv_heads": ()}, "layers or heads"),
        ({"layers_count": None}, "layers or heads"),
        ({"key_size": None}, "how large a head"),
        ({"sliding": None}, "sliding layers"),
    ],
)
def test_what_cannot_be_computed_is_absent(missing: dict[str, Any], says: str) -> None:
    """A header that lacks a fact gives a reason, never a number."""
    result = estimate(model(**missing), BASE)
    assert isinstance(result, Absent)
    assert says in result.reason


@given(
    context=st.integers(64, 200_000),
    more=st.integers(0, 50_000),
    slots=st.integers(1, 16),
    layers=st.one_of(st.none(), st.integers(0, 40)),
)
def test_need_grows_with_context_and_slots(context: int, more: int, slots: int, layers: int | None) -> None:
    """More context or another slot never needs less, and the devices always add up to the whole."""
    settings = replace(BASE, context_tok=context, slots=slots, gpu_layers=layers)
    for facts in (model(), model(**GEMMA)):
        base = need(facts, settings)
        assert need(facts, replace(settings, context_tok=context + more)).total_bytes >= base.total_bytes
        assert need(facts, replace(settings, slots=slots + 1)).total_bytes > base.total_bytes
        assert base.total_bytes == base.on("cpu") + base.on("gpu")


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_verdicts_are_ordered(small: int, memory: int) -> None:
    """Whatever needs more never gets a better verdict."""
    order = ["fits", "tight", "does not fit"]
    assert order.index(verdict_of(small, memory)) <= order.index(verdict_of(small * 2, memory))


@given(st.integers(100_000_000, 5_000_000_000))
def test_the_largest_context_is_the_largest(memory: int) -> None:
    """The largest context is not refused, and 256 tokens more are, unless it is all the model was trained for."""
    table = fit(model(context_tok=131_072), BASE, memory)
    assert not isinstance(table, Absent)
    largest = table.largest_context_tok
    if largest:
        assert verdict_of(need(model(), replace(BASE, context_tok=largest)).total_bytes, memory) != "does not fit"
    if largest < 131_072:
        more = need(model(), replace(BASE, context_tok=largest + 256)).total_bytes
        assert verdict_of(more, memory) == "does not fit"


def test_the_table_ends_where_training_ended() -> None:
    """Contexts beyond what the model was trained for are not offered."""
    table = fit(model(), BASE, 10**10)
    assert not isinstance(table, Absent)
    assert [row.context_tok for row in table.rows] == [2048, 4096, 8192]


def test_what_the_log_said_corrects_the_next_estimate(tmp_path: Path) -> None:
    """After a start, the compute buffer of that start is what the engine reported, also in another process."""
    seen = (Buffer("CPU", "compute", 30 * MIB), Buffer("CPU", "output", MIB), Buffer("CPU", "KV", 99 * MIB))
    Calibration(tmp_path).learn(model(), BASE, seen)
    ratio = Calibration(tmp_path).ratio(model(), BASE)
    assert need(model(), BASE, compute_ratio=ratio).compute_bytes == pytest.approx(31 * MIB, abs=2)
    assert Calibration(tmp_path).ratio(model(architecture="other"), BASE) == 1.0


@pytest.mark.parametrize("seen", [(), (Buffer("CPU", "compute", 1),), (Buffer("CPU", "compute", 1 << 50),)])
def test_a_misread_log_teaches_nothing(tmp_path: Path, seen: tuple[Buffer, ...]) -> None:
    """No buffers, or absurd ones, leave the model as it is."""
    assert Calibration(tmp_path).learn(model(), BASE, seen) is None
    assert Calibration(tmp_path).ratio(model(), BASE) == 1.0


@pytest.mark.parametrize("content", ["", "[]", '{"llama": "x"}', '{"llama": 1e9}'])
def test_a_damaged_calibration_is_ignored(tmp_path: Path, content: str) -> None:
    """Whatever lies in the file, estimates work."""
    (tmp_path / "compute-buffers.json").write_text(content)
    assert Calibration(tmp_path).ratio(model(), BASE) == 1.0


def test_a_container_limit_counts() -> None:
    """The memory of the machine is what a container allows, if that is less."""
    machine = Machine("Linux", "x86_64", "cpu", 2, 2, 24 * 10**9, 4 * 10**9, 0, 2.0)
    assert memory_of(machine) == 4 * 10**9


def test_the_manager_judges_with_the_memory_of_the_machine(tmp_path: Path) -> None:
    """One model fits into a large machine and not into a tiny one."""
    write_model(tmp_path / "m.gguf")
    facts = facts_of([read_header(tmp_path / "m.gguf")])
    for memory, verdict in ((10**10, "fits"), (10**7, "does not fit")):
        machine = Machine("Linux", "x86_64", "cpu", 2, 2, memory, memory, 0, 2.0)
        assert ModelManager([tmp_path], tmp_path / "c", machine=machine).verdict(facts, BASE) == verdict


def test_facts_from_a_file_are_enough(tmp_path: Path) -> None:
    """The header of a generated model gives an estimate: two layers, two cache heads of 16."""
    (tmp_path / "m.gguf").write_bytes(gguf_bytes(llama_metadata(), llama_tensors()))
    facts = facts_of([read_header(tmp_path / "m.gguf")])
    assert need(facts, replace(BASE, context_tok=1024)).kv_bytes == 2 * 1024 * (2 * 16 * 2) * 2
