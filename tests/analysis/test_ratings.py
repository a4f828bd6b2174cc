"""Which figures decide, for profiles that are known and those that are not."""

from __future__ import annotations

import pytest

from llmtester.analysis import ratings
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.summary import Estimate, Rating
from llmtester.profiles.batch import BatchProfile
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.profiles.long_context import LongContextProfile
from llmtester.profiles.stress import StressProfile


@pytest.mark.parametrize("profile", [InteractiveProfile, LongContextProfile, BatchProfile, StressProfile])
def test_the_usual_figures_are_those_of_the_profile(profile: type) -> None:
    """Whoever reads a journal without the profiles judges by the same figures as the run did."""
    assert ratings.usual_headline(profile.name) == tuple(profile.headline)


def test_an_unknown_profile_is_judged_as_a_chat() -> None:
    """A profile of somebody else's has the wait and the speed of a chat."""
    assert ratings.usual_headline("of_a_plugin") == ("ttft_ms", "decode_tok_per_s")


def test_a_figure_without_limits_does_not_decide() -> None:
    """A profile of somebody else's may show the longest gap first: what has limits beside it decides, else nothing."""
    metrics = {"itl_max_ms": Estimate(9e9, None, None, 5), "decode_tok_per_s": Estimate(20.0, None, None, 5)}
    gap, speed = METRICS["itl_max_ms"].info, METRICS["decode_tok_per_s"].info
    assert ratings.rate_cell(metrics, [gap, speed]) == (Rating.GOOD, speed.title)
    assert ratings.rate_cell(metrics, [gap]) == (Rating.NOT_RATED, "the profile names no metric that has limits")
    assert ratings.rate_cell(metrics, []) == ratings.rate_cell(metrics, [gap])
