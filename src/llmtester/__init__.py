"""Find out which local language model to use on this machine, and how sure that is.

``plan``, ``run``, ``resume``, ``report``, ``summary`` and ``pull`` are the whole public interface, described in
``llmtester.api``; they are imported when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_settings", "plan", "pull", "report", "resume", "run", "summary"]

if TYPE_CHECKING:
    from llmtester.api import load_settings, plan, pull, report, resume, run, summary


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from llmtester import api

    return getattr(api, name)
