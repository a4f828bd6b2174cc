"""The memory estimate against reality: the starter model on the embedded engine, four contexts by three slot counts.

``python -m benchmarks.models_memory``. Reality is what the server process holds after every slot has answered:
anonymous memory plus the resident pages of the model file (Linux, ``/proc``). The estimate is made before the start,
without any correction learned from a log.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.models_files import starter_model
from llmtester.domain.ports import EngineOptions
from llmtester.domain.records import Absent
from llmtester.domain.work import Message, ModelRef, Request, ServerSettings, Target
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.models.facts import ModelFacts
from llmtester.models.memory import MIB, estimate
from llmtester.models.scan import read_model

CONTEXTS_TOK = (512, 2_048, 4_096, 8_192)
SLOTS = (1, 2, 4)
LIMIT_RATIO = 0.10
PROMPT_WORDS = 400
ANSWER_TOK = 8


def run() -> dict[str, object]:
    """The largest relative error of the total, with the estimate and the reality of every case in MiB."""
    path = starter_model()
    facts = read_model([path]).facts
    assert facts is not None
    cases = [_case(path, facts, context_tok, slots) for context_tok in CONTEXTS_TOK for slots in SLOTS]
    worst = max(abs(estimated / real - 1) for _, estimated, real in cases)
    return {
        "name": "models_memory",
        "promise": "estimate within 10 % of the peak at 4 contexts x 3 slot counts",
        "measured": worst,
        "limit": LIMIT_RATIO,
        "unit": "of the peak",
        "passed": worst <= LIMIT_RATIO,
        "cases_mib": {name: [round(estimated / MIB, 1), round(real / MIB, 1)] for name, estimated, real in cases},
    }


def _case(path: Path, facts: ModelFacts, context_tok: int, slots: int) -> tuple[str, int, int]:
    """A name, the estimated bytes and the real ones."""
    settings = ServerSettings(context_tok=context_tok, slots=slots, threads=2)
    need = estimate(facts, settings)
    assert not isinstance(need, Absent)
    model = ModelRef(path.stem, "Q4_1", str(path), path.stat().st_size, "benchmark")
    real = asyncio.run(_peak_bytes(Target("embedded", model, settings)))
    return f"{context_tok} x {slots}", need.total_bytes, real


async def _peak_bytes(target: Target) -> int:
    settings = target.settings
    words = min(PROMPT_WORDS, settings.context_tok // 2)
    message = Message("user", " ".join(f"word{number}" for number in range(words // 4)))
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddedEngine(EngineOptions(folder=Path(folder)))
        async with engine.open(target, Path(folder)) as session:
            requests = [Request(f"r{number}", (message,), ANSWER_TOK) for number in range(settings.slots)]
            await asyncio.gather(*(session.generate(request, lambda at_ns: None) for request in requests))
            process_id = session.facts.process_id
            assert process_id is not None
            return _held_bytes(process_id, Path(target.model.path))


def _held_bytes(process_id: int, model: Path) -> int:
    """Anonymous memory of the process and resident pages of the model file."""
    total = 0
    ours = anonymous = False
    for line in _lines(process_id):
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            ours = line.rstrip().endswith(str(model.resolve()))
        elif line.startswith("Rss:") and ours:
            total += int(line.split()[1]) * 1024
        elif line.startswith("Anonymous:") and not ours:
            total += int(line.split()[1]) * 1024
            anonymous = True
    assert anonymous
    return total


def _lines(process_id: int) -> Iterator[str]:
    with Path(f"/proc/{process_id}/smaps").open(encoding="utf-8", errors="replace") as file:
        yield from file


def main() -> None:
    """Prints estimate and reality of every case."""
    result = run()
    print("context x slots: [estimated, real] MiB")
    for name, figures in result["cases_mib"].items():  # type: ignore[attr-defined]  # a dict, as run() writes it
        print(f"  {name:>9}: {figures[0]:7.1f} {figures[1]:7.1f}  {figures[0] / figures[1] - 1:+.1%}")
    print(f"{'PASS' if result['passed'] else 'FAIL'}: worst {result['measured']:.1%}; {result['promise']}")


if __name__ == "__main__":
    main()
