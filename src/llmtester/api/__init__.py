"""llmtester as functions: what the command line calls, and what a notebook can call.

>>> import llmtester
>>> loaded = llmtester.load_settings(overrides={"engine.name": "fake"})  # doctest: +SKIP
>>> result = llmtester.run(loaded)  # doctest: +SKIP
>>> llmtester.report(result.folder, formats=["html"])  # doctest: +SKIP

This is the composition root: the only place that knows engines, host, store, profiles, runner and views at once. Each
name is imported when it is first used: what a key of completion or ``llmtester docs`` needs is a tenth of the whole.
Every function raises ``LlmtesterError`` with what happened, why, and the fix.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmtester.api.doctor import Check, check_lines, examine
    from llmtester.api.models import ServeWish, Serving, pull, serve
    from llmtester.api.planning import choose_engine, model_manager, plan, profile_names
    from llmtester.api.reporting import (
        RunRow,
        compare,
        comparison_lines,
        events,
        find_run,
        list_runs,
        plain_log,
        plan_lines,
        report,
        show,
        summary,
        watch,
    )
    from llmtester.api.running import Observer, RunResult, resume, run
    from llmtester.settings import Loaded, load_settings
    from llmtester.store.runs import RunFolder

_WHERE: dict[str, str] = {
    "Check": "llmtester.api.doctor",
    "Loaded": "llmtester.settings",
    "Observer": "llmtester.api.running",
    "RunFolder": "llmtester.store.runs",
    "RunResult": "llmtester.api.running",
    "RunRow": "llmtester.api.reporting",
    "ServeWish": "llmtester.api.models",
    "Serving": "llmtester.api.models",
    "check_lines": "llmtester.api.doctor",
    "choose_engine": "llmtester.api.planning",
    "compare": "llmtester.api.reporting",
    "comparison_lines": "llmtester.api.reporting",
    "events": "llmtester.api.reporting",
    "examine": "llmtester.api.doctor",
    "find_run": "llmtester.api.reporting",
    "list_runs": "llmtester.api.reporting",
    "load_settings": "llmtester.settings",
    "model_manager": "llmtester.api.planning",
    "plain_log": "llmtester.api.reporting",
    "plan": "llmtester.api.planning",
    "plan_lines": "llmtester.api.reporting",
    "profile_names": "llmtester.api.planning",
    "pull": "llmtester.api.models",
    "report": "llmtester.api.reporting",
    "resume": "llmtester.api.running",
    "run": "llmtester.api.running",
    "serve": "llmtester.api.models",
    "show": "llmtester.api.reporting",
    "summary": "llmtester.api.reporting",
    "watch": "llmtester.api.reporting",
}

__all__ = [
    "Check",
    "Loaded",
    "Observer",
    "RunFolder",
    "RunResult",
    "RunRow",
    "ServeWish",
    "Serving",
    "check_lines",
    "choose_engine",
    "compare",
    "comparison_lines",
    "events",
    "examine",
    "find_run",
    "list_runs",
    "load_settings",
    "model_manager",
    "plain_log",
    "plan",
    "plan_lines",
    "profile_names",
    "pull",
    "report",
    "resume",
    "run",
    "serve",
    "show",
    "summary",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
