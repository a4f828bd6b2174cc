"""The promises on statistics: one answer in ten corrupted is found, nothing corrupted is not accused, equals are equal.

A fake model answers the standard set by script, its answers are graded and judged as in a run. What a model knows, and
which answers differ by chance, changes with the number of the run.
"""

from __future__ import annotations

import json

from llmtester.analysis.quality import tasks
from llmtester.analysis.quality.statistics import ALPHA
from llmtester.analysis.summary import Tasks
from llmtester.domain.records import Sample
from llmtester.domain.work import Request
from llmtester.engines import fake_quality
from llmtester.engines.fake_script import Script
from llmtester.profiles.quality import scoring
from llmtester.profiles.quality.question_set import standard

RUNS_COUNT, EQUAL_COUNT = 200, 20
CAUGHT_RATIO, ACCUSED_RATIO = 0.80, 0.05
SKILLS = (0.55, 0.75, 0.95)
"""What the reference knows: a small model, a middling one, and one that knows nearly everything."""

FLIPS = 0.03
"""Share of the answers that turn around either way, beside what is corrupted."""


def answered(script: Script) -> dict[str, Sample]:
    """What a fake model answers to the standard set, graded, without a server."""
    found = {}
    for item in standard().items:
        request = Request(item.id, (), item.max_tok, fixed_length=False, oracle=item.oracle)
        text = fake_quality.reply(script, request) or ""
        graded = scoring.grade(item, text, complete=True)
        found[item.id] = Sample(item.id, 0, 1, (1,), completion_tok=1, text=text, grade=graded)
    return found


def accused(number: int, skill: float, corrupt: float, flips: float) -> tuple[bool, bool]:
    """Whether a loss was proven, and whether a kind of question was named as degraded, in simulated run ``number``."""
    name = f"m{number}"
    told = answered(Script(name, "F16", skill=skill, seed=2 * number, flips=flips))
    said = answered(Script(name, "Q4_K_M", skill=skill, seed=2 * number + 1, flips=flips, corrupt=corrupt))
    found = tasks.measure(told, said)
    if not isinstance(found, Tasks):
        return False, False
    return found.p_value_holm < ALPHA, any(part.degraded for part in found.categories)


def run() -> dict[str, object]:
    """Shares of accused runs; what is measured is the number of broken promises."""
    caught = {
        str(skill): sum(accused(n, skill, 0.10, FLIPS / 3)[0] for n in range(RUNS_COUNT)) / RUNS_COUNT
        for skill in SKILLS
    }
    wrongly = {
        f"skill {skill}, {flips:.0%} differ by chance": sum(
            any(accused(n, skill, 0.0, flips)) for n in range(RUNS_COUNT)
        )
        / RUNS_COUNT
        for skill in SKILLS
        for flips in (0.0, FLIPS, 0.08)
    }
    warned = {
        str(skill): sum(accused(n, skill, 0.0, FLIPS)[1] for n in range(1000, 1000 + EQUAL_COUNT)) for skill in SKILLS
    }
    broken = [
        *(f"{name}: caught in {share:.1%}" for name, share in caught.items() if share < CAUGHT_RATIO),
        *(f"{name}: accused in {share:.1%}" for name, share in wrongly.items() if share > ACCUSED_RATIO),
        *(f"{name}: {count} warnings in {EQUAL_COUNT} equal runs" for name, count in warned.items() if count > 1),
    ]
    return {
        "name": "quality_simulation",
        "promise": "10 % corrupted caught in 80 % of 200 runs, none accused in over 5 %, at most 1 of 20 A/A warned",
        "measured": len(broken),
        "limit": 0,
        "unit": "broken",
        "passed": not broken,
        "broken": broken,
        "caught_ratio": caught,
        "accused_ratio": wrongly,
        "warned_count": warned,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
