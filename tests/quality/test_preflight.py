"""What makes a comparison meaningless is said before a verdict is given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from llmtester.analysis.quality.assess import assess
from llmtester.analysis.quality.bands import QualityBands
from llmtester.analysis.quality.preflight import endings, flags_apart, problems, unsteady
from llmtester.analysis.state import RunState
from llmtester.analysis.summary import Estimate, Fidelity, QualitySummary, Rating, Tasks
from llmtester.domain.logprobs import pack, unpack
from llmtester.domain.records import Absent
from llmtester.domain.work import Cell, Plan, ServerSettings, Target
from llmtester.engines.fake import FakeEngine
from llmtester.profiles.quality.profile import QualityOptions, QualityProfile
from llmtester.profiles.quality.texts import TEXTS
from tests.worlds import World, sample

F16 = ServerSettings()


@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ({}, {}, None),
        ({}, {"context_tok": 8192, "slots": 4, "threads": 2}, None),
        ({}, {"cache_type_k": "q4_0"}, "cache of keys is q4_0 here and f16 there"),
        ({"cache_type_v": "q8_0"}, {}, "cache of values is f16 here and q8_0 there"),
        ({"flash_attention": "on"}, {"flash_attention": "off"}, "flash attention"),
        ({"flash_attention": "on"}, {"flash_attention": "auto"}, None),
    ],
)
def test_flags_that_change_answers_are_named(there: dict[str, Any], here: dict[str, Any], said: str | None) -> None:
    """Caches and attention change probabilities; context, slots and threads do not."""
    found = flags_apart(replace(F16, **there), replace(F16, **here))
    assert (found is None) if said is None else (found is not None and said in found)


def test_another_cache_is_no_verdict_on_the_file() -> None:
    """The same file behind a 4-bit cache is not compared, with the reason, and not called failed."""
    world = World()
    profile = QualityProfile(QualityOptions(texts=TEXTS[:4], items_count=8))
    world.profiles = {"quality": profile}
    large, small = FakeEngine().catalogue(["m?size_mb=400&realtime=0:F16", "m?size_mb=200&damage=0.1&realtime=0:Q8_0"])
    reference = Target("fake", large, F16)
    candidate = Target("fake", small, replace(F16, cache_type_k="q4_0", cache_type_v="q4_0"))
    loads = profile.loads(None)
    cells = [Cell(reference, "quality", load) for load in loads]
    cells += [Cell(candidate, "quality", load, reference.key) for load in loads if load.name != "floor"]
    state, _ = world.run(Plan(tuple(cells)))
    (found,) = [one for one in assess(state, QualityBands()) if one.reference]
    assert (found.rating, found.words) == (Rating.NOT_RATED, "not compared")
    assert isinstance(found.fidelity, Absent)
    assert isinstance(found.tasks, Absent)
    assert "q4_0 here and f16 there" in found.sentence
    assert assess(RunState(), QualityBands()) == ()


def test_the_profile_refuses_caches_that_damage_the_reference() -> None:
    """A cache of 4 bits on all servers would hide its damage; 8 bits and 16 are accepted."""
    profile = QualityProfile()
    assert profile.refuses(F16) is None
    assert profile.refuses(replace(F16, cache_type_k="q8_0", cache_type_v="q8_0")) is None
    reason = profile.refuses(replace(F16, cache_type_v="q4_0"))
    assert reason is not None
    assert "--set server.cache_type_v=f16" in reason


def test_another_template_is_seen_in_the_length_of_prompts() -> None:
    """One text of another length is an accident, one in ten is the template."""
    told = {f"chat.{number}": sample(prompt_tok=40, text="Yes.") for number in range(20)}
    assert problems(told, told) == ()
    once = told | {"chat.0": sample(prompt_tok=44, text="Yes.")}
    assert problems(told, once) == ()
    (said,) = problems(told, {name: sample(prompt_tok=44, text="Yes.") for name in told})
    assert "40 tokens for the reference and 44 for it" in said


def test_a_machine_that_does_not_repeat_itself_tells_nothing_finer() -> None:
    """The divergence of the reference from itself has to stay below what counts as excellent."""
    assert unsteady(Estimate(0.002, None, None, 8), 0.01) is None
    assert unsteady(Absent("not repeated"), 0.01) is None
    said = unsteady(Estimate(0.02, 0.01, 0.03, 8), 0.01)
    assert said is not None
    assert "0.02 nats" in said


def test_answers_that_do_not_end_and_thoughts_are_pointed_out() -> None:
    """A fifth of the answers cut off, or thinking that was to be left out, is said; a single long answer is not."""
    short = [sample(text="Answer: 5", finish="stop") for _ in range(9)]
    assert endings([*short, sample(text="and then", finish="length")]) == ()
    (cut,) = endings([*short, *(sample(text="and then", finish="length") for _ in range(9))])
    assert "9 of 18 answers ran out of room" in cut
    (thought,) = endings([*short, sample(text="<think>5</think>5", finish="stop")])
    assert "thinks before it answers" in thought


def small_run() -> RunState:
    """A reference that was asked twice and one candidate, four texts and eight questions each."""
    world = World()
    profile = QualityProfile(QualityOptions(texts=TEXTS[:4], items_count=8))
    world.profiles = {"quality": profile}
    large, small = FakeEngine().catalogue(["m?size_mb=400&realtime=0:F16", "m?size_mb=200&damage=0.1&realtime=0:Q8_0"])
    reference, candidate = Target("fake", large, F16), Target("fake", small, F16)
    cells = [Cell(reference, "quality", load) for load in profile.loads(None)]
    cells += [Cell(candidate, "quality", load, reference.key) for load in profile.loads(None) if load.name != "floor"]
    return world.run(Plan(tuple(cells)))[0]


def changed(state: RunState, load: str, *, candidate: bool, **values: Any) -> None:
    """Let every answer of one file under a load be otherwise."""
    for cell in state.cells.values():
        if cell.cell.load.name == load and bool(cell.cell.reference) is candidate:
            for trial in cell.trials:
                trial.samples = tuple(replace(one, **values) for one in trial.samples)


def judged(state: RunState) -> QualitySummary:
    return next(one for one in assess(state, QualityBands()) if one.reference)


def test_an_unsteady_reference_takes_the_divergence_away_and_nothing_else() -> None:
    """Where the second answers of the reference are those of another mind, no divergence is told; questions count."""
    state = small_run()
    assert isinstance(judged(state).fidelity, Fidelity)
    for cell in state.cells.values():
        if cell.cell.load.name == "floor":
            for trial in cell.trials:
                trial.samples = tuple(replace(one, logprobs=flattened(one.logprobs)) for one in trial.samples)
    found = judged(state)
    assert isinstance(found.fidelity, Absent)
    assert "this machine does not repeat itself" in found.fidelity.reason
    assert isinstance(found.tasks, Tasks)


def flattened(packed: str) -> str:
    """The same tokens, each of its list as likely as the others."""
    told = unpack(packed)
    even = [tuple((token, -math.log(len(one.top))) for token, _ in one.top) for one in told]
    return pack([replace(one, top=top, logprob=top[0][1]) for one, top in zip(told, even, strict=True)])


def test_a_file_with_another_tokenizer_has_failed() -> None:
    """Prompts of another length make the comparison void, and a file with a wrong template is not recommended."""
    state = small_run()
    assert judged(state).refused == ()
    changed(state, "fidelity", candidate=True, prompt_tok=7)
    found = judged(state)
    assert (found.rating, found.words) == (Rating.FAILED, "failed")
    assert "its chat template or tokenizer is another one" in found.refused[0]
