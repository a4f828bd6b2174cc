"""The matrix of a profile that compares: who is the reference, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.costs import Hardware
from llmtester.analysis.lens import Lens
from llmtester.analysis.summarise import summarise
from llmtester.domain.errors import NotMeasurable
from llmtester.domain.ports import Bench
from llmtester.domain.work import Load, Message, ModelRef, Plan, Request, ServerSettings
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.profiles.quality.profile import QualityProfile
from llmtester.runner import planner
from tests.worlds import World, model

BITS = {"Q2_K": 3.0, "Q4_K_M": 4.9, "Q8_0": 8.5, "F16": 16.0}


class Comparing(BaseProfile):
    """Asks one question, says what it sees of the reference, and has a load for the reference alone."""

    name = "quality"
    summary = "compares"
    headline = ()
    compares = True
    reference_loads = ("floor",)

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        return tuple(Load(name, 30, 4, warmup_trials=0, min_trials=1, max_trials=1) for name in ("ask", "floor"))

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        if bench.target.model.name == "mute":
            raise NotMeasurable("this server says nothing of its probabilities")
        answer = bench.reference("ask-1")
        said = answer.text.strip() if answer else "nothing yet"
        return (Request(f"{load.name}-1", (Message("user", said),), 4),)


def planned(models: Sequence[ModelRef], refused: Sequence[str] = ()) -> Plan:
    profiles = {"interactive": InteractiveProfile(), "quality": Comparing()}
    wanted = planner.Wanted("fake", models, profiles, ServerSettings(), 1, Hardware(2, 10**12))
    return planner.plan(wanted, lambda one, settings: 10**13 if one.quantization in refused else None)


def variants(*quants: str, name: str = "tiny") -> list[ModelRef]:
    return [model(name, quant, bits_per_weight=BITS[quant]) for quant in quants]


@given(st.permutations(list(BITS)))
def test_the_largest_quantization_is_the_reference_and_comes_first(order: list[str]) -> None:
    """Whatever the order of the models, F16 leads its siblings, and only it has the load of the reference."""
    plan = planned(variants(*order))
    assert plan.targets[0].model.quantization == "F16"
    assert [target.model.quantization for target in plan.targets[1:]] == [name for name in order if name != "F16"]
    for cell in plan.cells:
        compared = cell.profile == "quality" and cell.target != plan.targets[0]
        assert cell.reference == (plan.targets[0].key if compared else None)
    floors = [cell.target.model.quantization for cell in plan.cells if cell.load.name == "floor"]
    assert floors == ["F16"]


def test_a_reference_that_does_not_fit_is_replaced() -> None:
    """The best that the machine can load takes its place; each model has a reference of its own."""
    plan = planned([*variants("Q4_K_M", "F16", "Q8_0"), *variants("Q2_K", name="other")], refused=["F16"])
    keys = {cell.target.model.label: cell.reference for cell in plan.cells if cell.profile == "quality"}
    best = next(target.key for target in plan.targets if target.model.quantization == "Q8_0")
    assert keys == {"tiny Q8_0": None, "tiny Q4_K_M": best, "other Q2_K": None}


def test_planning_twice_gives_one_digest_without_comparison_too() -> None:
    """The plan depends on its arguments alone."""
    models = variants("Q4_K_M", "F16", "Q8_0")
    assert planned(models).digest == planned(list(models)).digest


def run(*scripts: str) -> World:
    world = World()
    world.profiles = {"quality": Comparing()}
    refs = world.engine.catalogue(scripts)
    wanted = planner.Wanted("fake", refs, world.profiles, ServerSettings(), 1, Hardware(2, 10**12))
    state = world.start(planner.plan(wanted, lambda one, settings: None))
    asyncio.run(world.runner(state).run())
    world.summary = summarise(state, Lens({"quality": ()}, {}))  # type: ignore[attr-defined]  # read by the tests below
    return world


def test_candidates_see_the_answers_of_the_reference() -> None:
    """The floor load of the reference sees its own answer, the candidate that of the reference."""
    world = run("a?size_mb=200&text=from+the+large+one&realtime=0:F16", "a?size_mb=100&text=small&realtime=0:Q4_K_M")
    sent = [event.sample.prompt_tok for event in world.events if hasattr(event, "sample")]
    assert sent[0] != sent[1] == sent[2]


def test_what_a_profile_cannot_ask_is_skipped_with_its_reason() -> None:
    """The cell is left out, the run goes on and the report says why."""
    world = run("mute?realtime=0:F16", "other?realtime=0:F16")
    cells = world.summary.cells  # type: ignore[attr-defined]  # set by run
    assert [cell.status for cell in cells] == ["skipped", "skipped", "done", "done"]
    assert "probabilities" in cells[0].reason


def test_a_refusing_profile_is_skipped_with_its_reason_before_anything_starts() -> None:
    """With caches of 4 bits the quality of every file is skipped in the plan; the other profile is measured."""
    profiles = {"interactive": InteractiveProfile(), "quality": QualityProfile()}
    server = ServerSettings(cache_type_k="q4_0", cache_type_v="q4_0")
    wanted = planner.Wanted("fake", variants("F16", "Q4_K_M"), profiles, server, 1, Hardware(2, 10**12))
    plan = planner.plan(wanted, lambda one, settings: None)
    assert {cell.profile for cell in plan.cells} == {"interactive"}
    assert {skip.cell.profile for skip in plan.skips} == {"quality"}
    assert all("damages the reference too" in skip.reason for skip in plan.skips)
