"""20,000 mutated headers: facts or a clear error, never a crash, a hang or a large allocation.

``python -m benchmarks.models_fuzz [COUNT]``. The seed is fixed, so a finding can be repeated. Mutations: flipped bytes,
extreme numbers in any place, bytes cut out, put in or doubled, cut ends, parts of one file in another.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.models.ggufs import ARRAY, BOOL, INT32, Typed, gguf_bytes, llama_metadata, llama_tensors

from benchmarks.models_files import vocabulary_bytes
from llmtester.domain.errors import ModelError
from llmtester.domain.work import ServerSettings
from llmtester.models.facts import facts_of
from llmtester.models.gguf import read_header
from llmtester.models.memory import estimate

COUNT = 20_000
SLOWEST_LIMIT_S = 1.0
GROWTH_LIMIT_BYTES = 100_000_000
EXTREMES = (0, 1, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def run(count: int = COUNT) -> dict[str, object]:
    """Seconds of the slowest header, with how many gave facts and how much memory grew."""
    bases = _bases()
    random = Random(20_261_124)
    outcomes = {"facts": 0, "error": 0}
    crashes: list[str] = []
    slowest_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        for base in bases:
            path.write_bytes(base)
            _look(path)
        before = _peak_bytes()
        for number in range(count):
            path.write_bytes(_mutated(random, bases))
            started = time.perf_counter()
            try:
                outcomes[_look(path)] += 1
            except Exception as error:  # noqa: BLE001 (any escape at all is the finding)
                crashes.append(f"header {number}: {type(error).__name__}: {error}")
            slowest_s = max(slowest_s, time.perf_counter() - started)
        growth_bytes = _peak_bytes() - before
    return {
        "name": "models_fuzz",
        "promise": f"{count} mutated headers: no crash, none over 1 s, growth <= 100 MB",
        "measured": slowest_s,
        "limit": SLOWEST_LIMIT_S,
        "passed": not crashes and slowest_s <= SLOWEST_LIMIT_S and growth_bytes <= GROWTH_LIMIT_BYTES,
        "growth_bytes": growth_bytes,
        "outcomes": outcomes,
        "crashes": crashes[:10],
    }


def _look(path: Path) -> str:
    """Everything that a scan does with a header. An error must say what and where."""
    try:
        facts = facts_of([read_header(path)], path.name)
    except ModelError as error:
        if error.at_byte is None or not error.what:
            raise AssertionError(f"an error without a place: {error}") from error
        return "error"
    estimate(facts, ServerSettings())
    return "facts"


def _bases() -> list[bytes]:
    sliding = {"general.architecture": "gemma3", "gemma3.block_count": 6, "gemma3.attention.sliding_window": 512}
    lists = {
        "llama.attention.head_count_kv": Typed([2, 0], ARRAY, INT32),
        "llama.attention.sliding_window_pattern": Typed([True, False], ARRAY, BOOL),
        "llama.ssm.state_size": 16,
        "llama.ssm.inner_size": 128,
        "llama.ssm.conv_kernel": 4,
    }
    return [
        gguf_bytes(llama_metadata(), llama_tensors()),
        gguf_bytes(llama_metadata() | lists, llama_tensors(), big_endian=True),
        gguf_bytes(llama_metadata() | sliding, llama_tensors(), version=2),
        vocabulary_bytes(2_000, 2_000),
    ]


def _mutated(random: Random, bases: list[bytes]) -> bytes:
    content = bytearray(random.choice(bases))
    reach = min(len(content), 4_096) if random.random() < 0.8 else len(content)
    for _ in range(random.randint(1, 4)):
        random.choice(_MUTATIONS)(random, content, reach, bases)
    return bytes(content)


def _flip(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    if content:
        content[random.randrange(min(reach, len(content)))] = random.randrange(256)


def _extreme(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    size = random.choice((4, 8))
    at = random.randrange(max(min(reach, len(content)) - size, 1))
    order = "little" if random.random() < 0.8 else "big"
    content[at : at + size] = (random.choice(EXTREMES) % (1 << (8 * size))).to_bytes(size, order)  # type: ignore[arg-type]  # one of two words


def _cut_out(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    at = random.randrange(max(min(reach, len(content)), 1))
    del content[at : at + random.randint(1, 64)]


def _put_in(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    at = random.randrange(max(min(reach, len(content)), 1))
    content[at:at] = random.randbytes(random.randint(1, 64))


def _double(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    at = random.randrange(max(min(reach, len(content)), 1))
    content[at:at] = content[at : at + random.randint(8, 512)]


def _cut_end(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    del content[random.randrange(max(len(content), 1)) :]


def _graft(random: Random, content: bytearray, reach: int, bases: list[bytes]) -> None:
    other = random.choice(bases)
    at, source = random.randrange(max(min(reach, len(content)), 1)), random.randrange(len(other))
    length = random.randint(8, 256)
    content[at : at + length] = other[source : source + length]


_Mutation = Callable[[Random, bytearray, int, list[bytes]], None]
_MUTATIONS: tuple[_Mutation, ...] = (_flip, _flip, _extreme, _extreme, _cut_out, _put_in, _double, _cut_end, _graft)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Prints what became of the headers."""
    result = run(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
