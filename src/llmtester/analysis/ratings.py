"""From a number to a word, and from a word to a sentence for a person who knows nothing about inference.

``BANDS`` holds, per metric, the limits of excellent, good and acceptable; what is worse is poor. A profile's rating is
the worst of its headline metrics. Origins: people read about 238 words a minute (Brysbaert 2019), English takes about
1.3 tokens a word, hence ``READING_TOK_PER_S``; the waiting times follow Nielsen's 1 s (flow of thought) and 10 s
(attention) limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmtester.analysis.summary import Estimate, Measured, MetricInfo, Rating
from llmtester.domain.records import Absent
from llmtester.domain.text import human_duration

TOK_PER_WORD = 1.3
READING_TOK_PER_S = 238 / 60 * TOK_PER_WORD

Bands = Mapping[str, tuple[float, float, float]]

BANDS: Bands = {
    "ttft_ms": (1_000, 3_000, 10_000),
    "decode_tok_per_s": (30, 15, 8),
    "accuracy_ratio": (0.95, 0.85, 0.7),
    "documents_per_hour": (240, 60, 20),
    "facts_ratio": (0.95, 0.85, 0.7),
    "sustained_tok_per_s": (30, 15, 8),
    "sustained_ratio": (0.97, 0.9, 0.75),
}

PROFILE_BANDS: Mapping[str, Bands] = {
    # Who hands over a long text waits for it: attention (10 s), a short pause, and the limit of usable context.
    "long_context": {"ttft_ms": (10_000, 30_000, 120_000)},
}
"""Bands of a profile whose use differs from the usual one. Bands of the user's own come before them."""

USUAL_HEADLINES: Mapping[str, tuple[str, ...]] = {
    "long_context": ("ttft_ms", "decode_tok_per_s", "accuracy_ratio"),
    "batch": ("documents_per_hour", "facts_ratio"),
    "stress": ("sustained_tok_per_s", "sustained_ratio"),
}
"""What decides for the profiles that are no chat, for those who read a journal without knowing the profiles."""


def usual_headline(profile: str) -> tuple[str, ...]:
    """Names of the metrics that usually decide the rating of a profile; those of a chat for an unknown one."""
    return USUAL_HEADLINES.get(profile, ("ttft_ms", "decode_tok_per_s"))


WORDS = (Rating.EXCELLENT, Rating.GOOD, Rating.ACCEPTABLE)
ORDER = (*WORDS, Rating.POOR, Rating.FAILED, Rating.NOT_RATED)
"""Best first. ``NOT_RATED`` comes last because nothing may rest on it."""


def bands_for(profile: str, bands: Bands = BANDS) -> Bands:
    """The bands that hold for a profile, given those of the user or the built-in ones."""
    special = {name: own for name, own in PROFILE_BANDS.get(profile, {}).items() if bands.get(name) == BANDS[name]}
    return {**bands, **special}


def rate(value: float, info: MetricInfo, bands: Bands = BANDS) -> Rating:
    """The word for one value. Raises ``KeyError`` for a metric without bands."""
    for word, limit in zip(WORDS, bands[info.name], strict=True):
        if value >= limit if info.better == "higher" else value <= limit:
            return word
    return Rating.POOR


def rate_cell(
    metrics: Mapping[str, Measured], headline: Sequence[MetricInfo], bands: Bands = BANDS
) -> tuple[Rating, str]:
    """The worst rating over the headline metrics and the title of the metric that decided it.

    ``NOT_RATED`` with the reason if a headline metric is absent. Metrics without limits, as a plugin may name, do not
    decide.
    """
    rated: list[tuple[Rating, MetricInfo]] = []
    for info in headline:
        measured = metrics.get(info.name, Absent("it was not measured"))
        if isinstance(measured, Absent):
            return Rating.NOT_RATED, f"{info.title}: {measured.reason}"
        if info.name in bands:
            rated.append((rate(measured.value, info, bands), info))
    if not rated:
        return Rating.NOT_RATED, "the profile names no metric that has limits"
    worst, info = max(rated, key=lambda pair: ORDER.index(pair[0]))
    return worst, info.title


def worst(ratings: Sequence[Rating]) -> Rating:
    """The worst of several ratings; those that could not be given are ignored unless there is no other."""
    given = [rating for rating in ratings if rating is not Rating.NOT_RATED]
    return max(given, key=ORDER.index) if given else Rating.NOT_RATED


def meaning(metrics: Mapping[str, Measured], prompt_tok: int) -> str:
    """One sentence about waiting and speed after a prompt of that length, or why there is none."""
    ttft, decode = metrics.get("ttft_ms"), metrics.get("decode_tok_per_s")
    if not isinstance(ttft, Estimate) or not isinstance(decode, Estimate):
        return "It gave no answer that could be timed."
    words = round(prompt_tok / TOK_PER_WORD / 10) * 10
    wait = human_duration(ttft.value / 1e3)
    said = f"Given {words} words to read, it answers after {wait} and writes {compared_to_reading(decode.value)}."
    right = metrics.get("accuracy_ratio")
    return f"{said} It answers {right.value:.0%} of the questions right." if isinstance(right, Estimate) else said


def compared_to_reading(decode_tok_per_s: float) -> str:
    """``about 3 times as fast as you read``."""
    times = decode_tok_per_s / READING_TOK_PER_S
    if times < 0.85:
        return f"at {max(1, round(times * 100))} % of the speed at which you read"
    if times < 1.25:
        return "about as fast as you read"
    return (
        f"about {times:.1f} times as fast as you read"
        if times < 2.5
        else f"about {times:.0f} times as fast as you read"
    )
