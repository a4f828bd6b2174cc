"""Readings of a long run in little space."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.analysis.readings import KEPT_COUNT, TOGETHER, Thinned, merged
from llmtester.domain.records import Reading


def test_every_field_of_a_reading_can_be_merged() -> None:
    """A new field needs a row that says how two readings become one."""
    assert set(TOGETHER) == {entry.name for entry in fields(Reading)} - {"at_ns"}


@settings(deadline=None)
@given(st.integers(0, 4000))
def test_nothing_counted_is_lost_and_no_peak(count: int) -> None:
    """However long it goes on, sums are whole, the hottest moment stays, spacing is even and the space limited."""
    kept = Thinned()
    for second in range(count):
        hot = 95.0 if second == count // 3 else 60.0
        kept.add(float(second), Reading(second, 10**9, 0, throttled_cores_count=1, temperature_c=hot))
    assert len(kept.readings) == len(kept.at_s) <= KEPT_COUNT
    assert sum(reading.throttled_cores_count or 0 for reading in kept.readings) == count
    assert max((reading.temperature_c or 0 for reading in kept.readings), default=0) == (95 if count else 0)
    steps = {later - earlier for earlier, later in zip(kept.at_s[:-1], kept.at_s[1:-1], strict=False)}
    assert len(steps) <= 1
    assert kept.at_s == sorted(kept.at_s)


def test_what_one_reading_does_not_know_the_other_tells() -> None:
    """Unknown is not zero: a missing count does not lower a sum."""
    both = merged(Reading(1, 5, 2, swap_in_bytes=None), Reading(2, 3, 1, swap_in_bytes=7, own_cpu_ratio=0.5))
    assert (both.at_ns, both.memory_available_bytes, both.swap_used_bytes) == (2, 3, 2)
    assert (both.swap_in_bytes, both.own_cpu_ratio, both.swap_out_bytes) == (7, 0.5, None)
