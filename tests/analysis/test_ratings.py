"""Which figures decide, for profiles that are known and those that are not."""

from __future__ import annotations

import pytest

from llmtester.analysis import ratings
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
