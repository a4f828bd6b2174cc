"""Keeping Python's garbage collector out of measured time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_garbage_collector() -> Iterator[None]:
    """Collect once, then neither collect nor look at what exists until the block ends; nests.

    A full collection stops the event loop for 0.1 to 1 s once a process holds many objects (facts/measuring.md 2).
    Cycles made inside the block are freed after it, so blocks must be trials, not runs.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
