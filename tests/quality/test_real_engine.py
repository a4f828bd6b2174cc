"""The route to probabilities on a real llama.cpp server with the real starter model."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import cast

import pytest
from benchmarks import quality_rungs

from llmtester.analysis.quality.assess import FIDELITY, answers, assess
from llmtester.analysis.summary import Estimate, Fidelity
from llmtester.domain.errors import RequestFailed
from llmtester.domain.logprobs import unpack
from llmtester.domain.records import Completion
from llmtester.domain.work import Message, Request
from llmtester.engines import llama_logprobs
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.engines.http_session import LlamaSession
from llmtester.engines.llama_logprobs import Route
from llmtester.profiles.quality.texts import TEXTS

QUESTION = (Message("user", "Name three things that float on water."),)


@pytest.mark.engine
def test_forced_tokens_cost_nothing_and_change_nothing(starter_model: Path, tmp_path: Path) -> None:
    """Free, forced by grammar and forced step by step: the same text and the same probabilities to the last bit."""

    async def three_ways() -> list[Completion]:
        async with EmbeddedEngine().open(quality_rungs.target(starter_model, "Q4_1"), tmp_path) as opened:
            session = cast("LlamaSession", opened)
            free = await session.generate(Request("a", QUESTION, 20, top_logprobs_count=60), lambda at_ns: None)
            forced = tuple(position.token for position in unpack(free.logprobs))
            again = Request("b", QUESTION, len(forced), top_logprobs_count=60, forced_tok=forced)
            by_grammar = await session.generate(again, lambda at_ns: None)
            by_steps = await llama_logprobs.generate(session, Route(grammar=False), again, lambda at_ns: None)
            return [free, by_grammar, by_steps]

    free, by_grammar, by_steps = asyncio.run(three_ways())
    assert len(unpack(free.logprobs)) >= 10
    assert free.logprobs == by_grammar.logprobs == by_steps.logprobs
    assert free.text == by_grammar.text == by_steps.text


@pytest.mark.engine
def test_a_token_that_does_not_exist_is_a_failed_request(starter_model: Path, tmp_path: Path) -> None:
    """A candidate with a smaller vocabulary cannot follow: one failed sample, and the server lives on."""

    async def ask() -> None:
        async with EmbeddedEngine().open(quality_rungs.target(starter_model, "Q4_1"), tmp_path) as session:
            lost = Request("a", QUESTION, 1, top_logprobs_count=5, forced_tok=(9_999_999,))
            with pytest.raises(RequestFailed):
                await session.generate(lost, lambda at_ns: None)
            assert await session.count_tokens(QUESTION) > 0

    asyncio.run(ask())


@pytest.mark.engine
def test_a_copy_of_the_file_is_the_reference(starter_model: Path, tmp_path: Path) -> None:
    """A/A on the real path: divergence under 1e-4, at least 99.9 % agreement, every text followed."""
    shutil.copyfile(starter_model, tmp_path / "copy.gguf")
    reference = quality_rungs.target(starter_model, "Q4_1")
    copy = quality_rungs.target(tmp_path / "copy.gguf", "copy")
    options = {"texts": TEXTS[:8], "text_tok": 12}
    work = quality_rungs.plan(reference, [copy], quality_rungs.loads("fidelity", "floor", **options))
    state, _ = quality_rungs.measured(work, tmp_path, options)
    (_, found) = assess(state, quality_rungs.BANDS)
    assert len(answers(state, copy.key, FIDELITY)) == 8
    assert isinstance(found.fidelity, Fidelity)
    assert found.fidelity.kl_nats.value < 1e-4
    assert found.fidelity.agreement_ratio.value >= 0.999
    assert isinstance(found.fidelity.floor_kl_nats, Estimate)
