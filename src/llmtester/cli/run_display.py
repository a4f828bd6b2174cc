"""What ``llmtester run`` shows: a dashboard of its own process, plain lines, JSON Lines, or nothing.

The dashboard follows the journal from another process, because drawing inside the measuring one costs milliseconds of
jitter (facts/measuring, section 4).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import typer

from llmtester.cli.console import say
from llmtester.cli.json_output import print_line
from llmtester.domain.events import (
    CellSkipped,
    Event,
    RunEnded,
    RunStarted,
    TargetFailed,
    TargetReady,
    TrialEnded,
    kind_of,
)
from llmtester.domain.text import folded

if TYPE_CHECKING:
    from llmtester.api import RunFolder, RunResult
    from llmtester.domain.work import Plan

How = Literal["auto", "live", "plain", "none"]

DASHBOARD_END_S = 5.0
"""A dashboard that has not left this long after the end of the run is ended by us."""

_JSON_EVENTS = (RunStarted, TargetReady, TargetFailed, TrialEnded, CellSkipped, RunEnded)


class Display:
    """Talk goes to standard error, data to standard output."""

    def __init__(self, how: How, *, as_json: bool) -> None:
        self._how = how if how != "auto" else _for_this_terminal()
        self._as_json = as_json
        self._dashboard: subprocess.Popen[bytes] | None = None
        self._folder: RunFolder | None = None
        self._plain: Any = None

    def plan(self, work: Plan) -> None:
        """The plan, as the answer to ``--dry-run``."""
        from llmtester import api

        if self._as_json:
            print_line("run", "plan", asdict(work) | {"digest": work.digest})
        else:
            typer.echo("\n".join(api.plan_lines(work)))

    def preparing(self, what: str) -> None:
        """Something takes a while before the run begins."""
        if self._how != "none":
            _say_folded(what)

    def started(self, folder: RunFolder) -> None:
        """The run has a folder and a journal with its plan in it."""
        self._folder = folder
        if self._how == "live":
            command = [sys.executable, "-m", "llmtester", "watch", "--beside-run", str(folder.path.absolute())]
            self._dashboard = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def event(self, event: Event) -> None:
        """Called for each event after it was stored."""
        if self._as_json:
            print_event("run", event)
        if self._how != "plain":
            return
        from llmtester import api

        self._plain = self._plain or api.plain_log()
        line = self._plain(event)
        if line:
            _say_folded(line)

    def result(self, result: RunResult) -> None:
        """The verdict, where the files are and, after an interruption, how to go on."""
        from llmtester import api

        if self._dashboard:
            try:
                self._dashboard.wait(DASHBOARD_END_S)
            except subprocess.TimeoutExpired:
                self._dashboard.kill()
                self._dashboard.wait()
        files = {name: str(path) for name, path in result.files.items()}
        if self._as_json:
            advice = [asdict(advice) for advice in result.summary.advice]
            print_line(
                "run",
                "summary",
                {"run": result.folder.run_id, "outcome": result.ended.outcome, "advice": advice, "files": files},
            )
        else:
            from rich.console import Console

            api.show(result.summary, Console(highlight=False), files)
        if result.ended.outcome == "interrupted":
            say("Interrupted. Everything measured so far is kept. Go on with:")
            say(f"  {self.go_on()}")

    def go_on(self) -> str:
        """The command that goes on after an interruption."""
        return f"llmtester run --resume {self._folder.run_id}" if self._folder else "llmtester run"


def _say_folded(line: str) -> None:
    """On a terminal broken between words; whole in a pipe."""
    say(folded(line, shutil.get_terminal_size().columns) if sys.stderr.isatty() else line)


def print_event(what: str, event: Event) -> None:
    """One JSON line for an event that a program may act on; nothing for pulses, samples and starts of trials."""
    if isinstance(event, _JSON_EVENTS):
        print_line(what, kind_of(type(event)), {k: v for k, v in asdict(event).items() if k != "settings"})


def _for_this_terminal() -> How:
    """``live`` on a terminal that can move its cursor and is not a build server, else ``plain``."""
    able = sys.stderr.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return "live" if able and not os.environ.get("CI") else "plain"
