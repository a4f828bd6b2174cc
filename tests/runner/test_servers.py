"""Which server a profile's loads get, and what is left out where memory ends."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.costs import Hardware
from llmtester.domain.ports import Bench
from llmtester.domain.work import Load, ModelRef, Plan, Request, ServerSettings
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.runner import planner, servers
from tests.worlds import model

SERVER = ServerSettings()
MEMORY_BYTES = 100_000
LOADS = st.builds(
    Load,
    st.uuids().map(str),
    prompt_tok=st.integers(1, 60_000),
    output_tok=st.integers(1, 2_000),
    concurrency=st.sampled_from([1, 1, 2, 8]),
)


class Long(BaseProfile):
    """Asks for steps of context, and for two at once at the end."""

    name = "long"
    summary = "steps"
    headline = ()

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        steps = [Load(f"{size}", size - 64, 64) for size in (8192, 16384, 32768)]
        return [load for load in steps if context_tok is None or servers.length_tok(load) <= context_tok]

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        return ()


def need_of_cells(one: ModelRef, settings: ServerSettings) -> int:
    """A byte a token of context, in every slot."""
    return settings.context_tok * settings.slots


def planned(one: ModelRef, memory_bytes: int = 10**9) -> Plan:
    profiles = {"interactive": InteractiveProfile(), "long": Long()}
    wanted = planner.Wanted("fake", [one], profiles, SERVER, 1, Hardware(2, memory_bytes))
    return planner.plan(wanted, need_of_cells)


def test_a_profile_that_needs_more_context_gets_a_server_of_its_own() -> None:
    """The chat shares the common server, the long one is started once with room for its longest load."""
    plan = planned(model(context_tok=131_072))
    assert [target.settings.context_tok for target in plan.targets] == [4096, 32768]
    assert [len(cells) for _, cells in plan.by_target()] == [3, 3]
    assert plan.memory_need_bytes == {target.key: target.settings.context_tok for target in plan.targets}


def test_loads_follow_what_the_model_was_trained_for() -> None:
    """No load is longer than the model's own limit, and the server is no larger than its loads need."""
    plan = planned(model(context_tok=9000))
    assert [target.settings.context_tok for target in plan.targets] == [4096, 8192]
    assert not plan.skips


def test_a_load_beyond_memory_is_left_out_with_both_numbers() -> None:
    """The rest is measured on a smaller server; the reason says what it needs and what there is."""
    plan = planned(model(context_tok=131_072), memory_bytes=20_000)
    assert [target.settings.context_tok for target in plan.targets] == [4096, 16384]
    (skip,) = plan.skips
    assert skip.cell.load.name == "32768"
    assert skip.cell.target == plan.targets[1]
    assert skip.reason == "it needs 32.8 kB with 32,768 tokens of context, and this machine has 20.0 kB"


@given(st.lists(LOADS, max_size=6), st.sampled_from([2048, 32_768, None]))
def test_no_load_is_lost_and_every_server_fits(loads: list[Load], context_tok: int | None) -> None:
    """Each load is either held, with a slot and room for it, or refused with a reason; order is kept."""
    one = model(context_tok=context_tok)
    given_loads = [load for load in loads if context_tok is None or servers.length_tok(load) <= context_tok]
    provision = servers.provide(one, SERVER, given_loads, need_of_cells, MEMORY_BYTES)
    assert sorted((*provision.loads, *(load for load, _ in provision.refused)), key=given_loads.index) == given_loads
    assert [load for load in given_loads if load in provision.loads] == list(provision.loads)
    assert need_of_cells(one, provision.settings) <= MEMORY_BYTES
    assert provision.settings == servers.serving(one, SERVER, provision.loads)
    for load in provision.loads:
        assert servers.length_tok(load) <= provision.settings.context_tok
        assert load.concurrency <= provision.settings.slots
    for load, _ in provision.refused:
        assert servers.length_tok(load) > SERVER.context_tok or load.concurrency > SERVER.slots
