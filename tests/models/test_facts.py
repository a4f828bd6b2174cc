"""What the facts say of unusual models: kinds, layers that differ, names of quantizations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.models import quantization
from llmtester.models.facts import ModelFacts, facts_of
from llmtester.models.gguf import read_header
from llmtester.models.sliding import sliding_layers
from tests.models.ggufs import ARRAY, BOOL, INT32, Typed, gguf_bytes, llama_metadata, llama_tensors, write_split


def facts(path: Path, metadata: dict[str, Any], tensors: Any = None, name: str = "m.gguf") -> ModelFacts:
    target = path / name
    target.write_bytes(gguf_bytes(metadata, llama_tensors() if tensors is None else tensors))
    return facts_of([read_header(target)], name)


@pytest.mark.parametrize(
    ("more", "tensors", "kind"),
    [
        ({}, None, "model"),
        ({"general.type": "mmproj"}, None, "mmproj"),
        ({"general.architecture": "clip"}, None, "mmproj"),
        ({"general.type": "adapter"}, None, "lora"),
        ({"adapter.type": "lora"}, None, "lora"),
        ({"general.type": "vocab"}, (), "vocabulary"),
        ({}, (), "vocabulary"),
        ({"general.architecture": "nomic-bert"}, None, "embedding"),
    ],
)
def test_kinds_are_told_apart(tmp_path: Path, more: dict[str, Any], tensors: Any, kind: str) -> None:
    """Projectors, adapters, vocabularies and embedding models are recognised and never count as models."""
    assert facts(tmp_path, llama_metadata() | more, tensors).kind == kind


def test_heads_that_differ_by_layer(tmp_path: Path) -> None:
    """A list of cache heads is kept per layer, a single number holds for all, absence means the attention heads."""
    listed = llama_metadata() | {"llama.attention.head_count_kv": Typed([4, 0], ARRAY, INT32)}
    assert facts(tmp_path, listed).kv_heads == (4, 0)
    assert facts(tmp_path, llama_metadata()).kv_heads == (2, 2)
    without = llama_metadata()
    del without["llama.attention.head_count_kv"]
    assert facts(tmp_path, without).kv_heads == (4, 4)


def test_values_of_a_wrong_type_count_as_not_given(tmp_path: Path) -> None:
    """A context length that is a text, or absurd, becomes unknown instead of an error."""
    wrong = llama_metadata() | {"llama.context_length": "many", "llama.block_count": -1.0, "general.name": 7}
    read = facts(tmp_path, wrong)
    assert (read.context_tok, read.layers_count, read.name) == (None, None, None)


@pytest.mark.parametrize(
    ("architecture", "pattern", "expected"),
    [
        ("llama", None, [False] * 6),
        ("gemma3", None, [True] * 5 + [False]),
        ("gpt-oss", None, [True, False] * 3),
        ("cohere2moe", None, [False, True, True, True, False, True]),
        ("gemma3", 3, [True, True, False] * 2),
        ("anything", (True, False, True, False, True, False), [True, False] * 3),
    ],
)
def test_sliding_layers(architecture: str, pattern: Any, expected: list[bool]) -> None:
    """The file's own list wins, then its period, then what the architecture does."""
    assert sliding_layers(architecture, pattern, 6) == tuple(expected)


def test_sliding_layers_that_cannot_be_known() -> None:
    """An architecture that must list its layers and does not is unknown, not full."""
    assert sliding_layers("gemma4", None, 6) is None


def test_sliding_pattern_is_read_from_the_file(tmp_path: Path) -> None:
    """A list of flags in the header reaches the facts."""
    metadata = llama_metadata() | {"llama.attention.sliding_window_pattern": Typed([True, False], ARRAY, BOOL)}
    assert facts(tmp_path, metadata).sliding == (True, False)


def test_parts_of_a_split_model_add_up(tmp_path: Path) -> None:
    """Three parts give the weights of one model."""
    parts = write_split(tmp_path)
    together = facts_of([read_header(path) for path in parts], parts[0].name)
    whole = facts(tmp_path, llama_metadata("Big"))
    assert (together.weights_bytes, together.parameters_count) == (whole.weights_bytes, whole.parameters_count)
    assert (together.split_count, together.split_tensors_count) == (3, 5)


@pytest.mark.parametrize(
    ("name", "label", "rest"),
    [
        ("Qwen2.5-7B-Instruct-Q4_K_M.gguf", "Q4_K_M", "Qwen2.5-7B-Instruct"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1", "SmolLM2-135M-Instruct"),
        ("gemma-3-4b-it-UD-Q4_K_XL.gguf", "UD-Q4_K_XL", "gemma-3-4b-it"),
        ("Big-Q8_0-00002-of-00003.gguf", "Q8_0", "Big"),
        ("llama-f16.gguf", "F16", "llama"),
        ("llama-fp16.gguf", "F16", "llama"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4", "gpt-oss-20b"),
        ("model.gguf", None, "model"),
        ("Q4_K_M.gguf", "Q4_K_M", "Q4_K_M"),
    ],
)
def test_quantization_in_a_file_name(name: str, label: str | None, rest: str) -> None:
    """The usual ways to write a quantization into a file name are understood."""
    assert quantization.from_name(name) == label
    assert quantization.without_quantization(name) == rest


@pytest.mark.parametrize(
    ("file_type", "name", "expected"),
    [
        (15, "m.gguf", "Q4_K_M"),
        (15, "m-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        (15, "m-Q8_0.gguf", "Q4_K_M"),
        (0, "m-Q8_0.gguf", "Q8_0"),
        (0, "m.gguf", "Q8_0"),
        (1024 + 15, "m-Q5_K_M.gguf", "Q5_K_M"),
    ],
)
def test_header_first_then_file_name_then_tensors(tmp_path: Path, file_type: int, name: str, expected: str) -> None:
    """The header's label wins unless its tensors contradict it, it was guessed, or the name is more exact."""
    assert facts(tmp_path, llama_metadata(file_type=file_type), name=name).quantization == expected


@given(st.text(max_size=80))
def test_any_name_can_be_asked(name: str) -> None:
    """No file name breaks the search for a quantization."""
    label = quantization.from_name(name)
    assert label is None or quantization.equal(label, label.lower())
    quantization.without_quantization(name)
    quantization.split_part(name)


def test_what_a_token_reads(tmp_path: Path) -> None:
    """An embedding that is only looked up is not read; one that is the output matrix too is read once."""
    untied = facts(tmp_path, llama_metadata())
    assert untied.read_per_token == (
        ("Q8_0", 2 * 64 * 64 + 64 * 32, (2 * 64 * 64 + 64 * 32) * 34 // 32),
        ("F32", 64, 256),
    )
    tied = [tensor for tensor in llama_tensors() if tensor[0] != "output.weight"]
    assert facts(tmp_path, llama_metadata(), tied).read_per_token == untied.read_per_token
    more = [*tied, ("per_layer_token_embd.weight", (64, 32), 8)]
    assert facts(tmp_path, llama_metadata(), more).read_per_token == untied.read_per_token


def test_a_token_reads_the_experts_that_are_asked(tmp_path: Path) -> None:
    """Two of eight experts are a quarter of their weights; where nobody says how many are asked, all are read."""
    tensors = [
        *llama_tensors(),
        ("blk.0.ffn_up_exps.weight", (64, 32, 8), 0),
        ("blk.0.ffn_gate_inp.weight", (64, 8), 0),
    ]
    experts = llama_metadata() | {"llama.expert_count": 8, "llama.expert_used_count": 2}
    weights = {name: count for name, count, _ in facts(tmp_path, experts, tensors).read_per_token}
    assert weights["F32"] == 64 + 64 * 8 + 64 * 32 * 8 // 4
    whole = {name: count for name, count, _ in facts(tmp_path, llama_metadata(), tensors).read_per_token}
    assert whole["F32"] == 64 + 64 * 8 + 64 * 32 * 8


@pytest.mark.parametrize("name", ["blk.0.ffn_gate.3.weight", "blk.0.ffn_up_chexps.weight", "blk.0.ffn_down_exps.bias"])
def test_experts_of_every_kind_of_file_are_known(tmp_path: Path, name: str) -> None:
    """One matrix for each expert, as in the first mixtures, or all of a layer in one."""
    experts = llama_metadata() | {"llama.expert_count": 8, "llama.expert_used_count": 2}
    tensors = [*llama_tensors(), (name, (64, 32), 0)]
    weights = {kind: count for kind, count, _ in facts(tmp_path, experts, tensors).read_per_token}
    assert weights["F32"] == 64 + 64 * 32 // 4


def test_layers_that_guess_further_tokens_are_not_read(tmp_path: Path) -> None:
    """They come last, and ordinary writing does not ask them."""
    guessing = llama_metadata() | {"llama.nextn_predict_layers": 1}
    read, whole = (facts(tmp_path, metadata).read_per_token[0] for metadata in (guessing, llama_metadata()))
    assert whole[1] - read[1] == 64 * 64
