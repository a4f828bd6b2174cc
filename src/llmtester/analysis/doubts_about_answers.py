"""Checks that look at requests and trials. Each returns what it saw, in words with numbers, or ``None``."""

from __future__ import annotations

import math

from llmtester.analysis.evidence import Evidence
from llmtester.analysis.formulas import CACHED_RATIO_LIMIT, gaps_ms, in_flight_count, is_cached, ttft_ms
from llmtester.analysis.metrics import METRICS, of_cell
from llmtester.analysis.quality import stability
from llmtester.analysis.stats import MIN_TRIALS_FOR_INTERVAL, first_differs, median, outliers
from llmtester.analysis.summary import Estimate
from llmtester.analysis.trend import straight_line
from llmtester.domain.records import Absent, Sample
from llmtester.domain.text import counted, human_duration

READING_OVER_WRITING_LIMIT = 1000.0
"""Reading a prompt is limited by arithmetic and writing by memory. The fastest accelerators of 2026 read some 300
tokens in the time in which they write one; three times that is no prompt that was read."""

READING_OVER_WRITING_LIMIT_CPU = 100.0
"""The same for a processor alone, where the ratio is 3 to 30."""

SUDDEN_RATIO = 3.0
"""An answer that begins in a third of the typical time, and far outside the spread of the others: on a crowded machine
single answers may be lucky."""

UNCOUNTED_TOK = 8
"""Engines differ in whether they count the few tokens around a prompt."""

SAME_LENGTH_RATIO = 0.9
"""Only prompts of at least this share of the typical length can be too fast for it."""

SLOWING_RATIO = 0.04
SLOWING_CONFIDENCE = 0.97
"""A run that lost this share of its speed from start to end, along a line that is this sure to fall."""

FULL_LOAD_RATIO = 0.9
"""A client that keeps its requests in flight loses some milliseconds between two of them, not a tenth of the time."""

STALL_MS = 1000.0
STALL_OVER_TYPICAL = 20.0
"""A pause that a person notices (Nielsen's flow of thought), and not just a slow model."""

FIRST_TRIAL_RATIO = 0.05
DEGENERATE_RATIO = 0.5
SHORTEST_TEXT_WORDS = 12


def cached_prompt(evidence: Evidence) -> str | None:
    hit = [sample for sample in evidence.samples if is_cached(sample) and not sample.cache_allowed]
    if not hit:
        return None
    return f"{len(hit)} of {len(evidence.samples)} prompts were partly served from a cache and were left out"


def hidden_cache(evidence: Evidence) -> str | None:
    """Prompts that cannot have been read in the time, although the server reports nothing from a cache."""
    fresh = [sample for sample in evidence.answered if not is_cached(sample) and not sample.cache_allowed]
    return _not_counted(fresh) or _too_fast(evidence, fresh) or _suddenly_fast(evidence, fresh)


def _not_counted(samples: list[Sample]) -> str | None:
    for sample in samples:
        evaluated = sample.server.prompt_tok if sample.server else None
        if evaluated is None or not sample.prompt_tok:
            continue
        missing = sample.prompt_tok - evaluated - (sample.cached_tok or 0)
        if missing > max(UNCOUNTED_TOK, CACHED_RATIO_LIMIT * sample.prompt_tok):
            return (
                f"the server evaluated {evaluated} of {sample.prompt_tok} prompt tokens and reports none from a cache"
            )
    return None


def _too_fast(evidence: Evidence, samples: list[Sample]) -> str | None:
    timed = [
        (sample.prompt_tok, waited)
        for sample in samples
        if sample.prompt_tok and not isinstance(waited := ttft_ms(sample), Absent) and waited > 0
    ]
    reading, waits = [tok / waited * 1e3 for tok, waited in timed], [waited for _, waited in timed]
    writing = of_cell("decode_tok_per_s", evidence.cell)
    if not reading or not isinstance(writing, Estimate) or writing.value <= 0:
        return None
    facts, machine = evidence.target.facts, evidence.machine
    local_cpu = facts is not None and facts.process_id is not None and not machine.gpus
    limit = READING_OVER_WRITING_LIMIT_CPU if local_cpu else READING_OVER_WRITING_LIMIT
    ratio = median(reading) / writing.value
    one_token_ms = 1e3 / writing.value
    if ratio <= limit or median(waits) > one_token_ms:
        return None  # reading takes at least one pass over the weights, as every written token does
    return (
        f"prompts seem to be read at {median(reading):.0f} tok/s, {ratio:.0f} times the writing speed, "
        "which no machine does, and the server reports nothing from a cache"
    )


def _suddenly_fast(evidence: Evidence, samples: list[Sample]) -> str | None:
    if evidence.cell.cell.load.concurrency > 1:
        return None  # who comes first does not wait for the others
    timed = [
        (waited, sample.prompt_tok)
        for sample in samples
        if sample.prompt_tok and not isinstance(waited := ttft_ms(sample), Absent)
    ]
    if len(timed) < MIN_TRIALS_FOR_INTERVAL:
        return None
    typical, length_tok = median([waited for waited, _ in timed]), median([tok for _, tok in timed])
    apart = outliers([math.log(max(waited, 1e-3)) for waited, _ in timed])
    fast = [
        waited
        for index, (waited, tok) in enumerate(timed)
        if index in apart and waited * SUDDEN_RATIO < typical and tok > SAME_LENGTH_RATIO * length_tok
    ]
    if not fast:
        return None
    return (
        f"{len(fast)} of {len(timed)} answers began after {min(fast):.0f} ms instead of {typical:.0f} ms, "
        "and the server reports nothing from a cache"
    )


def early_end(evidence: Evidence) -> str | None:
    short = [sample for sample in evidence.answered if sample.finish == "stop"]
    own_end = bool(evidence.cell.cell.load.content)  # what is asked for its content ends where the model ends it
    if not short or own_end or not evidence.fixed_length:
        return None
    return f"{len(short)} of {len(evidence.samples)} answers ended before the length that was asked for"


def failed_requests(evidence: Evidence) -> str | None:
    failed = [sample for sample in evidence.samples if not sample.ok]
    if not failed:
        return None
    return f"{len(failed)} of {len(evidence.samples)} requests failed, first: {failed[0].failure_detail}"


def too_few_trials(evidence: Evidence) -> str | None:
    load = evidence.cell.cell.load
    if load.max_trials < MIN_TRIALS_FOR_INTERVAL:
        return None  # a profile that asks once does not aim at an interval over trials
    for measured in evidence.headline:
        if not isinstance(measured, Estimate) or measured.value == 0:
            continue
        if measured.trials_count < MIN_TRIALS_FOR_INTERVAL:
            return f"{counted(measured.trials_count, 'trial')} cannot give an interval"
        if measured.low is None or measured.high is None:
            continue  # a kind of metric that has none
        reached = (measured.high - measured.low) / 2 / abs(measured.value)
        if reached > load.precision_ratio:
            trials, wanted = measured.trials_count, load.precision_ratio
            return f"after {trials} trials the interval is ± {reached:.1%}, wider than ± {wanted:.0%}"
    return None


def cold_first_trial(evidence: Evidence) -> str | None:
    """Whether the warm-up was too short: the first measured trial is worse than all that follows."""
    for name in evidence.deciding_times:
        share = first_differs(evidence.badness(name))
        if share is not None and share > FIRST_TRIAL_RATIO:
            return f"the first trial was {share:.0%} slower than the others ({_title(name)})"
    return None


def slowing_down(evidence: Evidence) -> str | None:
    """A trend to the worse over the trials, tested on each deciding metric."""
    for name in evidence.deciding_times:
        values = evidence.badness(name)
        line = straight_line(range(len(values)), [math.log(value) for value in values], SLOWING_CONFIDENCE)
        if line is None or line.low is None or line.low <= 0:
            continue
        lost = 1 - math.exp(-line.value * (len(values) - 1))
        if lost >= SLOWING_RATIO:
            return f"over {len(values)} trials it became {lost:.0%} slower ({_title(name)})"
    return None


def starved_load(evidence: Evidence) -> str | None:
    """Little's law, concurrency = rate x latency, for loads that keep a number of requests in flight."""
    wanted = evidence.cell.cell.load.concurrency
    kept = [in_flight_count(trial.samples, wanted) for trial in evidence.cell.trials] if wanted > 1 else []
    typical = median([count for count in kept if not isinstance(count, Absent)] or [wanted])
    if typical >= FULL_LOAD_RATIO * wanted:
        return None
    return f"only {typical:.1f} of {wanted} requests were in flight, so the load was lighter than it says"


def stalls(evidence: Evidence) -> str | None:
    gaps = [gap for sample in evidence.answered for gap in gaps_ms(sample)]
    if not gaps:
        return None
    typical = median(gaps)
    limit_ms = max(STALL_MS, STALL_OVER_TYPICAL * typical)
    long = [gap for gap in gaps if gap >= limit_ms]
    if not long:
        return None
    pause = human_duration(max(long) / 1e3)
    return f"{counted(len(long), 'pause')} of up to {pause} within answers, where {typical:.0f} ms are usual"


def degenerate_output(evidence: Evidence) -> str | None:
    """Answers that say the same again and again, or that are no text."""
    texts = [sample.text for sample in evidence.answered if len(sample.text.split()) >= SHORTEST_TEXT_WORDS]
    texts += [sample.text for sample in evidence.answered if stability.garbage(sample.text)]
    bad = [text for text in texts if stability.loops(text) or stability.garbage(text)]
    if not texts or len(bad) < DEGENERATE_RATIO * len(texts):
        return None
    return f"{len(bad)} of {len(texts)} answers repeat themselves or are no text"


def no_template(evidence: Evidence) -> str | None:
    if evidence.cell.cell.target.model.has_chat_template is False:
        return "the file holds no chat template, so the server guesses one"
    return None


def estimated_tokens(evidence: Evidence) -> str | None:
    if any(sample.token_source == "estimate" for sample in evidence.answered):
        return "the server does not count tokens, so speeds are left out"
    return None


def _title(name: str) -> str:
    return METRICS[name].info.title.lower()
