"""The parser: whatever the network does to a stream, the events are the same."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.engines.chat_stream import read_chat
from llmtester.engines.ollama import read_ollama
from llmtester.engines.sse import EventSplitter, LineSplitter, Oversized

DATA = Path(__file__).parent / "data"
RECORDED = sorted(DATA.glob("*.sse")) + sorted(DATA.glob("*.ndjson"))
SPLITS = 1000


def split(data: bytes, cuts: list[int], splitter) -> list[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    payloads = [payload for start, end in itertools.pairwise(edges) for payload in splitter.feed(data[start:end])]
    return payloads + splitter.finish()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_a_thousand_random_splits_give_the_same_chunks(path):
    """Recorded streams of every engine, cut at random places, decode to identical chunks and counts."""
    data = path.read_bytes()
    kind, read = (LineSplitter, read_ollama) if path.suffix == ".ndjson" else (EventSplitter, read_chat)
    whole = split(data, [], kind())
    done = b"[DONE]" in whole
    expected = read([(0, payload) for payload in whole if payload != b"[DONE]"], done=done)
    assert expected.chunks
    chance = random.Random(path.name)
    for _ in range(SPLITS):
        cuts = [chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 40))]
        assert split(data, cuts, kind()) == whole
    bytewise = split(data, list(range(len(data))), kind())
    assert read([(0, payload) for payload in bytewise if payload != b"[DONE]"], done=done) == expected


def test_line_separators_inside_json_do_not_split():
    """U+2028 and U+0085, which llama-server sends raw, stay inside their event."""
    data = (DATA / "llama_chat_line_separators.sse").read_bytes()
    assert "\u2028".encode() in data
    assert "\x85".encode() in data
    events = [payload for payload in split(data, [], EventSplitter()) if payload != b"[DONE]"]
    text = "".join(chunk.text for chunk in read_chat([(0, payload) for payload in events], done=True).chunks)
    assert text == "a\u2028b\x85c 日本"


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\n\ndata:b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b": ping\n\ndata: a\n\n:\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"event: error\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\ndata: [DONE]", [b"a", b"[DONE]"]),
        (b"data:\n\n", [b""]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"\n\n\n", []),
        (b"database: a\n\ndata\n\n", []),
        (b"", []),
    ],
)
def test_forms_of_events(data, events):
    """Line ends, comments, several data lines, other fields, a byte order mark and a missing end."""
    assert split(data, [], EventSplitter()) == events
    assert split(data, list(range(len(data))), EventSplitter()) == events


@given(
    st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line and not line.endswith(b"\r")), max_size=8),
    st.lists(st.integers(0, 400), max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_any_payload_survives_any_split(payloads, cuts, line_end):
    """What is framed as events comes out as it went in."""
    data = b"".join(b"data: " + payload + line_end * 2 for payload in payloads)
    assert split(data, [cut for cut in cuts if cut <= len(data)], EventSplitter()) == payloads


def test_an_endless_line_is_refused():
    """A line without end does not fill the memory."""
    splitter = EventSplitter(LineSplitter(limit_bytes=1000))
    with pytest.raises(Oversized):
        for _ in range(20):
            splitter.feed(b"x" * 100)


def test_lines_of_json():
    """Blank lines are skipped, and a last line without its end counts."""
    assert split(b'{"a":1}\n\n {"b":2}\r\n{"c":3}', [4, 9], LineSplitter()) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
