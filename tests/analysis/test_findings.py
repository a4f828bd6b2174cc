"""Doubts: each fault of a fake engine, a reading or a machine is found by name, and clean ones raise none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from llmtester.analysis.findings import CHECKS
from llmtester.analysis.formulas import in_flight_count
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.state import RunState
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import CellSummary, Estimate, Finding, Rating
from llmtester.domain.events import Event, Pulse, RunStarted
from llmtester.domain.records import Absent, Machine, Reading, Sample
from llmtester.domain.work import Load
from tests.worlds import LENS, MACHINE, World, fake_plan

LOAD = Load("short", prompt_tok=128, output_tok=64, min_trials=5, max_trials=10)
CLEAN = "clean?prefill_tok_per_s=1000&decode_tok_per_s=20&noise=0.01&realtime=0"

BY_SCRIPT = {
    "cached_prompt": "cached=100",
    "hidden_cache": "hidden=1000",
    "early_end": "stop_early=0.5",
    "failed_requests": "fail=error_event:3",
    "too_few_trials": "noise=0.5",
    "slowing_down": "drift_ratio=0.1&drift_requests=5",
    "stalls": "stall_s=3",
    "memory_growth": "leak_mb=1",
    "degenerate_output": "loops=1",
}
QUIET = Reading(0, memory_available_bytes=10**9, swap_used_bytes=0, other_cpu_ratio=0.01, loop_lag_ns=100_000)
WARMING = [replace(QUIET, temperature_c=85.0, frequency_mhz=mhz) for mhz in (4000.0,) * 15 + (3000.0,) * 15]
BY_READINGS: dict[str, Sequence[Sequence[Reading]]] = {
    "busy_machine": [[replace(QUIET, other_cpu_ratio=0.6)] * 9],
    "client_lag": [[replace(QUIET, loop_lag_ns=80_000_000)]],
    "swapping": [
        [QUIET, replace(QUIET, swap_used_bytes=10**9)],
        [replace(QUIET, swap_in_bytes=2 * 10**8, swap_out_bytes=10**8)],
    ],
    "throttling": [
        [replace(QUIET, throttled_cores_count=2)],
        [replace(QUIET, throttled_packages_count=1)],
        [replace(QUIET, gpu_throttled=True)],
        [replace(QUIET, temperature_c=97.0)],
        WARMING,
    ],
}
BY_MACHINE: dict[str, dict[str, Any]] = {
    "battery": {"power_source": "battery"},
    "container_limits": {"cpu_limit_cores": 2.0, "memory_limit_bytes": 4 * 10**9},
}
ELSEWHERE = {"no_template", "estimated_tokens", "cold_first_trial", "starved_load", "lost_server"}


def cell_of(
    script: str, readings: Sequence[Reading] = (), machine: Machine = MACHINE, load: Load = LOAD
) -> CellSummary:
    """One cell of a whole run; the readings come after those of the still sensors."""
    world = World()
    state = world.start(fake_plan(script, loads=(load,)))
    asyncio.run(world.runner(state).run())
    key = state.plan.cells[0].key
    events: list[Event] = [*world.events, *(Pulse(reading.at_ns, key, 0, reading) for reading in readings)]
    if isinstance(events[0], RunStarted):
        events[0] = replace(events[0], machine=machine)
    (cell,) = summarise(RunState(events), LENS).cells
    return cell


def only(cell: CellSummary, code: str) -> Finding:
    assert [finding.code for finding in cell.findings] == [code]
    return cell.findings[0]


def codes(cell: CellSummary) -> set[str]:
    return {finding.code for finding in cell.findings}


@pytest.mark.parametrize("code", sorted(BY_SCRIPT))
def test_each_faulty_engine_is_found_by_name(code: str) -> None:
    """An engine that is faulty in one way raises that finding, with numbers, a remedy and known metrics."""
    cell = cell_of(f"{CLEAN}&{BY_SCRIPT[code]}")
    (finding,) = [finding for finding in cell.findings if finding.code == code]
    assert any(character.isdigit() for character in finding.evidence)
    assert finding.remedy.endswith(".")
    assert set(finding.metrics) <= set(METRICS)


@pytest.mark.parametrize("code", sorted(BY_READINGS))
def test_each_disturbed_machine_is_found_by_name(code: str) -> None:
    """Readings of a busy, late, swapping or hot machine raise that finding and no other."""
    for readings in BY_READINGS[code]:
        assert any(character.isdigit() for character in only(cell_of(CLEAN, readings), code).evidence)


@pytest.mark.parametrize("code", sorted(BY_MACHINE))
def test_each_handicap_of_a_machine_is_found_by_name(code: str) -> None:
    """What the facts of the machine say about all of its numbers."""
    only(cell_of(CLEAN, machine=replace(MACHINE, **BY_MACHINE[code])), code)


def test_every_check_is_tested_here() -> None:
    """A new row of the table must come with the fault that it finds."""
    assert {check.code for check in CHECKS} == {*BY_SCRIPT, *BY_READINGS, *BY_MACHINE, *ELSEWHERE}


def test_what_a_file_or_a_server_lacks_is_found() -> None:
    """A file without a chat template, and a server that does not count its tokens."""
    world = World()
    state, _ = world.run(fake_plan(CLEAN, loads=(LOAD,)))
    (known,) = state.cells.values()
    target = known.cell.target
    known.cell = replace(known.cell, target=replace(target, model=replace(target.model, has_chat_template=False)))
    state.targets[known.cell.target.key] = state.targets[target.key]
    for trial in known.trials:
        trial.samples = tuple(replace(sample, token_source="estimate") for sample in trial.samples)
    (cell,) = summarise(state, LENS).cells
    assert {"no_template", "estimated_tokens"} <= codes(cell)


def test_a_load_that_the_client_does_not_keep_up_is_found() -> None:
    """Little's law: four requests that are in flight for half of the time are a load of two, and none raise a doubt
    that follow one another at once."""
    world = World()
    state, _ = world.run(fake_plan(CLEAN, loads=(replace(LOAD, concurrency=4, requests_per_trial=16),)))
    (known,) = state.cells.values()
    assert [in_flight_count(trial.samples, 4) for trial in known.trials] == pytest.approx(
        [4.0] * len(known.trials), 0.01
    )
    assert "starved_load" not in codes(summarise(state, LENS).cells[0])
    for trial in known.trials:
        trial.samples = tuple(
            replace(sample, ended_ns=(sample.sent_ns + sample.ended_ns) // 2) for sample in trial.samples
        )
    (finding,) = [found for found in summarise(state, LENS).cells[0].findings if found.code == "starved_load"]
    assert "of 4 requests" in finding.evidence


def test_little_needs_requests_that_follow_one_another() -> None:
    """One wave of requests tells nothing; a pause between two waves tells all."""
    wave = [Sample(str(number), 0, 10, (5,)) for number in range(2)]
    assert in_flight_count(wave, 2) == Absent("no request waited for another one")
    assert in_flight_count([*wave, wave[0]], 2) == Absent("all requests were sent at once")
    assert in_flight_count([*wave, Sample("2", 20, 30, (25,))], 2) == 1.0
    assert in_flight_count([*wave, Sample("2", 10, 30, (25,))], 2) == 2.0


def test_a_cold_first_trial_is_found() -> None:
    """Without a warm-up a slow first request is part of the numbers, and said."""
    stalled = f"{CLEAN}&stall_s=0.9&stall_at=1"
    assert codes(cell_of(stalled, load=replace(LOAD, warmup_trials=0))) >= {"cold_first_trial"}
    assert codes(cell_of(stalled)) == set()


@pytest.mark.untraced
def test_clean_runs_raise_no_finding() -> None:
    """Sixty clean cells with 1 % noise, and as many with 2 %, raise at most one finding."""
    raised = [
        codes(cell_of(f"{CLEAN.replace('0.01', noise)}&seed={seed}")) - {"too_few_trials"}
        for seed in range(60)
        for noise in ("0.01", "0.02")
    ]
    assert sum(map(bool, raised)) <= 1


def test_a_severe_doubt_takes_the_rating_away() -> None:
    """Swap and a hidden cache leave no word to rest on; the reason is the evidence."""
    for cell in (cell_of(CLEAN, BY_READINGS["swapping"][0]), cell_of(f"{CLEAN}&hidden=1000")):
        assert cell.rating is Rating.NOT_RATED
        assert cell.rating_because == cell.findings[0].evidence


def test_memory_that_is_taken_once_is_no_leak() -> None:
    """A server that takes 13 MB with its first requests and half of one later is sound; a restart starts anew."""
    used = [134.9] * 3 + [147.5] * 20 + [148.0] * 20
    readings = [replace(QUIET, server_anonymous_bytes=round(mb * 1e6)) for mb in (*used, *used)]
    assert codes(cell_of(CLEAN, readings)) == set()


def test_a_cache_that_was_allowed_is_not_hidden() -> None:
    """Prompts of which the server tells that they were cached raise the other finding."""
    assert "hidden_cache" not in codes(cell_of(f"{CLEAN}&cached=100"))


def test_a_server_that_evaluated_less_than_it_was_sent_hides_a_cache() -> None:
    """Its own count of evaluated tokens gives it away, whatever the times."""
    state, _ = World().run(fake_plan(CLEAN, loads=(LOAD,)))
    (known,) = state.cells.values()
    for trial in known.trials:
        trial.samples = tuple(
            replace(sample, server=sample.server and replace(sample.server, prompt_tok=3)) for sample in trial.samples
        )
    (cell,) = summarise(state, LENS).cells
    assert "evaluated 3 of" in only(cell, "hidden_cache").evidence


def test_shorter_prompts_and_waiting_in_line_hide_no_cache() -> None:
    """A user's own prompts differ in length, and of several requests at once the first waits least: no doubt. A prompt
    of the usual length that is suddenly read in a third of the time is one."""
    state, _ = World().run(fake_plan(CLEAN, loads=(LOAD,)))
    (known,) = state.cells.values()
    (first,) = known.trials[0].samples
    early = replace(first, arrivals_ns=tuple(at // 4 for at in first.arrivals_ns), server=None)
    for prompt_tok, concurrency, doubted in ((128, 1, True), (30, 1, False), (128, 4, False)):
        known.trials[0].samples = (replace(early, prompt_tok=prompt_tok),)
        known.cell = replace(known.cell, load=replace(LOAD, concurrency=concurrency))
        (cell,) = summarise(state, LENS).cells
        assert ("hidden_cache" in codes(cell)) is doubted


def test_lucky_answers_on_a_crowded_machine_hide_no_cache() -> None:
    """Waits between 0.4 and 3 s, as with six programs on two cores: a fast one among them is luck."""
    state, _ = World().run(fake_plan(f"{CLEAN.replace('0.01', '0.5')}", loads=(LOAD,)))
    (known,) = state.cells.values()
    waits = (1.9, 2.6, 0.5, 3.0, 0.6, 1.4, 2.2, 0.8, 1.7, 2.9)
    for trial, wait_s in zip(known.trials, waits, strict=False):
        (one,) = trial.samples
        shift = round(wait_s * 1e9) - one.arrivals_ns[0]
        trial.samples = (replace(one, arrivals_ns=tuple(at + shift for at in one.arrivals_ns)),)
    (cell,) = summarise(state, LENS).cells
    assert "hidden_cache" not in codes(cell)


def test_outlying_trials_are_named_and_kept() -> None:
    """One stalled trial is named by its number in the metrics that it spoils, and still counts."""
    cell = cell_of(f"{CLEAN}&stall_s=3&stall_at=4")
    assert cell.outliers["itl_max_ms"] == (2,)
    assert cell.trials_count == len(cell.per_trial["decode_tok_per_s"])


def test_figures_without_an_interval_raise_no_doubt_about_it() -> None:
    """A profile that is decided by the longest gap has no interval that could be too wide."""
    state, _ = World().run(fake_plan(CLEAN, loads=(replace(LOAD, max_trials=5),)))
    decides, limits = ("itl_max_ms",), {**LENS.bands, "itl_max_ms": (100.0, 500.0, 1000.0)}
    (cell,) = summarise(state, replace(LENS, headlines={"interactive": decides}, bands=limits)).cells
    gap = cell.metrics["itl_max_ms"]
    assert isinstance(gap, Estimate)
    assert (gap.trials_count, gap.low) == (5, None)
    assert (cell.status, cell.reason, cell.rating) == ("done", "", Rating.EXCELLENT)
    assert "too_few_trials" not in codes(cell)


def test_a_warm_processor_that_keeps_its_clock_is_no_doubt() -> None:
    """85 °C are hot, and nothing is slowed down for them."""
    steady = [replace(QUIET, temperature_c=85.0, frequency_mhz=4000.0 - place) for place in range(30)]
    assert codes(cell_of(CLEAN, steady)) == set()


def test_a_loss_that_is_sure_but_small_is_no_doubt() -> None:
    """A speed that falls by 2 % along a line as if drawn with a ruler is nothing to act on; by 10 % it is."""
    ruler = CLEAN.replace("noise=0.01", "noise=0")
    for ratio, doubted in (("0.02", False), ("0.1", True)):
        assert ("slowing_down" in codes(cell_of(f"{ruler}&drift_ratio={ratio}&drift_requests=6"))) is doubted
