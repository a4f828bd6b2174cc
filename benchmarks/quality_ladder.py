"""The promise: fidelity over HTTP puts quantizations into the order of the full divergence, neighbours proven apart."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks import quality_rungs as rungs
from llmtester.analysis.quality import fidelity
from llmtester.analysis.quality.assess import FIDELITY, FLOOR, answers, assess
from llmtester.analysis.quality.statistics import holm, separation
from llmtester.domain.logprobs import unpack
from llmtester.domain.work import Message, Target

if TYPE_CHECKING:
    from llmtester.engines.http_session import LlamaSession

LIMIT_S, LIMIT_P = 60.0, 0.05
AA_KL_NATS, AA_AGREEMENT_RATIO = 1e-4, 0.999
FULL_TEXTS, FULL_TOK = 8, 25
"""200 places with the whole vocabulary: 0.4 s and 5 MB each, so a few hundred must do."""

LADDER: tuple[tuple[str, str, rungs.Change], ...] = (
    ("Q8_0", "Q8_0", rungs.unchanged),
    ("Q5_1", "Q5_1", rungs.unchanged),
    ("Q5_0", "Q5_0", rungs.unchanged),
    ("Q4_0", "Q4_0", rungs.unchanged),
    ("three", "Q8_0", rungs.rounded(3)),
    ("two", "Q8_0", rungs.rounded(2)),
)


async def _whole_vocabulary(target: Target, folder: Path, asked: Sequence[tuple[str, Sequence[int]]]) -> Any:
    """Log-probabilities of every token at each forced place: (places, vocabulary), from the same kind of server."""
    import numpy as np

    from llmtester.engines.embedded import EmbeddedEngine

    rows = []
    async with EmbeddedEngine().open(target, folder) as opened:
        session = cast("LlamaSession", opened)
        count = int((await session.client.call("GET", "/v1/models"))["data"][0]["meta"]["n_vocab"])
        for prompt, forced in asked:
            ids = await session.prompt_tok([Message("user", prompt)], thinking=False)
            for place in range(len(forced)):
                body = {
                    "prompt": [*ids, *forced[:place]],
                    "n_predict": 1,
                    "n_probs": count,
                    "temperature": 0.0,
                    "samplers": ["temperature"],
                    "cache_prompt": True,
                    "id_slot": 0,
                    "logit_bias": [[forced[place], 1000.0]],  # its own choice may be a token without probabilities
                }
                reply = await session.client.call("POST", "/completion", body, limit_s=120.0)
                row = np.full(count, -1e4, dtype=np.float64)
                for entry in reply["completion_probabilities"][0]["top_logprobs"]:
                    row[entry["id"]] = -1e4 if entry["logprob"] is None else max(-1e4, entry["logprob"])
                rows.append(row - np.log(np.exp(row).sum()))
    return np.array(rows)


def _full_kl(reference: Any, candidate: Any) -> float:
    import numpy as np

    return float((np.exp(reference) * (reference - candidate)).sum(axis=1).mean())


def run() -> dict[str, object]:
    """Orders the rungs both ways; the largest adjusted p-value between neighbours is what the promise is about."""
    from llmtester.profiles.quality.texts import TEXTS

    source = rungs.starter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = rungs.target(rungs.write(source, folder / "f16.gguf", "F16"), "F16")
        made = {
            label: rungs.target(rungs.write(source, folder / f"{label}.gguf", kind, change), label)
            for label, kind, change in LADDER
        }
        work = rungs.plan(reference, list(made.values()), rungs.loads("fidelity", "floor"))
        state, spent_s = rungs.measured(work, folder)
        told = answers(state, reference.key, FIDELITY)
        compared = {label: fidelity.compare(told, answers(state, one.key, FIDELITY)) for label, one in made.items()}
        floor = fidelity.measure(fidelity.compare(told, answers(state, reference.key, FLOOR)), ())
        verdicts = {one.label: one.words for one in assess(state, rungs.BANDS)}
        kl = {label: fidelity.measure(texts, ()) for label, texts in compared.items()}
        asked = [
            (text.prompt, [position.token for position in unpack(told[text.id].logprobs)][:FULL_TOK])
            for text in TEXTS[:FULL_TEXTS]
        ]
        started_s = time.monotonic()
        whole = asyncio.run(_whole_vocabulary(reference, folder, asked))
        full = {
            label: _full_kl(whole, asyncio.run(_whole_vocabulary(one, folder, asked))) for label, one in made.items()
        }
    ordered = sorted(kl, key=lambda label: kl[label].kl_nats.value)  # type: ignore[union-attr]  # measured above
    clusters = {label: fidelity.kl_clusters(compared[label]) for label in ordered}
    p_values = holm([separation(clusters[one], clusters[other]) for one, other in pairwise(ordered)])
    slowest_s = max(spent_s[one.key] for one in made.values())
    same_order = ordered == sorted(full, key=lambda label: full[label])
    exact = floor.kl_nats.value < AA_KL_NATS and floor.agreement_ratio.value >= AA_AGREEMENT_RATIO  # type: ignore[union-attr]  # measured
    return {
        "name": "quality_ladder",
        "promise": f"order of the full divergence, neighbours at p < {LIMIT_P}, under {LIMIT_S:.0f} s a rung",
        "measured": max(p_values),
        "limit": LIMIT_P,
        "unit": "p",
        "passed": same_order and max(p_values) < LIMIT_P and slowest_s < LIMIT_S and exact,
        "slowest_rung_s": slowest_s,
        "same_order": same_order,
        "p_values_holm": dict(zip(("<".join(pair) for pair in pairwise(ordered)), p_values, strict=True)),
        "truncated_kl_nats": {label: kl[label].kl_nats.value for label in ordered},  # type: ignore[union-attr]  # measured
        "full_kl_nats": {label: full[label] for label in ordered},
        "agreement_ratio": {label: kl[label].agreement_ratio.value for label in ordered},  # type: ignore[union-attr]  # measured
        "itself": {"kl_nats": floor.kl_nats.value, "agreement_ratio": floor.agreement_ratio.value},  # type: ignore[union-attr]  # measured
        "verdicts": verdicts,
        "full_places": len(whole),
        "full_s": time.monotonic() - started_s,
        "server_s": spent_s,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
