"""Ladders of quantizations, ordered once by the profile and once by the divergence over the whole vocabulary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks import quality_rungs as rungs
from llmtester.analysis.quality import fidelity
from llmtester.analysis.quality.assess import FIDELITY, FLOOR, answers, assess
from llmtester.analysis.quality.statistics import holm, separation
from llmtester.analysis.state import RunState
from llmtester.analysis.summary import Fidelity
from llmtester.domain.logprobs import unpack
from llmtester.domain.records import Absent
from llmtester.domain.work import Message, Target
from llmtester.profiles.quality.texts import TEXTS, Text

if TYPE_CHECKING:
    from llmtester.engines.http_session import LlamaSession

LIMIT_S, LIMIT_P = 60.0, 0.05
AA_KL_NATS, AA_AGREEMENT_RATIO = 1e-4, 0.999


@dataclass(frozen=True, slots=True)
class Ladder:
    """``rungs``: label, kind of the file, what was done to the weights. ``whole_texts`` texts of ``whole_tok`` places
    each are asked with the whole vocabulary, which takes 0.4 s and 5 MB a place for 49,000 tokens."""

    source: Path
    reference: str
    rungs: tuple[tuple[str, str, rungs.Change], ...]
    texts: tuple[Text, ...] = TEXTS
    whole_texts: int = 8
    whole_tok: int = 25


@dataclass(frozen=True, slots=True)
class Climbed:
    """A ladder after the profile ran over it."""

    reference: Target
    targets: Mapping[str, Target]
    state: RunState
    spent_s: Mapping[str, float]


def files(ladder: Ladder, folder: Path) -> tuple[Target, dict[str, Target]]:
    """The reference and every rung, written into ``folder``."""
    reference = rungs.write(ladder.source, folder / "reference.gguf", ladder.reference)
    made = {
        label: rungs.target(rungs.write(ladder.source, folder / f"{label}.gguf", kind, change), label)
        for label, kind, change in ladder.rungs
    }
    return rungs.target(reference, ladder.reference), made


def climb(ladder: Ladder, reference: Target, made: Mapping[str, Target], folder: Path) -> Climbed:
    """Fidelity of every rung, and of the reference along itself."""
    options = {"texts": ladder.texts}
    work = rungs.plan(reference, list(made.values()), rungs.loads(FIDELITY, FLOOR, **options))
    state, spent_s = rungs.measured(work, folder, options)
    return Climbed(reference, made, state, spent_s)


def asked_whole(ladder: Ladder, climbed: Climbed) -> list[tuple[str, list[int]]]:
    """The places at which the whole vocabulary is asked for: the beginnings of the first texts."""
    told = answers(climbed.state, climbed.reference.key, FIDELITY)
    return [
        (text.prompt, [position.token for position in unpack(told[text.id].logprobs)][: ladder.whole_tok])
        for text in ladder.texts[: ladder.whole_texts]
    ]


def whole_vocabulary(target: Target, folder: Path, asked: Sequence[tuple[str, Sequence[int]]]) -> Any:
    """Log-probabilities of every token at each place: (places, vocabulary), from the same kind of server."""
    return asyncio.run(_whole_vocabulary(target, folder, asked))


async def _whole_vocabulary(target: Target, folder: Path, asked: Sequence[tuple[str, Sequence[int]]]) -> Any:
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
                rows.append((row - np.log(np.exp(row).sum())).astype(np.float32))
    return np.array(rows)


def whole_kl(reference: Any, candidate: Any) -> float:
    """Mean divergence in nats over the whole vocabulary."""
    import numpy as np

    told = reference.astype(np.float64)
    return float((np.exp(told) * (told - candidate)).sum(axis=1).mean())


def verdict(name: str, climbed: Climbed, whole: Mapping[str, float], places: int) -> dict[str, object]:
    """Whether both orders are one and neighbours are proven apart; ``whole`` is the full divergence of each rung."""
    told = answers(climbed.state, climbed.reference.key, FIDELITY)
    compared = {
        label: fidelity.compare(told, answers(climbed.state, one.key, FIDELITY))
        for label, one in climbed.targets.items()
    }
    floor = _measured(fidelity.compare(told, answers(climbed.state, climbed.reference.key, FLOOR)))
    found = {label: _measured(texts) for label, texts in compared.items()}
    ordered = sorted(found, key=lambda label: found[label].kl_nats.value)
    clusters = {label: fidelity.kl_clusters(compared[label]) for label in ordered}
    p_values = holm([separation(clusters[one], clusters[other]) for one, other in pairwise(ordered)])
    slowest_s = max(climbed.spent_s[one.key] for one in climbed.targets.values())
    same_order = ordered == sorted(whole, key=lambda label: whole[label])
    exact = floor.kl_nats.value < AA_KL_NATS and floor.agreement_ratio.value >= AA_AGREEMENT_RATIO
    return {
        "name": name,
        "promise": f"order of the full divergence, neighbours at p < {LIMIT_P}, under {LIMIT_S:.0f} s a rung",
        "measured": max(p_values),
        "limit": LIMIT_P,
        "unit": "p",
        "passed": same_order and max(p_values) < LIMIT_P and slowest_s < LIMIT_S and exact,
        "slowest_rung_s": slowest_s,
        "same_order": same_order,
        "p_values_holm": dict(zip(("<".join(pair) for pair in pairwise(ordered)), p_values, strict=True)),
        "truncated_kl_nats": {label: found[label].kl_nats.value for label in ordered},
        "full_kl_nats": {label: whole[label] for label in ordered},
        "agreement_ratio": {label: found[label].agreement_ratio.value for label in ordered},
        "itself": {"kl_nats": floor.kl_nats.value, "agreement_ratio": floor.agreement_ratio.value},
        "verdicts": {one.label: one.words for one in assess(climbed.state, rungs.BANDS)},
        "full_places": places,
        "server_s": dict(climbed.spent_s),
    }


def _measured(texts: Sequence[fidelity.TextComparison]) -> Fidelity:
    found = fidelity.measure(texts, ())
    if isinstance(found, Absent):
        raise SystemExit(f"a rung cannot be measured: {found.reason}")
    return found


def run_ladder(name: str, ladder: Ladder, folder: Path) -> dict[str, object]:
    """Writes the files, measures them both ways and compares the orders."""
    reference, made = files(ladder, folder)
    climbed = climb(ladder, reference, made, folder)
    asked = asked_whole(ladder, climbed)
    started_s = time.monotonic()
    whole = whole_vocabulary(reference, folder, asked)
    full = {label: whole_kl(whole, whole_vocabulary(one, folder, asked)) for label, one in made.items()}
    return verdict(name, climbed, full, len(whole)) | {"full_s": time.monotonic() - started_s}
