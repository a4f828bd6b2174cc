"""The promise: damage that people meet is rated poor or failed, or refused, and an exact copy is excellent."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import quality_rungs as rungs
from llmtester.analysis.quality.assess import assess
from llmtester.analysis.summary import Fidelity, QualitySummary, Rating
from llmtester.domain.work import Target

BAD = frozenset({Rating.POOR, Rating.FAILED})
OTHER_TEMPLATE = (
    "{% for message in messages %}### {{ message['role'] }}:\n{{ message['content'] }}\n{% endfor %}### assistant:\n"
)


def run() -> dict[str, object]:
    """How many kinds of damage were not noticed, with the verdict on each."""
    source = rungs.starter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = rungs.write(source, folder / "q8.gguf", "Q8_0")
        reference = rungs.target(sound, "Q8_0")
        made = {
            "4-bit cache": rungs.target(sound, "cache", rungs.with_cache(rungs.SERVER)),
            "other template": rungs.target(
                rungs.write(source, folder / "template.gguf", "Q8_0", template=OTHER_TEMPLATE), "template"
            ),
            "damaged tensors": rungs.target(
                rungs.write(source, folder / "broken.gguf", "Q8_0", rungs.broken), "broken"
            ),
        }
        copy = rungs.target(rungs.write(source, folder / "copy.gguf", "Q8_0"), "copy")
        work = rungs.plan(reference, [*made.values(), copy], rungs.loads("fidelity", "floor", "stability"))
        state, _ = rungs.measured(work, folder)
        found = {one.target: one for one in assess(state, rungs.BANDS)}
    missed = [kind for kind, target in made.items() if found[target.key].rating not in BAD]
    return {
        "name": "quality_known_bad",
        "promise": "4-bit cache, other template and damaged tensors are poor, failed or refused; a copy is excellent",
        "measured": len(missed),
        "limit": 0,
        "unit": "missed",
        "passed": not missed and found[copy.key].rating is Rating.EXCELLENT,
        "verdicts": {kind: _verdict(found, target) for kind, target in {**made, "copy": copy}.items()},
    }


def _verdict(found: dict[str, QualitySummary], target: Target) -> dict[str, object]:
    one = found[target.key]
    return {
        "words": one.words,
        "evidence": {name: rating.value for name, rating in one.evidence.items()},
        "refused": one.refused,
        "kl_nats": one.fidelity.kl_nats.value if isinstance(one.fidelity, Fidelity) else one.fidelity.reason,
        "agreement_ratio": one.fidelity.agreement_ratio.value if isinstance(one.fidelity, Fidelity) else None,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
