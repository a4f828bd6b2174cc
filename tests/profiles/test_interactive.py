"""The interactive profile: its loads and its requests."""

from __future__ import annotations

import asyncio

import pytest

from llmtester.analysis.summarise import summarise
from llmtester.domain.ports import Profile
from llmtester.domain.work import Cell, Load, Plan, Request, ServerSettings, Target
from llmtester.profiles.interactive import InteractiveOptions, InteractiveProfile
from tests.profiles.tokenizers import TEMPLATE_TOK, counter, pieces_of_four
from tests.worlds import LENS, World, bench

BENCH = bench(counter(pieces_of_four))


def requests(profile: InteractiveProfile, load: Load, trial: int, seed: int = 1) -> tuple[Request, ...]:
    return tuple(asyncio.run(profile.requests(load, trial, seed, BENCH)))


def test_it_is_a_profile() -> None:
    """It offers what the domain asks of a profile, and is decided by waiting and by writing speed."""
    profile: Profile = InteractiveProfile()
    assert profile.name == "interactive"
    assert profile.headline == ("ttft_ms", "decode_tok_per_s")


def test_loads_follow_the_options() -> None:
    """Lengths, trials and precision of the loads are those of the options."""
    options = InteractiveOptions(short_prompt_tok=70, medium_output_tok=64, min_trials=4, max_trials=6)
    short, medium, _ = InteractiveProfile(options).loads(None)
    assert (short.name, short.prompt_tok, short.output_tok) == ("short", 70, 128)
    assert (medium.name, medium.prompt_tok, medium.output_tok) == ("medium", 512, 64)
    assert (short.min_trials, short.max_trials, short.concurrency) == (4, 6, 1)


def test_quick_lowers_trials_only() -> None:
    """The same prompts and answers are measured, fewer times."""
    slow, quick = InteractiveProfile().loads(None), InteractiveProfile(quick=True).loads(None)
    for before, after in zip(slow, quick, strict=True):
        assert (after.prompt_tok, after.output_tok) == (before.prompt_tok, before.output_tok)
        assert after.min_trials <= before.min_trials
        assert after.min_trials <= after.max_trials < before.max_trials


def test_quick_never_asks_for_more_than_was_set() -> None:
    """Someone who sets two trials gets two, quick or not."""
    options = InteractiveOptions(min_trials=2, max_trials=2)
    assert {(load.min_trials, load.max_trials) for load in InteractiveProfile(options, quick=True).loads(None)} == {
        (2, 2)
    }


def test_loads_that_do_not_fit_the_model_are_left_out() -> None:
    """A model trained for 512 tokens is not asked for 512 and an answer."""
    assert [load.name for load in InteractiveProfile().loads(300)] == ["short"]
    assert [load.name for load in InteractiveProfile().loads(512)] == ["short", "follow_up"]
    assert [load.name for load in InteractiveProfile().loads(640)] == ["short", "medium", "follow_up"]
    assert InteractiveProfile().loads(100) == ()


def test_requests_have_the_planned_length_and_forbid_the_cache() -> None:
    """One request a trial, of the planned length, of fixed output length, never answered from a cache."""
    profile = InteractiveProfile()
    for load in profile.loads(None)[:2]:
        (request,) = requests(profile, load, trial=0)
        assert request.planned_prompt_tok == load.prompt_tok
        assert TEMPLATE_TOK + pieces_of_four(request.messages[0].content) == load.prompt_tok
        assert request.max_tok == load.output_tok
        assert request.fixed_length
        assert not request.reuse_cache


def test_equal_arguments_give_equal_requests() -> None:
    """A second process prepares the same trial word for word."""
    load = InteractiveProfile().loads(None)[0]
    assert requests(InteractiveProfile(), load, 3) == requests(InteractiveProfile(), load, 3)
    assert requests(InteractiveProfile(), load, 3, seed=2) != requests(InteractiveProfile(), load, 3, seed=1)


def test_no_two_trials_or_loads_share_a_prompt_or_its_first_word() -> None:
    """Short and medium, trial after trial: every prompt begins with a word of its own."""
    profile = InteractiveProfile()
    prompts = [
        request.messages[0].content
        for trial in range(40)
        for load in profile.loads(None)
        for request in requests(profile, load, trial)
        if request.continues is None
    ]
    assert len({text.split()[0] for text in prompts}) == len(prompts) == 120


def test_a_follow_up_goes_on_with_the_answer_and_the_cache() -> None:
    """The server gets the whole conversation, has read all but its end, and answers sooner than to a fresh prompt of
    that length; the first turn is not timed."""
    world = World()
    (ref,) = world.engine.catalogue(["m?prefill_tok_per_s=500&decode_tok_per_s=100"])
    loads = InteractiveProfile().loads(None)
    target = Target("fake", ref, ServerSettings())
    state, _ = world.run(Plan(tuple(Cell(target, "interactive", load) for load in loads)))
    summary = summarise(state, LENS)
    medium, follow_up = summary.cells[1:]
    waits = [cell.metrics["ttft_ms"].value for cell in (medium, follow_up)]
    assert waits[0] == pytest.approx(512 / 500 * 1e3, rel=0.01)
    assert waits[1] < 150
    assert follow_up.metrics["cached_ratio"].value > 0.8
    assert "cached_prompt" not in {finding.code for finding in follow_up.findings}
    samples = [one for trial in state.cells[follow_up.key].trials for one in trial.samples]
    assert [one.timed for one in samples[:2]] == [False, True]
    assert samples[1].prompt_tok > samples[0].prompt_tok + samples[0].completion_tok


def test_request_names_are_unique_in_a_cell() -> None:
    """Samples are told apart by the name of their request."""
    profile = InteractiveProfile()
    load = profile.loads(None)[0]
    names = [request.id for trial in range(20) for request in requests(profile, load, trial)]
    assert len(set(names)) == 20
