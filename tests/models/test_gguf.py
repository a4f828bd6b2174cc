"""The header reader against the reference implementation, and against everything that a file can do wrong."""

from __future__ import annotations

import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtester.domain.errors import ModelError
from llmtester.models import ggml
from llmtester.models.cursor import ArrayMemo, HeaderCut
from llmtester.models.facts import facts_of
from llmtester.models.gguf import ArrayShape, Header, read_header
from tests.models.ggufs import ARRAY, INT32, STRING, Typed, gguf_bytes, llama_metadata, llama_tensors, write_model

REFUSE_MS = 50
REFUSE_BYTES = 50 << 20


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def by_oracle(path: Path) -> tuple[dict[str, Any], list[tuple[str, tuple[int, ...], int, int]], int]:
    """What the ``gguf`` package reads: metadata (arrays as their length), tensors, start of the data."""
    from gguf import GGUFReader, GGUFValueType

    reader = GGUFReader(str(path))
    metadata: dict[str, Any] = {}
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        is_array = field.types[0] == GGUFValueType.ARRAY
        metadata[key] = len(field.data) if is_array else field.contents()
    tensors = [
        (tensor.name, tuple(int(size) for size in tensor.shape), int(tensor.tensor_type), int(tensor.n_bytes))
        for tensor in reader.tensors
    ]
    return metadata, tensors, int(reader.data_offset)


def comparable(header: Header) -> tuple[dict[str, Any], list[tuple[str, tuple[int, ...], int, int]], int]:
    metadata = {
        key: value.count if isinstance(value, ArrayShape) else len(value) if isinstance(value, tuple) else value
        for key, value in header.metadata.items()
    }
    tensors = [(tensor.name, tensor.shape, tensor.type_number, tensor.size_bytes) for tensor in header.tensors]
    return metadata, tensors, header.data_at_byte


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("version", [2, 3])
def test_agrees_with_the_reference_on_every_value_type(tmp_path: Path, version: int, big_endian: bool) -> None:
    """Both byte orders, both versions, every scalar type and arrays of numbers and strings read as the oracle does."""
    scalars = {f"s.{kind}": Typed(1, kind) for kind in ggml.SCALAR_SIZE_BYTES}
    more = {"a.strings": ["x", "yy", ""], "a.numbers": Typed([1, 2, 3], ARRAY, INT32)}
    path = write(
        tmp_path / "m.gguf",
        gguf_bytes(llama_metadata() | scalars | more, llama_tensors(), version=version, big_endian=big_endian),
    )
    header = read_header(path)
    assert header.byte_order == ("big" if big_endian else "little")
    assert header.version == version
    assert comparable(header) == by_oracle(path)


def test_agrees_with_the_reference_writer(tmp_path: Path) -> None:
    """A file made by the reference writer, with aligned tensors of several types, reads the same in both readers."""
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

    path = tmp_path / "w.gguf"
    writer = GGUFWriter(path, "qwen2")
    writer.add_name("Written")
    writer.add_block_count(1)
    writer.add_head_count_kv([1, 2, 3])
    writer.add_custom_alignment(64)
    writer.add_tensor("a.weight", np.zeros((4, 32), dtype=np.float32))
    writer.add_tensor("b.weight", np.zeros((2, 34), dtype=np.uint8), raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(path)
    assert comparable(header) == by_oracle(path)
    assert header.metadata["qwen2.attention.head_count_kv"] == (1, 2, 3)


@pytest.mark.parametrize("type_number", [0, 1, 2, 3, 8, 12, 14, 23, 30, 39])
def test_tensor_sizes_agree_with_the_reference(tmp_path: Path, type_number: int) -> None:
    """The bytes of a tensor of each common type equal those of the oracle."""
    path = write(tmp_path / "m.gguf", gguf_bytes(llama_metadata(), [("t.weight", (256, 3), type_number)]))
    assert comparable(read_header(path))[1] == by_oracle(path)[1]


def test_type_table_agrees_with_the_reference() -> None:
    """Every tensor type that the reference knows has our name and block sizes."""
    from gguf.constants import GGML_QUANT_SIZES

    for kind, (weights, size) in GGML_QUANT_SIZES.items():
        if kind.name == "Q8_1":  # the package still has the block of 40 bytes; ggml.h has 36, and no file stores it
            continue
        assert ggml.TENSOR_TYPES[int(kind)] == (kind.name, weights, size)


def test_file_types_agree_with_the_reference() -> None:
    """Every file type that the reference knows has our label."""
    from gguf.constants import LlamaFileType

    for kind in LlamaFileType:
        if kind != LlamaFileType.GUESSED:
            assert ggml.FILE_TYPES[int(kind)] == kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")


def test_starter_model_facts(starter_model: Path) -> None:
    """The real starter model reads as the oracle reads it, and its facts are the published ones."""
    header = read_header(starter_model)
    assert comparable(header) == by_oracle(starter_model)
    facts = facts_of([header], starter_model.name)
    assert (facts.architecture, facts.quantization, facts.layers_count) == ("llama", "Q4_1", 30)
    assert (set(facts.heads), set(facts.kv_heads), facts.key_size) == ({9}, {3}, 64)
    assert (facts.context_tok, facts.vocabulary_count, facts.has_chat_template) == (8192, 49152, True)
    assert facts.weights_bytes == 96_576_768
    assert facts.bits_per_weight == pytest.approx(5.7437, abs=1e-4)
    assert facts.licence == "apache-2.0"
    assert sum(facts.layer_bytes) + facts.input_bytes + facts.output_bytes == facts.weights_bytes


NAMES = st.text(st.characters(codec="ascii", min_codepoint=97, max_codepoint=122), min_size=1, max_size=12)
VALUES = st.one_of(
    st.booleans(),
    st.integers(0, 2**63),
    st.floats(width=32, allow_nan=False),
    st.text(max_size=40),
    st.lists(st.text(max_size=5), min_size=1, max_size=5),
    st.lists(st.integers(-5, 5), min_size=1, max_size=9),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(NAMES, VALUES, max_size=8), big_endian=st.booleans())
def test_reads_back_any_metadata(tmp_path: Path, metadata: dict[str, Any], big_endian: bool) -> None:
    """Whatever was written as a scalar or a string comes back equal; arrays come back as their length."""
    path = write(tmp_path / "m.gguf", gguf_bytes(metadata, big_endian=big_endian))
    for key, value in read_header(path).metadata.items():
        assert value == metadata[key] if not isinstance(value, ArrayShape) else value.count == len(metadata[key])


def test_an_equal_vocabulary_is_recognised(tmp_path: Path) -> None:
    """With a memo the second file with the same tokens gives the same header, and a changed one its own."""
    tokens = [f"token{number}" for number in range(3000)]
    one = write(tmp_path / "1.gguf", gguf_bytes(llama_metadata(tokenizer__ggml__tokens=tokens), llama_tensors()))
    tokens[1500] = "other"
    two = write(tmp_path / "2.gguf", gguf_bytes(llama_metadata(tokenizer__ggml__tokens=tokens), llama_tensors()))
    memo = ArrayMemo()
    for path in (one, two, one, two):
        assert read_header(path, memo=memo) == read_header(path)


def refusal(path: Path) -> ModelError:
    """The error of a crafted header, which must come fast and without a large allocation."""
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        read_header(path)
    elapsed_ms = (time.perf_counter() - started) * 1e3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert elapsed_ms < REFUSE_MS * 4  # tracing itself costs a factor; benchmarks/models_fuzz.py times without it
    assert peak < REFUSE_BYTES
    assert caught.value.fix
    return caught.value


HUGE = 2**63
PREFIX = b"GGUF" + struct.pack("<I", 3)


@pytest.mark.parametrize(
    ("content", "at_byte"),
    [
        (PREFIX + struct.pack("<QQ", HUGE, 1), 8),
        (PREFIX + struct.pack("<QQ", 0, HUGE), 16),
        (PREFIX + struct.pack("<QQ", 0, 1) + struct.pack("<Q", HUGE) + b"k" * 99, 24),
        (PREFIX + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IQ", STRING, HUGE) + b"v" * 99, 37),
        (PREFIX + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IIQ", ARRAY, STRING, HUGE) + b"v" * 99, 41),
        (PREFIX + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IIQ", ARRAY, INT32, HUGE // 4) + b"v" * 99, 41),
        (PREFIX + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<I", 77) + b"v" * 99, 33),
        (PREFIX + struct.pack("<QQ", 1, 0) + struct.pack("<Q", 1) + b"t" + struct.pack("<I", 9) + b"v" * 99, 24),
    ],
)
def test_huge_counts_and_lengths_are_refused(tmp_path: Path, content: bytes, at_byte: int) -> None:
    """Counts and lengths that the file has no room for are refused at once, naming the byte."""
    assert refusal(write(tmp_path / "m.gguf", content)).at_byte == at_byte


def test_a_sparse_file_of_empty_strings_is_refused(tmp_path: Path) -> None:
    """A file that is large on paper (a hole of zeros) cannot make the reader walk through it."""
    path = tmp_path / "m.gguf"
    with path.open("wb") as file:
        file.write(PREFIX + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IIQ", ARRAY, STRING, 1 << 30))
        file.truncate(1 << 34)
    assert "1073741824 strings" in refusal(path).why


def test_more_text_than_any_model_has_is_refused(tmp_path: Path) -> None:
    """Many long strings cannot fill the memory."""
    path = write(tmp_path / "m.gguf", gguf_bytes({f"k{number}": "x" * 65_000 for number in range(400)}))
    assert "bytes of text" in refusal(path).why


def test_nested_arrays_end(tmp_path: Path) -> None:
    """Arrays of arrays are stepped over, and refused when they go deeper than any file has reason to."""
    inner = struct.pack("<IQ", INT32, 2) + bytes(8)
    twice = struct.pack("<IQ", ARRAY, 1) + inner
    head = PREFIX + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<I", ARRAY)
    good = write(tmp_path / "good.gguf", head + twice + bytes(64))
    assert read_header(good).metadata["k"] == ArrayShape(ARRAY, 1)
    deep = write(tmp_path / "deep.gguf", head + struct.pack("<IQ", ARRAY, 1) * 9 + inner + bytes(64))
    assert "deep" in refusal(deep).why


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"GG", "cut short"),
        (b"PK\x03\x04" + bytes(99), "not a GGUF"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(99), "version 1"),
        (b"GGUF" + struct.pack(">I", 9) + bytes(99), "version 9"),
        (gguf_bytes({"general.alignment": 48}), "alignment"),
        (
            gguf_bytes({"a": 1, "b": 1}).replace(b"\x01\x00\x00\x00\x00\x00\x00\x00b", b"\x01" + bytes(7) + b"a"),
            "twice",
        ),
    ],
)
def test_what_is_no_usable_gguf_says_so(tmp_path: Path, content: bytes, says: str) -> None:
    """Each kind of wrong file has its own sentence."""
    assert says in str(refusal(write(tmp_path / "m.gguf", content)))


def test_truncated_data_is_found_by_the_tensor_table(tmp_path: Path) -> None:
    """A file that ends before its tensors do is cut short, and pulling it again is the fix."""
    whole = gguf_bytes(llama_metadata(), llama_tensors())
    error = refusal(write(tmp_path / "m.gguf", whole[:-100]))
    assert "cut short" in error.what
    assert error.fix == "pull it again"
    assert error.at_byte is not None


def test_overlapping_and_misaligned_tensors_are_refused(tmp_path: Path) -> None:
    """Offsets that contradict the sizes are refused as the engine would refuse them."""
    whole = gguf_bytes({}, [("a", (32,), 0), ("b", (32,), 0)])
    at = whole.index(struct.pack("<IQ", 0, 128))
    for offset, says in ((0, "takes 128 bytes|another tensor"), (64, "next tensor"), (130, "alignment")):
        path = write(tmp_path / "m.gguf", whole[:at] + struct.pack("<IQ", 0, offset) + whole[at + 12 :])
        with pytest.raises(ModelError, match=says):
            read_header(path)


def test_the_start_of_a_file_that_is_still_coming(tmp_path: Path) -> None:
    """With the length of the whole file, a header that is all there reads, and one that is not says so."""
    whole = gguf_bytes(llama_metadata(), llama_tensors())
    path = write(tmp_path / "m.gguf", whole)
    header = read_header(path)
    write(path, whole[: header.data_at_byte])
    assert read_header(path, file_bytes=len(whole)) == header
    write(path, whole[: header.data_at_byte // 2])
    with pytest.raises(HeaderCut):
        read_header(path, file_bytes=len(whole))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a missing file and a pipe are refused without waiting for anybody."""
    os.mkfifo(tmp_path / "pipe.gguf")
    for name in ("", "missing.gguf", "pipe.gguf"):
        with pytest.raises(ModelError):
            read_header(tmp_path / name)


@settings(deadline=1000, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_gives_facts_or_a_clear_error(tmp_path: Path, data: st.DataObject) -> None:
    """One to four flipped bytes anywhere in a header never crash, hang or blow up the reader or the facts."""
    path = write_model(tmp_path / "base.gguf")
    content = bytearray(path.read_bytes())
    header_bytes = read_header(path).data_at_byte
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, header_bytes - 1))] = data.draw(st.integers(0, 255))
    write(path, bytes(content))
    try:
        facts = facts_of([read_header(path)], path.name)
    except ModelError as error:
        assert error.what and error.at_byte is not None
    else:
        assert facts.weights_bytes <= facts.file_bytes
