"""Files of random weights: valid for every reader, of the type that was asked for, and the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGUFReader

from llmtester.models import synthetic
from llmtester.models.facts import facts_of
from llmtester.models.gguf import read_header

F32_BYTES = 4


@pytest.mark.parametrize("tensor_type", synthetic.TYPES)
def test_a_file_is_what_it_should_be(tmp_path: Path, tensor_type: str) -> None:
    """The header says a llama of two layers whose weights are nearly all of that type, and the sizes add up."""
    path = tmp_path / "synthetic.gguf"
    synthetic.write_synthetic(path, tensor_type, 2)
    facts = facts_of([read_header(path)], path.name)
    assert (facts.kind, facts.architecture, facts.layers_count) == ("model", "llama", 2)
    assert facts.vocabulary_count == 259
    tensors = {tensor.name: tensor for tensor in read_header(path).tensors}
    layers = [tensor for name, tensor in tensors.items() if name.startswith("blk.") and "norm" not in name]
    assert {tensor.type_name for tensor in layers} == {tensor_type}
    assert sum(tensor.weights_count for tensor in layers) == synthetic.weights_count(2)
    assert sum(tensor.size_bytes for tensor in layers) == 2 * synthetic.layer_bytes(tensor_type)
    assert synthetic.weights_count(2) > 0.98 * facts.parameters_count


def test_the_reference_reader_agrees(tmp_path: Path) -> None:
    """The gguf package finds the same tensors, and norms of one."""
    path = tmp_path / "synthetic.gguf"
    synthetic.write_synthetic(path, "Q4_K", 1)
    reader = GGUFReader(path)
    theirs = {tensor.name: (tuple(tensor.shape), tensor.tensor_type.name) for tensor in reader.tensors}
    ours = {tensor.name: (tensor.shape, tensor.type_name) for tensor in read_header(path).tensors}
    assert theirs == ours
    norm = next(tensor for tensor in reader.tensors if tensor.name == "output_norm.weight")
    assert set(norm.data.tolist()) == {1.0}
    assert reader.fields["tokenizer.ggml.tokens"].contents()[:4] == ["<unk>", "<s>", "</s>", "<0x00>"]


def test_scales_are_small_and_the_rest_is_random(tmp_path: Path) -> None:
    """Values stay near nothing, so that no sum of them overflows, whatever the bits say."""
    from gguf.quants import dequantize

    for tensor_type in ("Q4_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS", "IQ2_XXS", "BF16"):
        path = tmp_path / f"{tensor_type}.gguf"
        synthetic.write_synthetic(path, tensor_type, 1)
        tensor = next(tensor for tensor in GGUFReader(path).tensors if tensor.name == "blk.0.ffn_up.weight")
        values = dequantize(tensor.data[:64], tensor.tensor_type)
        assert 0 < abs(values).max() < 0.5
        assert tensor_type == "BF16" or len(set(values[0].tolist())) > 8


def test_twice_the_same(tmp_path: Path) -> None:
    """Equal arguments give equal bytes; no type is guessed."""
    for name in ("one", "two"):
        synthetic.write_synthetic(tmp_path / name, "Q5_0", 1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with pytest.raises(KeyError):
        synthetic.write_synthetic(tmp_path / "none", "Q4_K_M", 1)
    assert not (tmp_path / "none").exists()
