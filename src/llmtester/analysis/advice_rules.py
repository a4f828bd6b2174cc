"""The rules of advice as data: one row of ``USES`` a use, and the limits that several rows share.

Order of the rows is the order of the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.analysis.summary import Rating

INTERACTIVE, QUALITY, LONG_CONTEXT, BATCH, STRESS = "interactive", "quality", "long_context", "batch", "stress"

TIE_RATIO = 0.03
"""Two values closer than this are called equal: nobody feels it and a reboot moves it further."""

SURE_RATIO = 0.05
"""Relative half-width of the deciding interval up to which a rating is called certain."""

EXCELLENT_BITS, GOOD_BITS, DOUBTFUL_BITS = 7.5, 4.2, 3.4
"""Bits a weight from which a file whose answers nobody measured is expected to be excellent, good, or not badly
damaged. From published divergences of 8B models (docs/quality.md): Q8_0 0.001 nats, Q4_K_M 0.03, Q2_K 0.45."""

FORGIVING_PARAMETERS_COUNT = 30e9
"""Models of this size bear fewer bits than ``DOUBTFUL_BITS`` better; no doubt is raised for them."""

MEMORY_ALERT_RATIO = 0.85
"""From this share of all memory on, a server leaves too little for anything else."""

Order: TypeAlias = Literal["capable", "lean", "deep", "busy", "balanced"]
"""``capable``: the largest whose answers are not proven worse. ``lean``: the least memory. ``deep``: the longest
usable context, then as ``capable``. ``busy``: the most documents an hour. ``balanced``: the best product of shares."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What an advice may rest on: profiles that must all have been run, and the caveat if this is not the best basis.

    ``certainty_limit`` is the most that may be claimed, as a place in ``advice.CERTAINTIES``.
    """

    profiles: tuple[str, ...]
    caveat: str = ""
    certainty_limit: int = 2


@dataclass(frozen=True, slots=True)
class Use:
    """A job that a person has.

    ``stands`` are tried in order; the first one whose profiles were all run is taken. The first profile of a stand
    rates the contenders. ``metrics``: the first that was measured decides and is compared for ties. ``good`` is enough
    to compete as an equal, ``least`` enough to be recommended at all. ``kinds`` are the questions that matter; none
    means all. ``asks`` is what a rating stands for, in words.
    """

    name: str
    order: Order
    stands: tuple[Stand, ...]
    metrics: tuple[str, ...]
    good: Rating
    least: Rating
    floor: str
    sentence: str
    kinds: tuple[str, ...] = ()


SPEED = ("decode_tok_per_s",)
CHAT_FLOOR = "rated good or better in the interactive profile (by default: first word within 3 s, at least 15 tok/s)"

USES = (
    Use(
        name="chat",
        order="capable",
        stands=(Stand((INTERACTIVE,)),),
        metrics=SPEED,
        good=Rating.GOOD,
        least=Rating.ACCEPTABLE,
        floor=CHAT_FLOOR,
        sentence="Use {names} for chat: it is {rating} here.",
    ),
    Use(
        name="coding",
        order="capable",
        stands=(
            Stand(
                (INTERACTIVE, QUALITY),
                "No question asks for program code; JSON, logic and following instructions stand for it.",
                1,
            ),
        ),
        metrics=SPEED,
        good=Rating.GOOD,
        least=Rating.ACCEPTABLE,
        floor=f"{CHAT_FLOOR}; answers not damaged",
        sentence="Use {names} for coding: its speed is {rating} here.",
        kinds=("structured", "logic", "instructions"),
    ),
    Use(
        name="long documents",
        order="deep",
        stands=(Stand((LONG_CONTEXT,)),),
        metrics=("usable_context_tok", "prefill_tok_per_s"),
        good=Rating.ACCEPTABLE,
        least=Rating.ACCEPTABLE,
        floor="at least acceptable at the depth that is named",
        sentence="Use {names} for long documents: it stays usable up to {value}.",
        kinds=("reading", "look-up"),
    ),
    Use(
        name="batch work",
        order="busy",
        stands=(Stand((BATCH,)),),
        metrics=("documents_per_hour", "throughput_tok_per_s", "decode_tok_per_s"),
        good=Rating.ACCEPTABLE,
        least=Rating.ACCEPTABLE,
        floor="rated acceptable or better in the batch profile, answers not damaged",
        sentence="Use {names} for batch work: {value}.",
        kinds=("structured", "reading", "look-up"),
    ),
    Use(
        name="low memory",
        order="lean",
        stands=(
            Stand((INTERACTIVE,)),
            Stand((QUALITY,), "Judged by its answers and its memory: its speed was not measured.", 0),
        ),
        metrics=("memory_peak_bytes",),
        good=Rating.ACCEPTABLE,
        least=Rating.ACCEPTABLE,
        floor="rated acceptable or better, answers not damaged",
        sentence="To save memory, use {names}: it takes {value} and is {rating} here.",
    ),
    Use(
        name="best balanced",
        order="balanced",
        stands=(Stand((INTERACTIVE, QUALITY)),),
        metrics=("balance_ratio",),
        good=Rating.ACCEPTABLE,
        least=Rating.ACCEPTABLE,
        floor="rated acceptable or better, answers not damaged",
        sentence="The best balance of right answers, speed and memory: {names}.",
    ),
)

KINDS = {
    "arithmetic": ("figures", "sums"),
    "reading": ("understanding a text", "questions"),
    "logic": ("puzzles and reasoning", "puzzles"),
    "instructions": ("exact instructions", "instructions"),
    "structured": ("JSON and tool calls", "outputs"),
    "look-up": ("finding facts in a list", "look-ups"),
    "order": ("putting things in order", "orderings"),
    "counting": ("counting", "counts"),
    "language": ("words and spelling", "answers"),
    "basics": ("the simplest questions", "answers"),
    "knowledge": ("general knowledge", "answers"),
}
"""A kind of question as a person names it: what to avoid a file for, and what was wrong."""
