"""How numbers are written for people. Files for programs carry the exact values instead."""

from __future__ import annotations

from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes

DASH = "\N{EN DASH}"
"""Between the ends of an interval, and in place of a value that is absent."""


def number(value: float) -> str:
    """``value`` with three significant digits, thousands separated, never in exponent form: ``0.052``, ``12.3``."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    if size >= 0.9995 or value == 0:
        return f"{value:.2f}".rstrip("0").rstrip(".") if value == int(value) else f"{value:.2f}"
    shown = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in shown else shown


def quantity(value: float, unit: str) -> str:
    """``value`` with its unit; bytes are scaled to kB, MB or GB."""
    if unit in ("bytes", "byte", "B"):
        return human_bytes(value)
    return f"{number(value)} {unit}".strip()


def measured(value: Measured, unit: str = "") -> str:
    """The value of an estimate with its unit, or a dash where it is absent."""
    return DASH if isinstance(value, Absent) else quantity(value.value, unit)


def interval(value: Measured, unit: str = "") -> str:
    """The 95 % interval as ``low`` dash ``high``, or an empty string where there is none or it has no width."""
    if isinstance(value, Absent) or value.low is None or value.high is None or value.low == value.high:
        return ""
    if unit in ("bytes", "byte", "B"):
        return f"{human_bytes(value.low)}{DASH}{human_bytes(value.high)}"
    return f"{number(value.low)}{DASH}{number(value.high)}"


def finite(value: Measured) -> Estimate | None:
    """The estimate, or ``None`` where the value is absent."""
    return None if isinstance(value, Absent) else value
