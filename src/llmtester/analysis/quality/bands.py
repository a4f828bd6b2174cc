"""From evidence to a word. The limits of divergence are provisional: judged on few models (docs/quality.md)."""

from __future__ import annotations

from dataclasses import dataclass

from llmtester.analysis.quality.statistics import ALPHA
from llmtester.analysis.summary import Fidelity, Rating, Stability, Tasks

WORDS = (Rating.EXCELLENT, Rating.GOOD, Rating.ACCEPTABLE, Rating.POOR)
ORDER = (*WORDS, Rating.FAILED)


@dataclass(frozen=True, slots=True)
class QualityBands:
    """Limits of excellent, good, acceptable and poor; what is worse has failed.

    ``kl_nats``: largest mean divergence. ``agreement_ratio``: smallest share of places with the same next word.
    ``loss_upper_ratio``: largest one-sided 95 % upper bound of the loss of right answers for excellent, good and
    acceptable. A proven loss is poor from ``poor_loss_ratio`` on and has failed above ``failed_loss_ratio``, as has a
    perplexity on the reference's words of more than ``failed_perplexity_ratio`` times the reference's.
    """

    kl_nats: tuple[float, float, float, float] = (0.01, 0.05, 0.15, 0.40)
    agreement_ratio: tuple[float, float, float, float] = (0.96, 0.91, 0.85, 0.70)
    failed_perplexity_ratio: float = 1.5
    loss_upper_ratio: tuple[float, float, float] = (0.05, 0.08, 0.12)
    poor_loss_ratio: float = 0.05
    failed_loss_ratio: float = 0.15


@dataclass(frozen=True, slots=True)
class Judged:
    """A word and how good or bad it could be by the interval; equal where the interval stays within one band."""

    rating: Rating
    best: Rating
    worst: Rating


def worse(one: Rating, other: Rating) -> Rating:
    return max(one, other, key=ORDER.index)


def _below(value: float, limits: tuple[float, ...]) -> Rating:
    return next((word for word, limit in zip(WORDS, limits, strict=True) if value < limit), Rating.FAILED)


def _above(value: float, limits: tuple[float, ...]) -> Rating:
    return next((word for word, limit in zip(WORDS, limits, strict=True) if value >= limit), Rating.FAILED)


def judge_fidelity(found: Fidelity, bands: QualityBands) -> Judged:
    """The worse of divergence and agreement; a rise of the perplexity by half has failed."""
    if found.perplexity_ratio.value > bands.failed_perplexity_ratio:
        return Judged(Rating.FAILED, Rating.FAILED, Rating.FAILED)

    def word(kl: float | None, agreement: float | None) -> Rating:
        kl = found.kl_nats.value if kl is None else kl
        agreement = found.agreement_ratio.value if agreement is None else agreement
        return worse(_below(kl, bands.kl_nats), _above(agreement, bands.agreement_ratio))

    return Judged(
        word(None, None),
        word(found.kl_nats.low, found.agreement_ratio.high),
        word(found.kl_nats.high, found.agreement_ratio.low),
    )


def judge_tasks(found: Tasks, bands: QualityBands) -> Judged | str:
    """By the proven loss, else by how large a loss could have gone unseen; in words why neither gives a rating."""
    loss, upper = found.loss_ratio.value, found.loss_upper_ratio
    if found.p_value_holm < ALPHA:
        below_half = found.correct_count * 2 < found.reference_correct_count
        if loss > bands.failed_loss_ratio or below_half:
            word = Rating.FAILED
        elif loss >= bands.poor_loss_ratio or upper >= bands.loss_upper_ratio[2]:
            word = Rating.POOR
        else:
            word = Rating.ACCEPTABLE
        return Judged(word, word, word)
    for word, limit in zip(WORDS, bands.loss_upper_ratio, strict=False):
        if upper < limit:
            return Judged(word, word, word)
    return f"{found.asked_count} questions cannot rule out a loss of {upper:.0%}"


def judge_stability(found: Stability) -> Judged:
    """By the answers that went wrong and did not on the reference."""
    extra = max(0, found.looping_count - found.reference_looping_count) + found.garbage_count + found.foreign_count
    empty = found.empty_count > found.reference_empty_count
    endless = found.unended_count == found.asked_count and found.reference_unended_count * 2 <= found.asked_count
    by_count = (Rating.EXCELLENT, Rating.GOOD, Rating.POOR)
    word = Rating.FAILED if empty or endless or extra >= len(by_count) else by_count[extra]
    return Judged(word, word, word)


def in_words(judged: Judged) -> str:
    """``good``, or ``good to acceptable`` where the interval straddles a limit."""
    return judged.rating.value if judged.best == judged.worst else f"{judged.best.value} to {judged.worst.value}"
