"""When work without a pause must end: what the last reading says, and what was so before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmtester.analysis.endurance import must_end
from llmtester.analysis.state import RunState
from llmtester.domain.events import CellSkipped, Pulse, RunStarted
from llmtester.domain.records import Instant, Reading
from llmtester.domain.work import Plan
from tests.worlds import MACHINE, SHORT, cell

GB = 10**9
USUAL: dict[str, Any] = {"memory_available_bytes": 8 * GB, "swap_used_bytes": 0}
WORK = replace(SHORT, duration_s=600.0, trial_s=60.0)


def after(*looks: dict[str, Any], swap_bytes: int = 2 * GB, load: Any = WORK) -> tuple[RunState, str]:
    """The state of continuous work after these readings, a second apart, and the key of its cell."""
    work = cell(load=load)
    machine = replace(MACHINE, swap_bytes=swap_bytes)
    state = RunState([RunStarted(0, Instant(0, 0), "run", Plan((work,)), machine, {}, "0")])
    for second, look in enumerate(looks):
        state.apply(Pulse(second * GB, work.key, 0, Reading(second * GB, **{**USUAL, **look})))
    return state, work.key


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        (({}, {"temperature_c": 89.9, "gpu_temperature_c": 89.9}), None),
        (({}, {"temperature_c": 90.0}), "the processor reached 90 °C"),
        (({}, {"gpu_temperature_c": 91.0}), "the GPU reached 91 °C"),
        (({"temperature_c": 95.0}, {"temperature_c": 80.0}), None),
        (({}, {"memory_available_bytes": 10**8}), "only 100 MB of memory were left"),
        (({}, {"swap_used_bytes": 19 * 10**8}), "the swap ran full: 1.9 GB of 2.0 GB"),
        (({}, {"swap_used_bytes": 18 * 10**8}), None),
        (({"swap_used_bytes": 19 * 10**8}, {"swap_used_bytes": 19 * 10**8 + 10**7}), None),
    ],
)
def test_danger_is_read_from_the_last_look(looks: tuple[dict[str, Any], ...], reason: str | None) -> None:
    """Heat, lack of memory and a swap that filled up meanwhile end it; one that was full of idle pages does not."""
    assert must_end(*after(*looks)) == reason


def test_a_machine_without_swap_has_none_that_could_fill_up() -> None:
    """Nothing of nothing is not full."""
    assert must_end(*after({}, {"swap_used_bytes": 10**8}, swap_bytes=0)) is None


def test_only_work_that_goes_on_can_be_ended() -> None:
    """A short load is not watched, work that was left out is not ended again, and nothing was seen before a reading."""
    hot = {"temperature_c": 99.0}
    assert must_end(*after(hot, load=SHORT)) is None
    assert must_end(*after()) is None
    state, key = after(hot)
    assert must_end(state, key) is not None
    state.apply(CellSkipped(GB, key, "the processor reached 99 °C"))
    assert must_end(state, key) is None
