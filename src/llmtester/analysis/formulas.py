"""What one sample says: the terms from which the metric table is made. See ``metrics`` for the notation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

from llmtester.analysis.stats import percentile
from llmtester.domain.records import Absent, Sample

CACHED_RATIO_LIMIT = 0.01
"""A prompt with a larger share of cached tokens was not really read (vLLM warns at the same share, #53920)."""

BUNDLED_RATIO_LIMIT = 1.1
"""More visible tokens per event than this, and the first event is taken to hold that many tokens, not one."""

Value: TypeAlias = float | Absent
Parts: TypeAlias = tuple[float, float] | Absent


def ttft_ms(sample: Sample) -> Value:
    """Milliseconds from t0 to t_first."""
    if not sample.arrivals_ns:
        return Absent("the answer was empty")
    return _uncached(sample) or sample.arrivals_ns[0] / 1e6


def _uncached(sample: Sample) -> Absent | None:
    if not sample.cache_allowed and is_cached(sample):
        return Absent(f"{sample.cached_tok} of {sample.prompt_tok} prompt tokens came from a cache")
    return None


def is_cached(sample: Sample) -> bool:
    """Whether more of the prompt came from a cache than can be neglected."""
    return bool(sample.cached_tok and sample.prompt_tok and sample.cached_tok > CACHED_RATIO_LIMIT * sample.prompt_tok)


def overhead_ms(sample: Sample) -> Value:
    """Milliseconds of the time to first token that the server does not count as prompt time."""
    waited_ms = ttft_ms(sample)
    if isinstance(waited_ms, Absent):
        return waited_ms
    if sample.server is None or sample.server.prompt_ms is None:
        return Absent("the server reports no timings")
    return waited_ms - sample.server.prompt_ms


def prefill_parts(sample: Sample) -> Parts:
    """Evaluated prompt tokens, and the seconds that the server took for them."""
    cached = _uncached(sample)
    if cached:
        return cached
    timings = sample.server
    if timings is None or not timings.prompt_tok or not timings.prompt_ms:
        return Absent("the server reports no timings")
    return float(timings.prompt_tok), timings.prompt_ms / 1e3


def visible_tok(sample: Sample) -> int:
    """Generated tokens that can have brought text: the end token is counted by the server but brings none."""
    return sample.completion_tok - (1 if sample.finish == "stop" else 0)


def decode_parts(sample: Sample) -> Parts:
    """N - n1 tokens, and the seconds from t_first to t_last."""
    if sample.token_source == "estimate":
        return Absent("the server does not say how many tokens it wrote")
    events = len(sample.arrivals_ns)
    visible = visible_tok(sample)
    if events < 2 or visible < 2:
        return Absent("the answer was too short to have a speed")
    first = visible / events if visible / events > BUNDLED_RATIO_LIMIT else 1.0
    return visible - first, (sample.arrivals_ns[-1] - sample.arrivals_ns[0]) / 1e9


def server_decode_parts(sample: Sample) -> Parts:
    """Tokens after the first, and the seconds that the server counted for them."""
    timings = sample.server
    if timings is None or not timings.predicted_tok or not timings.predicted_ms:
        return Absent("the server reports no timings")
    if timings.predicted_tok < 2:
        return Absent("the answer was too short to have a speed")
    return timings.predicted_tok - 1.0, timings.predicted_ms / 1e3


def gaps_ms(sample: Sample) -> list[float]:
    """Milliseconds between neighbouring events that carried output."""
    return [(later - earlier) / 1e6 for earlier, later in pairwise(sample.arrivals_ns)]


def gap_percentile(percent: float) -> Callable[[Sample], Value]:
    """The formula of one percentile of the gaps, in milliseconds; absent below the floor of that percentile."""

    def value(sample: Sample) -> Value:
        found = percentile(gaps_ms(sample), percent)
        return Absent(f"too few gaps for the {percent:g}th percentile") if found is None else found

    return value


def longest_gap_ms(sample: Sample) -> Value:
    """The longest gap in milliseconds."""
    gaps = gaps_ms(sample)
    return max(gaps) if gaps else Absent("the answer was too short to have gaps")


def e2e_ms(sample: Sample) -> Value:
    """Milliseconds from t0 to t_last."""
    return sample.arrivals_ns[-1] / 1e6 if sample.arrivals_ns else Absent("the answer was empty")


def in_flight_count(samples: Sequence[Sample], concurrency: int) -> Value:
    """Mean number of requests in flight from the moment when ``concurrency`` had been sent until the last was sent.

    By Little's law that is rate times latency; in a load that sends the next request when one ends it is
    ``concurrency``, unless the client came too late. Source: J. D. C. Little, Operations Research 9 (1961), 383-387.
    """
    sent_ns = sorted(sample.sent_ns for sample in samples)
    if len(sent_ns) <= concurrency:
        return Absent("no request waited for another one")
    begin_ns, end_ns = sent_ns[concurrency - 1], sent_ns[-1]
    if begin_ns == end_ns:
        return Absent("all requests were sent at once")
    busy_ns = sum(max(0, min(sample.ended_ns, end_ns) - max(sample.sent_ns, begin_ns)) for sample in samples)
    return busy_ns / (end_ns - begin_ns)


def tokens_per_chunk_parts(sample: Sample) -> Parts:
    """Visible tokens, and events that carried output."""
    events = len(sample.arrivals_ns)
    return (float(visible_tok(sample)), float(events)) if events else Absent("the answer was empty")


def prompt_tok(sample: Sample) -> Value:
    """Tokens of the whole prompt as the server counts them."""
    return Absent("the server does not count prompts") if sample.prompt_tok is None else float(sample.prompt_tok)


def cached_parts(sample: Sample) -> Parts:
    """Cached tokens of the prompt, and all of its tokens."""
    if sample.cached_tok is None or not sample.prompt_tok:
        return Absent("the server does not say what came from its cache")
    return float(sample.cached_tok), float(sample.prompt_tok)


def completion_tok(sample: Sample) -> Value:
    """Generated tokens as the server counts them, the end token included."""
    return float(sample.completion_tok)
