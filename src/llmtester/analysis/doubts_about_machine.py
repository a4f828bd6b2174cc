"""Checks that look at readings and at the machine. Each returns what it saw, in words with numbers, or ``None``."""

from __future__ import annotations

from llmtester.analysis.evidence import Evidence, readings_of
from llmtester.analysis.stats import median
from llmtester.analysis.trend import block_medians, mann_kendall
from llmtester.domain.text import counted, human_bytes

BUSY_CPU_RATIO = 0.10
"""Other programs above this share of all cores, typically, and a CPU engine is no longer alone."""

LOOP_LAG_NS = 20_000_000
"""The event loop was once this late; a decode step takes 5 to 30 ms, so a stamp may be off by one."""

SWAP_GROWTH_BYTES = 64 * 2**20
SWAP_TRAFFIC_BYTES = 256 * 2**20

HOT_C = 95.0
"""Common processors begin to throttle at 95 to 105 degrees Celsius."""

WARM_C = 80.0
FREQUENCY_LOSS_RATIO = 0.15
"""A processor that is warm and lost this share of its frequency slowed itself down."""

GPU_THROTTLED_RATIO = 0.10

GROWTH_BLOCKS = 10
GROWTH_P = 0.01
GROWTH_BYTES = 2 * 10**6
GROWTH_LATE_RATIO = 0.25
"""A server that is sound takes some megabytes with its first requests and then stays (measured: 13 MB, then under
0.5 MB in minutes). One that leaks still grows by this much, and this share of the whole, in the second half."""

RESTART_RATIO = 0.05
"""Memory that falls by more than this share: the server was started again."""


def busy_machine(evidence: Evidence) -> str | None:
    shares = readings_of(evidence, "other_cpu_ratio")
    typical = median(shares) if shares else 0.0
    return f"other programs used {typical:.0%} of the processor" if typical > BUSY_CPU_RATIO else None


def client_lag(evidence: Evidence) -> str | None:
    worst_ns = max(readings_of(evidence, "loop_lag_ns"), default=0)
    return f"the measuring process itself was up to {worst_ns / 1e6:.0f} ms late" if worst_ns > LOOP_LAG_NS else None


def swapping(evidence: Evidence) -> str | None:
    used = readings_of(evidence, "swap_used_bytes")
    growth = max(used) - used[0] if used else 0
    if growth > SWAP_GROWTH_BYTES:
        return f"swap grew by {human_bytes(growth)} while it ran"
    traffic = sum(readings_of(evidence, "swap_in_bytes")) + sum(readings_of(evidence, "swap_out_bytes"))
    return f"{human_bytes(traffic)} went through the swap while it ran" if traffic > SWAP_TRAFFIC_BYTES else None


def throttling(evidence: Evidence) -> str | None:
    """Whether the processor or the GPU slowed itself down: by its own counters, else by temperature and frequency."""
    counted_times = sum(readings_of(evidence, "throttled_cores_count"))
    counted_times += sum(readings_of(evidence, "throttled_packages_count"))
    if counted_times:
        return f"the processor throttled itself {counted(int(counted_times), 'time')} for heat"
    gpu = readings_of(evidence, "gpu_throttled")
    if gpu and sum(gpu) / len(gpu) > GPU_THROTTLED_RATIO:
        return f"the GPU throttled itself in {sum(gpu) / len(gpu):.0%} of the readings"
    temperatures, frequencies = readings_of(evidence, "temperature_c"), readings_of(evidence, "frequency_mhz")
    hottest = max(temperatures, default=0.0)
    if hottest >= HOT_C:
        return f"the processor reached {hottest:.0f} °C"
    if hottest >= WARM_C and len(frequencies) >= 2 * GROWTH_BLOCKS:
        blocks = block_medians(frequencies, GROWTH_BLOCKS)
        if blocks[-1] < (1 - FREQUENCY_LOSS_RATIO) * max(blocks):
            return f"the frequency fell from {max(blocks):.0f} to {blocks[-1]:.0f} MHz at {hottest:.0f} °C"
    return None


def memory_growth(evidence: Evidence) -> str | None:
    """Whether the server's own memory goes on growing while one cell asks the same again and again.

    What it takes once, at the start or for a longer context, is not growth.
    """
    used = _since_last_start(readings_of(evidence, "server_anonymous_bytes"))
    if len(used) < GROWTH_BLOCKS:
        return None
    blocks = block_medians(used, GROWTH_BLOCKS)
    late, whole = blocks[-1] - blocks[GROWTH_BLOCKS // 2], blocks[-1] - blocks[0]
    if late < max(GROWTH_BYTES, GROWTH_LATE_RATIO * whole) or not mann_kendall(blocks).shows(1, GROWTH_P):
        return None
    return (
        f"the server's own memory grew from {human_bytes(blocks[0])} to {human_bytes(blocks[-1])} and went on growing"
    )


def _since_last_start(values: list[float]) -> list[float]:
    start = 0
    for index in range(1, len(values)):
        if values[index] < (1 - RESTART_RATIO) * values[index - 1]:
            start = index
    return values[start:]


def battery(evidence: Evidence) -> str | None:
    on_battery = evidence.machine.power_source == "battery"
    return "it ran on battery, which makes most machines slower" if on_battery else None


def container_limits(evidence: Evidence) -> str | None:
    machine, parts = evidence.machine, []
    if machine.cpu_limit_cores < machine.logical_cores - 0.01:
        parts.append(f"{machine.cpu_limit_cores:g} of {machine.logical_cores} processors")
    if machine.memory_limit_bytes < 0.99 * machine.memory_bytes:
        parts.append(f"{human_bytes(machine.memory_limit_bytes)} of {human_bytes(machine.memory_bytes)} memory")
    return f"a limit allows only {' and '.join(parts)}" if parts else None


def lost_server(evidence: Evidence) -> str | None:
    failure = evidence.target.load_failure
    if failure is None or not evidence.cell.trials:
        return None
    return f"its server did not start again after {counted(len(evidence.cell.trials), 'trial')}: {failure.message}"
