"""Continuous work in a sentence for everyone."""

from __future__ import annotations

from llmtester.analysis.heat import Throttling
from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.text import human_duration

NOTICEABLE_RATIO = 0.03
"""A loss below 3 % is nothing that anybody would notice (the equivalence margin of the races)."""


def sentence(duration_s: float, sustained: Measured, ratio: Measured, throttling: Throttling, ended: str) -> str:
    """How much of its first speed it kept, why not all, and how it ended."""
    if not isinstance(sustained, Estimate) or not isinstance(ratio, Estimate):
        reason = ended or getattr(ratio, "reason", "")
        return f"{reason[:1].upper()}{reason[1:]}."
    work = f"Over {human_duration(duration_s)} of work without a pause it"
    speed = f"{sustained.value:.1f} tok/s"
    lost = 1 - ratio.value
    if ratio.high is not None and ratio.high < 1 and lost > NOTICEABLE_RATIO:
        because = {
            "seen": "because the machine got too hot",
            "not seen": "though not for heat: look at what else was running",
            "cannot tell": "and this machine does not show whether that was heat",
        }[throttling]
        told = f"{work} lost {lost:.0%} of the speed of its first minute, {because}; it ended at {speed}."
    else:
        hot = ", although the machine slowed itself down for heat at times" if throttling == "seen" else ""
        told = f"{work} kept its speed of {speed}{hot}."
    return f"{told} It ended early: {ended}." if ended else told
