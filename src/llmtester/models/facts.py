"""From headers to facts: what one model is, over all its parts, in the words of the rest of llmtester."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.models.gguf import ArrayShape, Header, Tensor, Value
from llmtester.models.quantization import quantization_of
from llmtester.models.sliding import sliding_layers

Kind: TypeAlias = Literal["model", "mmproj", "lora", "vocabulary", "embedding", "other"]


@dataclass(frozen=True, slots=True)
class Recurrent:
    """State sizes of recurrent layers (Mamba and its relatives), elements per layer and sequence."""

    convolution_elements: int
    state_elements: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the headers of one model say. ``None`` where they do not say; sizes in elements unless named otherwise.

    ``kv_heads`` and ``sliding`` have one entry per layer; ``sliding`` is ``None`` when the architecture mixes sliding
    and full layers in a way that neither the file nor this program knows. ``layer_bytes`` are the weights of each
    layer, ``input_bytes`` the token embedding, ``output_bytes`` everything after the layers (0: tied to the input).
    ``bytes_by_type`` is sorted, largest first; so is ``read_per_token``: tensor type, weights and bytes that a token of
    an answer reads, of a mixture of experts those that are used on average. ``file_type`` is the label in the header,
    ``quantization`` what the tensors and the header agree on.
    """

    kind: Kind
    architecture: str | None
    name: str | None
    quantization: str
    file_type: str | None
    parameters_count: int
    bits_per_weight: float
    weights_bytes: int
    file_bytes: int
    bytes_by_type: tuple[tuple[str, int], ...]
    read_per_token: tuple[tuple[str, int, int], ...]
    licence: str | None
    context_tok: int | None
    layers_count: int | None
    embedding_size: int | None
    feed_forward_size: int | None
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    key_size: int | None
    value_size: int | None
    sliding_key_size: int | None
    sliding_value_size: int | None
    sliding_window_tok: int | None
    sliding: tuple[bool, ...] | None
    latent_attention: bool
    shared_kv_layers_count: int
    recurrent_layers: tuple[bool, ...]
    recurrent: Recurrent | None
    experts_count: int | None
    experts_used_count: int | None
    vocabulary_count: int | None
    tokenizer: str | None
    has_chat_template: bool
    layer_bytes: tuple[int, ...]
    input_bytes: int
    output_bytes: int
    split_number: int
    split_count: int
    split_tensors_count: int | None
    version: int
    byte_order: Literal["little", "big"]


def facts_of(headers: Sequence[Header], file_name: str = "") -> ModelFacts:
    """The facts of one model from the headers of all its parts, first part first.

    ``file_name`` gives the quantization where the header has no usable label.
    """
    first = headers[0]
    keys = _Keys(first.metadata)
    tensors = [tensor for header in headers for tensor in header.tensors]
    by_type: Counter[str] = Counter()
    for tensor in tensors:
        by_type[tensor.type_name] += tensor.size_bytes
    weights_bytes = sum(by_type.values())
    parameters = sum(tensor.weights_count for tensor in tensors)
    bytes_by_type = tuple(by_type.most_common())
    layers = keys.whole("block_count")
    own_layers = layers - (keys.whole("nextn_predict_layers") or 0) if layers is not None else None
    heads = keys.per_layer("attention.head_count", layers)
    kv_heads = keys.per_layer("attention.head_count_kv", layers) or heads
    layer_bytes, input_bytes, output_bytes = _where_the_bytes_are(headers, layers or 0)
    embedding = keys.whole("embedding_length")
    head_size = embedding // max(heads) if embedding and heads and max(heads) else None
    bits = weights_bytes * 8 / parameters if parameters else 0.0
    file_type = keys.text_free("general.file_type")
    return ModelFacts(
        kind=_kind(first, parameters),
        architecture=keys.architecture,
        name=keys.text("general.name"),
        quantization=quantization_of(file_type, bytes_by_type, bits, file_name),
        file_type=file_type,
        parameters_count=parameters,
        bits_per_weight=bits,
        weights_bytes=weights_bytes,
        file_bytes=sum(header.file_bytes for header in headers),
        bytes_by_type=bytes_by_type,
        read_per_token=_read_per_token(tensors, keys, own_layers),
        licence=keys.text("general.license"),
        context_tok=keys.whole("context_length"),
        layers_count=layers,
        embedding_size=embedding,
        feed_forward_size=_feed_forward(keys),
        heads=heads,
        kv_heads=kv_heads[:own_layers] if own_layers is not None else kv_heads,
        key_size=keys.whole("attention.key_length") or head_size,
        value_size=keys.whole("attention.value_length") or head_size,
        sliding_key_size=keys.whole("attention.key_length_swa"),
        sliding_value_size=keys.whole("attention.value_length_swa"),
        sliding_window_tok=keys.whole("attention.sliding_window"),
        sliding=sliding_layers(keys.architecture, keys.get("attention.sliding_window_pattern"), own_layers or 0),
        latent_attention=keys.whole("attention.key_length_mla") is not None,
        shared_kv_layers_count=keys.whole("attention.shared_kv_layers") or 0,
        recurrent_layers=_recurrent_layers(keys, own_layers or 0),
        recurrent=_recurrent(keys),
        experts_count=keys.whole("expert_count"),
        experts_used_count=keys.whole("expert_used_count"),
        vocabulary_count=_vocabulary(keys, first),
        tokenizer=_tokenizer(keys),
        has_chat_template="tokenizer.chat_template" in first.metadata,
        layer_bytes=layer_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        split_number=keys.whole_at("split.no") or 0,
        split_count=keys.whole_at("split.count") or 1,
        split_tensors_count=keys.whole_at("split.tensors.count"),
        version=first.version,
        byte_order=first.byte_order,
    )


class _Keys:
    """Typed access to metadata: a value of another type than expected counts as not given."""

    def __init__(self, metadata: dict[str, Value]) -> None:
        self._metadata = metadata
        self.architecture = self.text("general.architecture")

    def text(self, key: str) -> str | None:
        value = self._metadata.get(key)
        return value if isinstance(value, str) and value.strip() else None

    def text_free(self, key: str) -> str | None:
        """The label of a file type number, unless a converter guessed it."""
        from llmtester.models.ggml import FILE_TYPES

        number = self.whole_at(key)
        return FILE_TYPES.get(number) if number is not None else None

    def whole_at(self, key: str) -> int | None:
        value = self._metadata.get(key)
        plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40
        return int(value) if plausible else None  # type: ignore[arg-type]  # plausible implies int

    def get(self, suffix: str) -> Value | None:
        return self._metadata.get(f"{self.architecture}.{suffix}")

    def whole(self, suffix: str) -> int | None:
        value = self.whole_at(f"{self.architecture}.{suffix}")
        return value if value is not None and value < 1 << 31 else None

    def per_layer(self, suffix: str, layers: int | None) -> tuple[int, ...]:
        """One entry per layer, from a number or a list; empty if the file does not say."""
        if not layers or layers > 4_096:
            return ()
        value = self.get(suffix)
        if isinstance(value, tuple):
            whole = tuple(int(entry) for entry in value if 0 <= entry < 1 << 20)
            return whole[:layers] if len(whole) >= layers else ()
        single = self.whole(suffix)
        return (single,) * layers if single is not None and single < 1 << 20 else ()


_KINDS: dict[str, Kind] = {"mmproj": "mmproj", "adapter": "lora", "vocab": "vocabulary", "imatrix": "other"}
_ARCHITECTURE_KINDS: dict[str, Kind] = {"clip": "mmproj", "mmproj": "mmproj"}
EMBEDDING_ARCHITECTURES = ("bert", "nomic-bert", "jina-bert", "modern-bert", "neo-bert", "gemma-embedding", "t5encoder")


def _kind(header: Header, parameters: int) -> Kind:
    """What the file is for; only a ``model`` can be measured."""
    declared = header.metadata.get("general.type")
    architecture = header.metadata.get("general.architecture")
    if isinstance(declared, str) and declared in _KINDS:
        return _KINDS[declared]
    if isinstance(architecture, str) and architecture in _ARCHITECTURE_KINDS:
        return _ARCHITECTURE_KINDS[architecture]
    if isinstance(architecture, str) and architecture.startswith(EMBEDDING_ARCHITECTURES):
        return "embedding"
    if "adapter.type" in header.metadata:
        return "lora"
    if not parameters:
        return "vocabulary" if "tokenizer.ggml.model" in header.metadata else "other"
    return "model" if "tokenizer.ggml.model" in header.metadata and architecture else "other"


_LAYER = re.compile(r"blk\.(\d{1,4})\.")


def _where_the_bytes_are(headers: Sequence[Header], layers: int) -> tuple[tuple[int, ...], int, int]:
    per_layer = [0] * min(layers, 4_096)
    input_bytes = output_bytes = 0
    for header in headers:
        for tensor in header.tensors:
            match = _LAYER.match(tensor.name)
            if match and int(match[1]) < len(per_layer):
                per_layer[int(match[1])] += tensor.size_bytes
            elif tensor.name.startswith(("token_embd", "per_layer_token_embd", "token_types", "position_embd")):
                input_bytes += tensor.size_bytes
            else:
                output_bytes += tensor.size_bytes
    return tuple(per_layer), input_bytes, output_bytes


_INPUT = "token_embd.weight"
_LOOKED_UP = ("per_layer_token_embd", "token_types", "position_embd")
_EXPERTS = re.compile(r"blk\.\d+\.(\w+_(ch)?exps|ffn_(gate|up|down)\.\d+)\.")
"""Matrices that hold all experts of a layer, or one of them in files of the first years."""


def _read_per_token(tensors: Sequence[Tensor], keys: _Keys, own_layers: int | None) -> tuple[tuple[str, int, int], ...]:
    """Tensor type, weights and bytes. The embedding counts where it is the output matrix too; layers after
    ``own_layers`` guess further tokens and are not asked."""
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    experts, used = keys.whole("expert_count"), keys.whole("expert_used_count")
    asked = min(1.0, used / experts) if experts and used else 1.0
    weights: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        if tensor.name.startswith(_LOOKED_UP) or (tensor.name == _INPUT and not tied):
            continue
        layer = _LAYER.match(tensor.name)
        if layer and own_layers is not None and int(layer[1]) >= own_layers:
            continue
        share = asked if _EXPERTS.match(tensor.name) else 1.0
        weights[tensor.type_name] += round(tensor.weights_count * share)
        sizes[tensor.type_name] += round(tensor.size_bytes * share)
    return tuple((name, weights[name], size) for name, size in sizes.most_common())


def _recurrent(keys: _Keys) -> Recurrent | None:
    """Source: llama.cpp, ``llama_hparams::n_embd_r`` and ``n_embd_s`` for state-space layers."""
    inner, state, kernel = keys.whole("ssm.inner_size"), keys.whole("ssm.state_size"), keys.whole("ssm.conv_kernel")
    if inner is None or state is None or kernel is None:
        return None
    groups = keys.whole("ssm.group_count") or 0
    return Recurrent(max(kernel - 1, 0) * (inner + 2 * groups * state), state * inner)


def _recurrent_layers(keys: _Keys, layers: int) -> tuple[bool, ...]:
    if keys.whole("ssm.state_size") is None or layers > 4_096:
        return ()
    listed = keys.get("attention.recurrent_layers")
    if isinstance(listed, tuple) and len(listed) >= layers:
        return tuple(bool(flag) for flag in listed[:layers])
    interval = keys.whole("full_attention_interval")
    if interval:
        return tuple((layer + 1) % interval != 0 for layer in range(layers))
    kv_heads = keys.per_layer("attention.head_count_kv", layers)
    return tuple(heads == 0 for heads in kv_heads) if kv_heads else (True,) * layers


def _feed_forward(keys: _Keys) -> int | None:
    """Widest feed-forward row that is computed for one token."""
    dense = keys.whole("feed_forward_length")
    if dense is None:
        listed = keys.get("feed_forward_length")
        dense = int(max(listed)) if isinstance(listed, tuple) and listed else None
    expert = (keys.whole("expert_feed_forward_length") or 0) * (keys.whole("expert_used_count") or 0)
    return max(dense or 0, expert) or None


def _vocabulary(keys: _Keys, header: Header) -> int | None:
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, ArrayShape):
        return tokens.count
    return keys.whole("vocab_size")


def _tokenizer(keys: _Keys) -> str | None:
    model, flavour = keys.text("tokenizer.ggml.model"), keys.text("tokenizer.ggml.pre")
    return f"{model}/{flavour}" if model and flavour else model
