"""Packed log-probabilities: what goes in comes out, and nothing else is taken for them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.domain.logprobs import Position, pack, unpack

LOGPROB = st.floats(max_value=0, min_value=-1e6, width=32)
TOKEN = st.integers(0, 2**31 - 1)
POSITIONS = st.lists(st.builds(Position, TOKEN, LOGPROB, st.lists(st.tuples(TOKEN, LOGPROB), max_size=9).map(tuple)))


@given(POSITIONS)
def test_what_was_packed_comes_back(positions: list[Position]) -> None:
    """Any list of positions survives, in order, to the last bit of a 32-bit float."""
    assert unpack(pack(positions)) == tuple(positions)


@given(POSITIONS.filter(len), st.data())
def test_a_cut_string_is_refused(positions: list[Position], data: st.DataObject) -> None:
    """Whatever is cut off, the rest is never read as a shorter list."""
    packed = pack(positions)
    kept = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(ValueError, match="log-probabilities"):
        unpack(packed[:kept])


def test_forty_positions_of_sixty_take_26_kilobytes() -> None:
    """The size that the journal was planned for."""
    position = Position(7, -0.5, tuple((number, -1.5) for number in range(60)))
    assert len(pack([position] * 40)) == pytest.approx(26_000, rel=0.02)


def test_text_that_is_something_else_is_refused() -> None:
    """A later format or plain text is an error, not an empty list."""
    assert unpack("") == ()
    for text in ("hello", "AgAAAAA=", "ü"):
        with pytest.raises(ValueError, match=r"log-probabilities|ASCII"):
            unpack(text)


def test_a_list_that_lacks_its_end_is_refused() -> None:
    """Cut between two tokens of a list, where every piece that is left is whole."""
    data = base64.b64decode(pack([Position(1, -0.5, ((1, -0.5), (2, -1.5)))]))
    with pytest.raises(ValueError, match="end too early"):
        unpack(base64.b64encode(data[:-8]).decode("ascii"))


@given(POSITIONS.filter(len), st.binary(min_size=1, max_size=9))
def test_a_string_with_more_behind_it_is_refused(positions: list[Position], more: bytes) -> None:
    """What follows the last position makes all of it doubtful, however little it is."""
    packed = base64.b64encode(base64.b64decode(pack(positions)) + more).decode("ascii")
    with pytest.raises(ValueError, match="followed by something else"):
        unpack(packed)
