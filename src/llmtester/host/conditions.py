"""What must not change while a trial runs: the machine stays awake, and on the same source of power."""

from __future__ import annotations

import sys
import time

from llmtester.domain.ports import Conditions
from llmtester.host.machine import power_source


def read_conditions() -> Conditions:
    """How long this machine has been suspended since it started, and what feeds it. Costs well under a millisecond.

    Clocks that stand still while a machine sleeps are compared with those that do not: on Linux CLOCK_MONOTONIC with
    CLOCK_BOOTTIME, on macOS CLOCK_UPTIME_RAW with CLOCK_MONOTONIC. Windows has no such pair in Python: always 0.
    """
    return Conditions(_asleep_ns(), power_source())


def _asleep_ns() -> int:
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    if sys.platform == "darwin":
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) - time.clock_gettime_ns(time.CLOCK_UPTIME_RAW)
    return 0
