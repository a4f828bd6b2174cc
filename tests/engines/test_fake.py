"""The scripted engine: what it is told is exactly what it does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.domain.errors import ConfigurationError, EngineError, EngineFailure, RequestFailed, RequestFailure
from llmtester.domain.ports import EngineOptions
from llmtester.domain.records import Completion
from llmtester.domain.work import Message, Request, ServerSettings, Target, Timeouts
from llmtester.engines.fake import FakeEngine
from llmtester.engines.fake_script import KEYS, Script, parse
from llmtester.engines.virtual_clock import VirtualClock


def request(name: str = "r", max_tok: int = 32, **more) -> Request:
    return Request(name, (Message("user", "how many stones lie in the river"),), max_tok, **more)


def ask(script: str, *requests: Request, slots: int = 1, together: bool = False) -> list[Completion | RequestFailed]:
    """What each request came to, in virtual time."""

    async def run() -> list[Completion | RequestFailed]:
        engine = FakeEngine(EngineOptions(), VirtualClock())
        (model,) = engine.catalogue([script])

        async def one(each: Request) -> Completion | RequestFailed:
            try:
                return await session.generate(each, lambda at_ns: None)
            except RequestFailed as failed:
                return failed

        async with engine.open(Target("fake", model, ServerSettings(slots=slots)), Path()) as session:
            if together:
                return list(await asyncio.gather(*map(one, requests)))
            return [await one(each) for each in requests]

    return asyncio.run(run())


def test_times_are_exactly_as_scripted():
    """First token, decode rate and the server's own figures equal the script to the nanosecond."""
    (done,) = ask("m?ttft_ms=20&decode_tok_per_s=250&overhead_ms=2", request(max_tok=101))
    assert done.chunks[0].at_ns - done.sent_ns == 20_000_000
    assert done.chunks[-1].at_ns - done.chunks[0].at_ns == 400_000_000
    assert (len(done.chunks), done.completion_tok, done.finish) == (101, 101, "length")
    assert done.server.prompt_ms == pytest.approx(18)
    assert done.server.predicted_ms == pytest.approx(400)
    assert done.ended_ns == done.chunks[-1].at_ns


def test_prefill_speed_sets_the_first_token():
    """Without ttft_ms the first token comes after the prompt at prefill_tok_per_s."""
    (done,) = ask("m?prefill_tok_per_s=100", request())
    assert done.chunks[0].at_ns - done.sent_ns == pytest.approx(done.prompt_tok / 100 * 1e9, abs=1)


def test_more_streams_than_slots_queue():
    """A third stream on two slots waits for a free one, and its first token is late by the whole first answer."""
    done = ask("m?ttft_ms=10&decode_tok_per_s=100", *[request(str(n), 11) for n in range(3)], slots=2, together=True)
    assert [(each.chunks[0].at_ns - each.sent_ns) / 1e6 for each in done] == [10, 10, 120]


def test_scaling_shares_the_machine():
    """With scaling=0 two streams together are no faster than one: each runs at half speed."""
    script = "m?ttft_ms=10&decode_tok_per_s=100&scaling=0"
    done = ask(script, request("a", 11), request("b", 11), slots=2, together=True)
    assert done[1].chunks[-1].at_ns - done[1].chunks[0].at_ns == 200_000_000


def test_noise_depends_on_the_request_alone():
    """The same request has the same times in any order; another request has others."""
    script = "m?noise=0.1&jitter=0.1&ttft_ms=50"
    first = ask(script, request("a"), request("b"))
    second = ask(script, request("b"), request("a"))
    offsets = [[chunk.at_ns - done.sent_ns for chunk in done.chunks] for done in first + second]
    assert offsets[0] == offsets[3]
    assert offsets[1] == offsets[2]
    assert offsets[0] != offsets[1]


def test_drift_slows_down_evenly():
    """After drift_requests the speed is lower by drift_ratio and stays there."""
    done = ask("m?ttft_ms=10&drift_ratio=0.5&drift_requests=2", *[request(str(n), 1) for n in range(4)])
    assert [(each.ended_ns - each.sent_ns) / 1e6 for each in done] == pytest.approx([10, 10 / 0.75, 20, 20])


def test_a_stop_counts_its_end_token():
    """An early stop has one token more than visible chunks, as on a real server."""
    (done,) = ask("m?stop_early=0.5", request(max_tok=40))
    assert (done.finish, done.completion_tok, len(done.chunks)) == ("stop", 20, 19)


def test_a_hidden_cache_is_reported():
    """cached=N shows as cached tokens, as a server that ignores cache_prompt would report it."""
    (done,) = ask("m?cached=5", request())
    assert done.cached_tok == done.server.cached_tok == 5
    assert done.server.prompt_tok == done.prompt_tok - 5


def test_answers_can_be_given():
    """text=... is what the model says, token by token."""
    (done,) = ask("m?text=the+answer+is+4", request(max_tok=4))
    assert done.text == "the answer is 4"


@pytest.mark.parametrize(
    ("script", "outcomes"),
    [
        ("m?fail=crash_after:1", [None, RequestFailure.SERVER_GONE, RequestFailure.SERVER_GONE]),
        ("m?fail=hang_after:2", [None, None, RequestFailure.STALLED]),
        ("m?fail=error_event:2", [None, RequestFailure.ERROR_EVENT, None]),
    ],
)
def test_failures_come_when_scripted(script, outcomes):
    """Counted failures hit the request that the script names, and only a dead server stays dead."""
    done = ask(script, *[request(str(n)) for n in range(3)])
    assert [each.failure if isinstance(each, RequestFailed) else None for each in done] == outcomes


def test_a_failed_request_keeps_what_had_arrived():
    """A hang half way leaves the stamps of the first half."""
    (failed,) = ask("m?ttft_ms=10&decode_tok_per_s=100&fail=hang_after:0", request(max_tok=10))
    assert failed.arrivals_ns == (10_000_000, 20_000_000, 30_000_000, 40_000_000, 50_000_000)


@pytest.mark.parametrize(
    ("script", "timeouts", "failure"),
    [
        ("m?ttft_ms=2000", Timeouts(first_token_s=1), RequestFailure.FIRST_TOKEN_TIMEOUT),
        ("m?ttft_ms=1&decode_tok_per_s=0.5", Timeouts(between_tokens_s=1), RequestFailure.STALLED),
        ("m?ttft_ms=1&decode_tok_per_s=10", Timeouts(total_s=1), RequestFailure.TOTAL_TIMEOUT),
    ],
)
def test_time_outs_are_kept(script, timeouts, failure):
    """Each limit of a request ends it with its own failure."""
    (failed,) = ask(script, request(timeouts=timeouts))
    assert failed.failure is failure


@pytest.mark.parametrize(
    ("kind", "failure"),
    [("load", EngineFailure.EXITED), ("oom", EngineFailure.OUT_OF_MEMORY), ("corrupt", EngineFailure.CORRUPT_FILE)],
)
def test_a_server_can_fail_to_start(kind, failure):
    """fail=load and its like raise on entering."""
    with pytest.raises(EngineError) as raised:
        ask(f"m?fail={kind}", request())
    assert raised.value.failure is failure


def test_the_context_is_a_limit():
    """A prompt that fills the context is refused like llama-server does."""
    (failed,) = ask("m?context_tok=10", request())
    assert (failed.failure, failed.status) == (RequestFailure.CONTEXT_EXCEEDED, 400)


def test_quantization_is_a_suffix_or_a_key():
    """Three spellings name the same quantization, and a counted failure is not taken for one."""
    assert parse("m?ttft_ms=1:Q4_K_M").quant == parse("m:Q4_K_M?ttft_ms=1").quant == parse("m?quant=Q4_K_M").quant
    assert parse("m?fail=crash_after:5").quant == Script().quant
    assert parse("m?fail=crash_after:5:Q8_0").quant == "Q8_0"


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        ("m?tftt_ms=1", "ttft_ms"),
        ("m?zzzz=1", "the keys are"),
        ("m?noise=x", "noise=0.03"),
        ("m?fail=crash_after", "crash_after:5"),
        ("m?realtime=yes", "realtime=0"),
    ],
)
def test_mistakes_are_named_with_a_fix(script, hint):
    """An unknown key gets the nearest known one, a bad value an example."""
    with pytest.raises(ConfigurationError) as raised:
        parse(script)
    assert hint in raised.value.fix


def test_the_catalogue_offers_a_demo():
    """Without names there is a small matrix; a name without script picks from it; an unknown name matches nothing."""
    engine = FakeEngine(EngineOptions())
    assert len({(model.name, model.quantization) for model in engine.catalogue([])}) == 3
    assert [model.quantization for model in engine.catalogue(["demo-small"])] == ["Q4_K_M", "Q8_0"]
    assert [model.quantization for model in engine.catalogue(["demo-*:Q8_0"])] == ["Q8_0"]
    assert engine.catalogue(["nosuch"]) == ()


def test_real_time_is_real():
    """Without realtime=0 the answer takes the time that it says."""

    async def run() -> Completion:
        engine = FakeEngine(EngineOptions())
        (model,) = engine.catalogue(["m?ttft_ms=30&decode_tok_per_s=200"])
        async with engine.open(Target("fake", model, ServerSettings()), Path()) as session:
            return await session.generate(request(max_tok=5), lambda at_ns: None)

    done = asyncio.run(run())
    assert 30e6 <= done.chunks[0].at_ns - done.sent_ns < 300e6
    assert done.chunks[-1].at_ns - done.sent_ns >= 49e6


def test_every_key_is_readable():
    """The fields of a script and its keys are the same words."""
    from llmtester.engines.fake_script import _READERS

    assert set(KEYS) == set(_READERS)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_virtual_sleepers_wake_in_order(delays_s):
    """Whoever sleeps less wakes first, at exactly the time asked for."""
    clock = VirtualClock()
    woken: list[tuple[int, float]] = []

    async def sleeper(delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append((clock.now_ns(), delay_s))

    async def run() -> None:
        await asyncio.gather(*map(sleeper, delays_s))

    asyncio.run(run())
    assert woken == [
        (round(delay_s * 1e9), delay_s)
        for _, delay_s in sorted(enumerate(delays_s), key=lambda p: (round(p[1] * 1e9), p[0]))
    ]
