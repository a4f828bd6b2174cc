"""Promises about cost, each measured by one command: ``python -m benchmarks`` for all of them, with a name for one.

A module with a function ``run() -> Result`` is a benchmark. The dictionary has the keys ``name``, ``promise`` (in
words), ``measured``, ``limit`` and ``passed``, should have ``unit``, and may have more.
"""

from __future__ import annotations

from typing import TypeAlias

Result: TypeAlias = dict[str, object]
