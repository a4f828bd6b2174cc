"""Throttling told apart from noise, sign by sign."""

from __future__ import annotations

from typing import Any

import pytest

from llmtester.analysis import heat
from llmtester.domain.records import Reading


def watched(first: dict[str, Any], later: dict[str, Any]) -> list[tuple[float, Reading]]:
    """A reading every ten seconds: a minute of the first kind, two of the later one."""
    kinds = [first] * 6 + [later] * 12
    return [(10.0 * place, Reading(0, 10**9, 0, **kind)) for place, kind in enumerate(kinds)]


COLD, HOT = {"temperature_c": 50.0}, {"temperature_c": 85.0}
FAST, SLOW = {"frequency_mhz": 4000.0}, {"frequency_mhz": 3000.0}


@pytest.mark.parametrize(
    ("first", "later", "found", "because"),
    [
        ({}, {"throttled_cores_count": 1, "throttled_packages_count": 2}, "seen", "throttled the processor 36 times"),
        ({"throttled_cores_count": 0}, {"throttled_cores_count": 0}, "not seen", "the throttle counters did not move"),
        ({"gpu_throttled": False}, {"gpu_throttled": True}, "seen", "the GPU says that it slowed down"),
        ({"gpu_throttled": False}, {"gpu_throttled": False}, "not seen", "the throttle counters did not move"),
        ({**FAST, **COLD}, {**SLOW, **HOT}, "seen", "from 4.0 to 3.0 GHz while the temperature went from 50 to 85 °C"),
        ({**FAST, **COLD}, {**SLOW, "temperature_c": 61.0}, "seen", "from 50 to 61 °C"),
        ({**FAST, **HOT}, {**SLOW, **HOT}, "seen", "from 85 to 85 °C"),
        ({**FAST, **COLD}, {**SLOW, **COLD}, "cannot tell", "but nothing says that it was for heat"),
        (FAST, SLOW, "cannot tell", "from 4.0 to 3.0 GHz, but nothing says that it was for heat"),
        ({**FAST, "gpu_temperature_c": 85.0}, {**SLOW, "gpu_temperature_c": 85.0}, "seen", "85 °C"),
        ({**FAST, **COLD}, {"frequency_mhz": 3900.0, **HOT}, "not seen", "the clock stayed at 3.9 GHz"),
        (COLD, HOT, "cannot tell", "neither its clock nor throttle counters"),
        ({}, {}, "cannot tell", "neither its clock nor throttle counters"),
    ],
)
def test_each_sign_of_heat_is_read(first: dict[str, Any], later: dict[str, Any], found: str, because: str) -> None:
    """Counters are believed first, then a clock that fell while the machine was hot or got much warmer."""
    said, why = heat.judge(watched(first, later), 60.0)
    assert said == found
    assert because in why
