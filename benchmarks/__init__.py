"""Promises about cost, each measured by one command: ``python -m benchmarks`` for all of them, with a name for one.

A module with a function ``run() -> dict`` is a benchmark. The dictionary has the keys ``name``, ``promise`` (in words),
``measured``, ``limit`` and ``passed``, and may have more.
"""
