"""Keeping Python's garbage collector out of measured time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled_heap() -> Iterator[None]:
    """Until the block ends, the collector looks only at what is made inside it: for a run.

    What a program holds before lives longer than the run anyway, and looking through it before each trial takes 25 ms
    in a small one and a second in a large one.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def quiet_garbage_collector() -> Iterator[None]:
    """Collect once, then not again until the block ends; nests: for a trial.

    A full collection stops the event loop for 0.1 to 1 s once a process holds many objects (facts/measuring.md 2).
    Cycles made inside the block are freed after it, so blocks must be trials, not runs.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
