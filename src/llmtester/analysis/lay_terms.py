"""What a number means to a person: one sentence for a value, what a speed is enough for, what memory is left.

``SCALES`` is the table: for a metric its limits with a sentence each, best first, and one for what is worse than all.
Where the limits come from stands in ``ORIGINS`` and on the generated page docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtester.analysis.metrics import METRICS
from llmtester.analysis.ratings import READING_TOK_PER_S, TOK_PER_WORD
from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.records import Machine
from llmtester.domain.text import human_bytes

SPEAKING_TOK_PER_S = 150 / 60 * TOK_PER_WORD
PAGE_TOK = 500 * TOK_PER_WORD

INSTANT_MS, FLOW_MS, PAUSE_MS, ATTENTION_MS = 200.0, 1_000.0, 3_000.0, 10_000.0
COMPLETION_MS, SPOKEN_MS = 500.0, 1_000.0

ORIGINS: tuple[str, ...] = (
    "People read silently about 238 words a minute (Brysbaert 2019) and speak about 150; English takes about 1.3 "
    f"tokens a word, so reading is {READING_TOK_PER_S:.1f} and speech {SPEAKING_TOK_PER_S:.2f} tok/s.",
    "Waiting: 0.1 to 0.2 s feels instant, 1 s keeps the flow of thought, 10 s the attention (Miller 1968, Nielsen "
    "1993). 3 s between them is ours.",
    "In talk, people answer each other after about 0.2 s (Stivers and others 2009); a second is a long but natural "
    "pause. The limit for speech is that second, for code completion the half second within which most typing goes on.",
    "A page is 500 words.",
    "Memory: what the machine may use, less the highest memory of the server. Below 2 GB or an eighth of the machine "
    "a desktop begins to swap.",
)

Scale = tuple[tuple[tuple[float, str], ...], str]
"""Limits with their sentences, best first, and the sentence for what is worse."""

SCALES: Mapping[str, Scale] = {
    "ttft_ms": (
        (
            (INSTANT_MS, "The answer begins at once."),
            (FLOW_MS, "The answer begins before you lose your thought."),
            (PAUSE_MS, "There is a pause before the answer, as when somebody thinks."),
            (ATTENTION_MS, "You wait, and your attention begins to wander."),
        ),
        "You wait so long that you do something else.",
    ),
    "ttft_cold_ms": (
        (
            (FLOW_MS, "Even the first answer after a start comes quickly."),
            (ATTENTION_MS, "The first answer after a start takes a moment."),
        ),
        "The first answer after a start takes long; later ones do not.",
    ),
    "decode_tok_per_s": (
        (
            (6 * READING_TOK_PER_S, "Text appears many times faster than you read."),
            (2 * READING_TOK_PER_S, "Text appears clearly faster than you read."),
            (READING_TOK_PER_S, "Text appears as fast as you read."),
            (SPEAKING_TOK_PER_S, "Text appears slower than you read, but as fast as people speak."),
        ),
        "You wait for every word.",
    ),
    "prefill_tok_per_s": (
        (
            (PAGE_TOK, "It reads a page of text in a second or less."),
            (PAGE_TOK / 10, "It reads a page of text in seconds."),
            (PAGE_TOK / 60, "It reads a page of text in less than a minute."),
        ),
        "It takes more than a minute to read a page of text.",
    ),
    "itl_p50_ms": (
        ((1e3 / READING_TOK_PER_S, "Words come as fast as you read."),),
        "Words come one by one, slower than you read.",
    ),
    "itl_p95_ms": (
        (
            (1e3 / READING_TOK_PER_S, "The text flows evenly."),
            (FLOW_MS, "The text stutters now and then."),
        ),
        "The text stops again and again.",
    ),
    "itl_max_ms": (
        (
            (INSTANT_MS, "It never stopped while it wrote."),
            (FLOW_MS, "It stopped for a moment at most."),
        ),
        "It stopped for so long that you notice.",
    ),
    "e2e_ms": (
        (
            (FLOW_MS, "A whole answer takes a second or less."),
            (ATTENTION_MS, "A whole answer takes a few seconds."),
            (60_000.0, "A whole answer takes less than a minute."),
        ),
        "A whole answer takes minutes.",
    ),
    "failed_ratio": (
        ((0.0, "Every request was answered."), (0.01, "One request in a hundred failed at most.")),
        "Requests failed.",
    ),
    "accuracy_ratio": (
        (
            (0.95, "Nearly every answer is right."),
            (0.85, "Most answers are right."),
            (0.7, "Some answers are wrong."),
        ),
        "Many answers are wrong.",
    ),
    "documents_per_hour": (
        (
            (240.0, "A pile of thirty documents is done within minutes."),
            (60.0, "A pile of thirty documents is done within half an hour."),
            (20.0, "A pile of thirty documents takes an hour or more."),
        ),
        "A pile of thirty documents takes hours.",
    ),
    "facts_ratio": (
        (
            (0.95, "Nearly every fact is taken from a document right."),
            (0.85, "Most facts are taken from a document right."),
            (0.7, "Some facts are wrong: check them."),
        ),
        "Many facts are wrong.",
    ),
    "sustained_tok_per_s": (
        (
            (2 * READING_TOK_PER_S, "Even after long work it writes clearly faster than you read."),
            (READING_TOK_PER_S, "Even after long work it writes as fast as you read."),
        ),
        "After long work it writes slower than you read.",
    ),
    "sustained_ratio": (
        (
            (0.97, "Long work does not make it slower."),
            (0.9, "Long work makes it a little slower."),
            (0.75, "Long work makes it clearly slower."),
        ),
        "Long work takes much of its speed.",
    ),
    "swap_growth_bytes": (
        ((64 * 2**20, "Memory was enough."),),
        "Memory was not enough: the machine moved some of it to the disk.",
    ),
}


@dataclass(frozen=True, slots=True)
class Need:
    """A way to use a model, and what it asks: by metric the limit that must be met."""

    use: str
    limits: Mapping[str, float]
    enough: str
    short: str


NEEDS: tuple[Need, ...] = (
    Need(
        "reading along",
        {"decode_tok_per_s": READING_TOK_PER_S},
        "fast enough to read along",
        "too slow to read along",
    ),
    Need(
        "voice",
        {"decode_tok_per_s": SPEAKING_TOK_PER_S, "ttft_ms": SPOKEN_MS},
        "fast enough to be spoken to",
        "too slow for a spoken conversation",
    ),
    Need(
        "code completion",
        {"ttft_ms": COMPLETION_MS, "decode_tok_per_s": 4 * READING_TOK_PER_S},
        "fast enough to complete code while you type",
        "too slow to complete code while you type",
    ),
    Need(
        "documents",
        {"prefill_tok_per_s": PAGE_TOK / 2, "decode_tok_per_s": READING_TOK_PER_S},
        "fast enough to work on documents of several pages",
        "slow on documents of several pages",
    ),
)


def of_value(name: str, value: float) -> str | None:
    """The sentence for a value of a metric; ``None`` for a metric that says nothing to a lay person."""
    scale = SCALES.get(name)
    if scale is None:
        return None
    return next((sentence for limit, sentence in scale[0] if _meets(name, value, limit)), scale[1])


def of_metrics(metrics: Mapping[str, Measured]) -> dict[str, str]:
    """The sentences of all values that were measured and have one."""
    said = {name: of_value(name, one.value) for name, one in metrics.items() if isinstance(one, Estimate)}
    return {name: sentence for name, sentence in said.items() if sentence is not None}


def suits(metrics: Mapping[str, Measured]) -> dict[str, bool]:
    """For each use of ``NEEDS`` whose metrics were all measured: whether its limits are met."""
    found = {}
    for need in NEEDS:
        values = {name: metrics.get(name) for name in need.limits}
        known = {name: one.value for name, one in values.items() if isinstance(one, Estimate)}
        if len(known) == len(values):
            found[need.use] = all(_meets(name, known[name], limit) for name, limit in need.limits.items())
    return found


def in_words(suited: Mapping[str, bool]) -> str:
    """What a speed is enough for and what not, as one sentence; empty if nothing is known."""
    enough = [need.enough for need in NEEDS if suited.get(need.use) is True]
    short = [need.short for need in NEEDS if suited.get(need.use) is False]
    if not enough and not short:
        return ""
    parts = [", ".join(part) for part in (enough, short) if part]
    return f"It is {'; it is '.join(parts)}."


def memory_left(used_bytes: float, machine: Machine) -> str:
    """``It leaves 6.0 GB of 16.0 GB for your other programs.``, with a warning where that is little."""
    whole_bytes = min(machine.memory_limit_bytes, machine.memory_bytes)
    left_bytes = whole_bytes - used_bytes
    if left_bytes <= 0:
        return f"It needs all of the {human_bytes(whole_bytes)} and leaves nothing for your other programs."
    left = f"{human_bytes(left_bytes)} of {human_bytes(whole_bytes)}"
    if left_bytes < max(2e9, whole_bytes / 8):
        return f"It leaves only {left} for your other programs: close them first."
    return f"It leaves {left} for your other programs."


def _meets(name: str, value: float, limit: float) -> bool:
    return value >= limit if METRICS[name].info.better == "higher" else value <= limit
