"""GGUF headers: what a file says of itself, without its arrays and without trusting a single length.

A header is a magic, a version, two counts, a list of typed key-value pairs and a table of tensors. The reader goes
through it once in chunks of one MiB, keeps the scalars, the short strings and the few arrays that were asked for, and
steps over everything else. Each count and length is compared with a limit and with the bytes that are left before
anything is allocated or looped over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from llmtester.domain.errors import ModelError
from llmtester.domain.text import printable
from llmtester.models import ggml
from llmtester.models.cursor import MAX_STRINGS_COUNT, ArrayMemo, Cursor, HeaderCut

__all__ = ["ArrayShape", "Header", "HeaderCut", "Tensor", "Value", "read_header"]

MAGIC = b"GGUF"
MAX_PAIRS = 16_384  # files in use have 20 to 80
MAX_TENSORS = 65_536  # the largest mixtures of experts have about 3,000
MAX_KEY_BYTES = 65_535  # the specification's own limit
MAX_TENSOR_NAME_BYTES = 256  # llama.cpp stops at 64; other programs write longer ones
MAX_DIMENSIONS = 4
MAX_KEPT_STRING_BYTES = 65_536
MAX_KEPT_ARRAY_COUNT = 4_096
MAX_NESTED_ARRAYS_COUNT = 1_024
MAX_ARRAY_DEPTH = 2
MAX_WEIGHTS_IN_TENSOR = 1 << 48

WANTED_ARRAYS = (
    ".attention.head_count",
    ".attention.head_count_kv",
    ".attention.sliding_window_pattern",
    ".attention.recurrent_layers",
    ".feed_forward_length",
)


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """An array that was stepped over: its value type and how many elements it has."""

    value_type: int
    count: int


@dataclass(frozen=True, slots=True)
class LongString:
    """A string that was stepped over because it is longer than anything worth keeping."""

    size_bytes: int


Scalar: TypeAlias = int | float | bool | str
Value: TypeAlias = Scalar | tuple[int | float | bool, ...] | ArrayShape | LongString


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table. ``offset_bytes`` counts from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    type_number: int
    offset_bytes: int
    size_bytes: int

    @property
    def weights_count(self) -> int:
        total = 1
        for dimension in self.shape:
            total *= dimension
        return total

    @property
    def type_name(self) -> str:
        kind = ggml.TENSOR_TYPES.get(self.type_number)
        return kind.name if kind else f"type {self.type_number}"


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header. ``data_at_byte`` is where the tensor data begins, ``file_bytes`` how long the file is."""

    version: int
    byte_order: Literal["little", "big"]
    file_bytes: int
    data_at_byte: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...] = field(repr=False)


def read_header(
    path: Path,
    *,
    arrays: Collection[str] = WANTED_ARRAYS,
    file_bytes: int | None = None,
    memo: ArrayMemo | None = None,
) -> Header:
    """The header of a GGUF file of version 2 or 3 in either byte order.

    Arrays of numbers whose key ends with one of ``arrays`` are kept, others become an ``ArrayShape``.
    ``file_bytes`` is the length that the whole file will have, for a file that is still being fetched.
    ``memo`` lets the reader recognise a vocabulary that it has stepped through before.

    Raises ``ModelError`` with ``at_byte`` for anything that is wrong, and its subclass ``HeaderCut`` when the bytes
    at hand end before the header does.
    """
    with Cursor(path, file_bytes) as cursor:
        version = _preamble(cursor, path)
        tensor_count = cursor.count("tensors", MAX_TENSORS, least_bytes_each=24)
        pair_count = cursor.count("metadata entries", MAX_PAIRS, least_bytes_each=13)
        metadata: dict[str, Value] = {}
        for _ in range(pair_count):
            at_byte = cursor.at_byte
            key = cursor.string(MAX_KEY_BYTES, "a metadata key")
            if key in metadata:
                raise cursor.wrong(f"the key {printable(key, 80)!r} appears twice", at_byte)
            metadata[key] = _value(cursor, key, cursor.u32(), _Wish(arrays, memo))
        alignment = _alignment(cursor, metadata)
        rows = [_tensor_row(cursor) for _ in range(tensor_count)]
        table_ends_at = cursor.at_byte
        data_at_byte = -(-table_ends_at // alignment) * alignment
        tensors = _placed(cursor, rows, data_at_byte, alignment)
        return Header(
            version=version,
            byte_order="big" if cursor.big_endian else "little",
            file_bytes=cursor.file_bytes,
            data_at_byte=data_at_byte,
            metadata=metadata,
            tensors=tensors,
        )


def _preamble(cursor: Cursor, path: Path) -> int:
    if cursor.file_bytes == 0:
        raise ModelError(f"{printable(path.name)} is empty", why="it has 0 bytes", fix="pull it again", at_byte=0)
    magic = cursor.take(4, "the magic")
    if magic != MAGIC:
        raise ModelError(
            f"{printable(path.name)} is not a GGUF file",
            why=f"it begins with {magic!r} instead of {MAGIC!r}",
            fix="use a file in the GGUF format, or pull it again if it was one",
            at_byte=0,
        )
    version = cursor.u32()
    if version & 0xFFFF == 0 and version:
        cursor.turn_to_big_endian()
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in (2, 3):
        raise cursor.wrong(f"GGUF version {version}; only 2 and 3 can be read", 4)
    return version


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the caller wants of the arrays: the endings of keys to keep, and the memo."""

    arrays: Collection[str]
    memo: ArrayMemo | None


def _value(cursor: Cursor, key: str, value_type: int, wish: _Wish) -> Value:
    at_byte = cursor.at_byte - 4
    if value_type == ggml.STRING:
        length = cursor.length("a string")
        if length > MAX_KEPT_STRING_BYTES:
            cursor.skip(length, "a string")
            return LongString(length)
        return cursor.text(length, "a string")
    if value_type == ggml.ARRAY:
        return _array(cursor, key, wish, depth=0)
    if value_type not in ggml.SCALAR_SIZE_BYTES:
        raise cursor.wrong(f"{printable(key, 80)!r} has the unknown value type {value_type}", at_byte)
    return cursor.scalars(value_type, 1)[0]


def _array(cursor: Cursor, key: str, wish: _Wish, depth: int) -> Value:
    at_byte = cursor.at_byte
    if depth >= MAX_ARRAY_DEPTH:
        raise cursor.wrong(f"arrays inside arrays, {depth} deep", at_byte)
    element_type = cursor.u32()
    if element_type in ggml.SCALAR_SIZE_BYTES:
        size = ggml.SCALAR_SIZE_BYTES[element_type]
        count = cursor.count("array elements", cursor.file_bytes, least_bytes_each=size)
        if count <= MAX_KEPT_ARRAY_COUNT and any(key.endswith(suffix) for suffix in wish.arrays):
            return cursor.scalars(element_type, count)
        cursor.skip(count * size, "an array")
        return ArrayShape(element_type, count)
    if element_type == ggml.STRING:
        count = cursor.count("strings", MAX_STRINGS_COUNT, least_bytes_each=8)
        cursor.skip_strings(count, wish.memo)
        return ArrayShape(element_type, count)
    if element_type == ggml.ARRAY:
        count = cursor.count("arrays", MAX_NESTED_ARRAYS_COUNT, least_bytes_each=12)
        for _ in range(count):
            _array(cursor, "", _Wish((), wish.memo), depth + 1)
        return ArrayShape(element_type, count)
    raise cursor.wrong(f"{printable(key, 80)!r} is an array of the unknown value type {element_type}", at_byte)


def _alignment(cursor: Cursor, metadata: dict[str, Value]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 8 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        shown = printable(repr(alignment), 40)
        raise cursor.wrong(f"the alignment {shown} is not a power of two from 8 to 1048576", cursor.at_byte)
    return alignment


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    shape: tuple[int, ...]
    type_number: int
    offset_bytes: int
    at_byte: int


def _tensor_row(cursor: Cursor) -> _Row:
    at_byte = cursor.at_byte
    name = cursor.string(MAX_TENSOR_NAME_BYTES, "a tensor name")
    dimensions = cursor.u32()
    if dimensions > MAX_DIMENSIONS:
        raise cursor.wrong(f"tensor {printable(name, 80)!r} has {dimensions} dimensions; 4 is the most", at_byte)
    shape = cursor.u64s(dimensions)
    weights = 1
    for size in shape:
        weights *= size
    if weights > MAX_WEIGHTS_IN_TENSOR:
        raise cursor.wrong(f"tensor {printable(name, 80)!r} claims {weights} weights", at_byte)
    return _Row(name, shape, cursor.u32(), cursor.u64s(1)[0], at_byte)


def _placed(cursor: Cursor, rows: list[_Row], data_at_byte: int, alignment: int) -> tuple[Tensor, ...]:
    """The rows with their sizes, each checked against its neighbours and the end of the file."""
    starts = sorted({row.offset_bytes for row in rows})
    following = dict(zip(starts, [*starts[1:], max(cursor.file_bytes - data_at_byte, 0)], strict=True)) if rows else {}
    data_bytes = cursor.file_bytes - data_at_byte
    placed = []
    taken: set[int] = set()
    for row in rows:
        complain = _complaint(cursor, row)
        if row.offset_bytes % alignment:
            raise complain(f"starts at {row.offset_bytes}, which is no multiple of the alignment {alignment}")
        kind = ggml.TENSOR_TYPES.get(row.type_number)
        room = following[row.offset_bytes] - row.offset_bytes
        if kind is None:
            size = max(room, 0)
        else:
            weights = 1
            for dimension in row.shape:
                weights *= dimension
            if row.shape and row.shape[0] % kind.weights_per_block:
                raise complain(f"has rows of {row.shape[0]} weights, which {kind.name} cannot hold")
            size = weights // kind.weights_per_block * kind.bytes_per_block
        if row.offset_bytes + size > data_bytes:
            raise ModelError(
                f"{printable(cursor.name)} is cut short",
                why=(
                    f"tensor {printable(row.name, 80)!r} ends at byte {data_at_byte + row.offset_bytes + size}, "
                    f"the file has {cursor.file_bytes}"
                ),
                fix="pull it again",
                at_byte=row.at_byte,
            )
        if size > room:
            raise complain(f"takes {size} bytes and the next tensor starts after {room}")
        if size and row.offset_bytes in taken:
            raise complain("starts where another tensor starts")
        if size:
            taken.add(row.offset_bytes)
        placed.append(Tensor(row.name, row.shape, row.type_number, row.offset_bytes, size))
    return tuple(placed)


def _complaint(cursor: Cursor, row: _Row) -> Callable[[str], ModelError]:
    return lambda what: cursor.wrong(f"tensor {printable(row.name, 80)!r} {what}", row.at_byte)
