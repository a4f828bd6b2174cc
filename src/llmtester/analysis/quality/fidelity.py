"""How far the probabilities of a candidate are from those of its reference, along the words of the reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llmtester.analysis.quality.statistics import Cluster, bootstrap
from llmtester.analysis.summary import Estimate, Fidelity, Measured
from llmtester.domain.logprobs import Position, unpack
from llmtester.domain.records import Absent, Sample

REFERENCE_TOP_COUNT = 40
"""Tokens of the reference's list that enter; the candidate's list is longer so that most of them are found there."""

SMALLEST_REST = 1e-9
"""Lower limit of the probability outside the list, against sums that exceed one by rounding."""

TIE_NATS = 1e-3
"""Two leading tokens this close count as equal: the order is within the error of 32-bit probabilities."""

FLOOR_FACTOR = 2.0
"""A divergence below this many times that of the reference from itself is within noise."""


@dataclass(frozen=True, slots=True)
class TextComparison:
    """One text: divergence at each place in nats, places that agree, sum of the log ratios of the written tokens."""

    kind: str
    kl_nats: tuple[float, ...]
    agreeing_count: int
    surprise_nats: float

    @property
    def count(self) -> int:
        return len(self.kl_nats)


def truncated_kl(reference: Position, candidate: Position) -> float:
    """The smallest divergence in nats that the two lists allow.

    Over the tokens of the reference's first 40 that the candidate lists (the written token always is), plus one class
    of all others: ``sum p ln(p / q) + p_rest ln(p_rest / q_rest)``. A token that the candidate does not list is less
    likely there than every listed one; it leaves the class where that bound is stronger. A lower bound of the full
    divergence (data processing inequality), 0 for equal lists; measured, it keeps about 80 % of the full value and the
    order of quantizations, also of ruined ones, which list none of the reference's tokens.
    """
    listed = {**dict(candidate.top), candidate.token: candidate.logprob}
    least = candidate.top[-1][1] if candidate.top else 0.0
    total = p_sum = q_sum = 0.0
    unlisted: list[float] = []
    for token, log_p in reference.top[:REFERENCE_TOP_COUNT]:
        log_q = listed.get(token)
        if log_q is None:
            unlisted.append(log_p)
            continue
        p = math.exp(log_p)
        total += p * (log_p - log_q)
        p_sum += p
        q_sum += math.exp(log_q)
    p_rest, q_rest = max(1 - p_sum, SMALLEST_REST), max(1 - q_sum, SMALLEST_REST)
    for log_p in unlisted:  # likeliest first, so the first that the bound does not bite ends the search
        p, q = math.exp(log_p), math.exp(least)
        if p / p_rest * q_rest <= q or q_rest - q < SMALLEST_REST or p_rest - p < SMALLEST_REST:
            break
        total += p * (log_p - least)
        p_rest, q_rest = p_rest - p, q_rest - q
    return max(0.0, total + p_rest * math.log(p_rest / q_rest))


def agrees(reference: Position, candidate: Position) -> bool:
    """Whether the candidate's likeliest token is that of the reference; ties agree."""
    if not reference.top or not candidate.top:
        return False
    wanted, best = reference.top[0][0], candidate.top[0]
    if best[0] == wanted:
        return True
    own = dict(candidate.top).get(wanted)
    return own is not None and best[1] - own <= TIE_NATS


@lru_cache(maxsize=4096)
def compare_text(kind: str, reference: str, candidate: str) -> TextComparison | None:
    """The comparison of two packed answers; ``None`` if they do not follow the same tokens. Remembered, because every
    view of a running run asks again."""
    told, followed = unpack(reference), unpack(candidate)
    if not followed or [position.token for position in told[: len(followed)]] != [one.token for one in followed]:
        return None
    pairs = list(zip(told, followed, strict=False))
    return TextComparison(
        kind=kind,
        kl_nats=tuple(truncated_kl(one, other) for one, other in pairs),
        agreeing_count=sum(agrees(one, other) for one, other in pairs),
        surprise_nats=sum(one.logprob - other.logprob for one, other in pairs),
    )


def compare(reference: Mapping[str, Sample], candidate: Mapping[str, Sample]) -> list[TextComparison]:
    """Every text that both have, by request id without its prefix; in the order of the candidate."""
    found = []
    for name, sample in candidate.items():
        told = reference.get(name)
        compared = compare_text(name.partition(".")[0], told.logprobs, sample.logprobs) if told and told.ok else None
        if compared is not None:
            found.append(compared)
    return found


def kl_clusters(texts: Sequence[TextComparison]) -> list[Cluster]:
    return [Cluster(math.fsum(text.kl_nats), text.count) for text in texts]


@lru_cache(maxsize=256)
def _estimate(clusters: tuple[Cluster, ...]) -> Estimate:
    count = sum(cluster.count for cluster in clusters)
    low, high = bootstrap(clusters) or (None, None)
    return Estimate(math.fsum(cluster.total for cluster in clusters) / count, low, high, len(clusters))


def measure(texts: Sequence[TextComparison], floor: Sequence[TextComparison]) -> Fidelity | Absent:
    """What a list of texts says; ``floor`` are those of the reference along itself."""
    if not texts:
        return Absent("no text was followed by both models")
    every = sorted(value for text in texts for value in text.kl_nats)
    kl = _estimate(tuple(kl_clusters(texts)))
    surprise = _estimate(tuple(Cluster(text.surprise_nats, text.count) for text in texts))
    floor_kl: Measured = _estimate(tuple(kl_clusters(floor))) if floor else Absent("the reference was not repeated")
    kinds = dict.fromkeys(text.kind for text in texts)
    return Fidelity(
        kl_nats=kl,
        kl_p99_nats=every[math.ceil(0.99 * len(every)) - 1],
        agreement_ratio=_estimate(tuple(Cluster(float(text.agreeing_count), text.count) for text in texts)),
        perplexity_ratio=Estimate(
            math.exp(surprise.value),
            None if surprise.low is None else math.exp(surprise.low),
            None if surprise.high is None else math.exp(surprise.high),
            surprise.trials_count,
        ),
        positions_count=len(every),
        floor_kl_nats=floor_kl,
        floor_agreement_ratio=(
            _estimate(tuple(Cluster(float(text.agreeing_count), text.count) for text in floor))
            if floor
            else Absent("the reference was not repeated")
        ),
        within_noise=isinstance(floor_kl, Estimate) and kl.value < FLOOR_FACTOR * floor_kl.value,
        kl_nats_by_kind={
            kind: _estimate(tuple(kl_clusters([text for text in texts if text.kind == kind]))).value for kind in kinds
        },
    )
