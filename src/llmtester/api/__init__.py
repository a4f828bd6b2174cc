"""llmtester as functions: what the command line calls, and what a notebook can call.

>>> import llmtester
>>> loaded = llmtester.load_settings(overrides={"engine.name": "fake"})  # doctest: +SKIP
>>> result = llmtester.run(loaded)  # doctest: +SKIP
>>> llmtester.report(result.folder, formats=["html"])  # doctest: +SKIP

This is the composition root: the only place that knows engines, host, store, profiles, runner and views at once.
Every function raises ``LlmtesterError`` with what happened, why, and the fix.
"""

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
