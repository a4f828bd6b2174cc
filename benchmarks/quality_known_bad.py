"""The promise: damage that people meet is rated poor or failed, or refused, and an exact copy is excellent."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import quality_rungs as rungs
from llmtester.analysis.quality import fidelity
from llmtester.analysis.quality.assess import FIDELITY, FLOOR, STABILITY, answers, assess
from llmtester.analysis.state import RunState
from llmtester.analysis.summary import Fidelity, QualitySummary, Rating
from llmtester.domain.records import Absent
from llmtester.domain.work import Target
from llmtester.profiles.quality.profile import QualityProfile
from llmtester.profiles.quality.texts import TEXTS

BAD = frozenset({Rating.POOR, Rating.FAILED})
SHORT = {"texts": TEXTS[:16], "open_tok": 96}
"""Half of the texts and free answers of 96 tokens: enough for gross damage, and the whole takes minutes."""

OTHER_TEMPLATE = (
    "{% for message in messages %}### {{ message['role'] }}:\n{{ message['content'] }}\n{% endfor %}### assistant:\n"
)


def run() -> dict[str, object]:
    """How many kinds of damage were not noticed, with the verdict on each, and what a cache alone costs."""
    source = rungs.starter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = rungs.write(source, folder / "q8.gguf", "Q8_0")
        reference = rungs.target(sound, "Q8_0")
        caches = {kind: rungs.target(sound, f"cache {kind}", rungs.with_cache(kind)) for kind in ("q4_0", "q8_0")}
        made = {
            "4-bit cache": caches["q4_0"],
            "other template": rungs.target(
                rungs.write(source, folder / "template.gguf", "Q8_0", template=OTHER_TEMPLATE), "template"
            ),
            "damaged tensors": rungs.target(
                rungs.write(source, folder / "broken.gguf", "Q8_0", rungs.broken), "broken"
            ),
        }
        copy = rungs.target(rungs.write(source, folder / "copy.gguf", "Q8_0"), "copy")
        candidates = [*made.values(), caches["q8_0"], copy]
        work = rungs.plan(reference, candidates, rungs.loads(FIDELITY, FLOOR, STABILITY, **SHORT))
        state, _ = rungs.measured(work, folder, SHORT)
        found = {one.target: one for one in assess(state, rungs.BANDS)}
    missed = [
        kind for kind, target in made.items() if found[target.key].rating not in BAD and not found[target.key].refused
    ]
    if QualityProfile().refuses(caches["q4_0"].settings) is None:
        missed.append("4-bit cache at all servers")
    return {
        "name": "quality_known_bad",
        "promise": "4-bit cache, other template and damaged tensors are poor, failed or refused; a copy is excellent",
        "measured": len(missed),
        "limit": 0,
        "unit": "missed",
        "passed": not missed and found[copy.key].rating is Rating.EXCELLENT,
        "missed": missed,
        "verdicts": {kind: _verdict(found, target) for kind, target in {**made, "copy": copy}.items()},
        "price_of_a_cache": {kind: _price(state, reference, target) for kind, target in caches.items()},
    }


def _price(state: RunState, reference: Target, target: Target) -> dict[str, float] | str:
    """Divergence and agreement of one file behind another cache: no verdict on a file, but what the cache does."""
    told, own = (answers(state, one.key, FIDELITY) for one in (reference, target))
    price = fidelity.measure(fidelity.compare(told, own), ())
    if isinstance(price, Absent):
        return price.reason
    return {"kl_nats": price.kl_nats.value, "agreement_ratio": price.agreement_ratio.value}


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
