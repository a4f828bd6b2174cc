"""``llmtester run``: plan, ask what must be asked, measure, show."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtester.cli.completion import completing
from llmtester.cli.console import interruptible, say
from llmtester.cli.first_run import introduction, is_first
from llmtester.cli.in_force import loaded_settings
from llmtester.cli.options import Assign, Config, EngineName, JsonLines, Yes, listed
from llmtester.domain.errors import ConfigurationError, ExitCode, NoModels

if TYPE_CHECKING:
    from llmtester.api import Loaded, RunResult
    from llmtester.domain.work import Plan

ADDABLE = ("models.include", "models.quants")
"""What may be given with ``--resume``: models that are added to the plan."""

SKIPPABLE = ("quality", "stress")


def run(  # noqa: PLR0913, PLR0917 (one parameter per flag is how Typer works)
    run_name: Annotated[
        str,
        typer.Argument(
            help="With --resume: a run id or folder.", metavar="RUN", autocompletion=completing("run --resume RUN")
        ),
    ] = "latest",
    config: Config = None,
    profiles: Annotated[
        str | None,
        typer.Option(help="Profiles to run, in order.", metavar="A,B", autocompletion=completing("--profiles")),
    ] = None,
    prompts: Annotated[Path | None, typer.Option(help="Your own prompts: .jsonl .csv .txt.", metavar="FILE")] = None,
    models: Annotated[
        str | None,
        typer.Option(help="Models by name or pattern.", metavar="A,B", autocompletion=completing("--models")),
    ] = None,
    quants: Annotated[
        str | None,
        typer.Option(help="Quantizations, such as Q4_K_M,Q8_0.", metavar="A,B", autocompletion=completing("--quants")),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Q4_K_M and Q5_K_M only, fewer trials.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Everything, with the stress profile.")] = False,
    budget: Annotated[str | None, typer.Option(help="Plan what decides most within it.", metavar="45m")] = None,
    exhaustive: Annotated[bool, typer.Option("--exhaustive", help="Drop nothing early: every trial of all.")] = False,
    skip_quality: Annotated[bool, typer.Option("--skip-quality", help="Leave the quality profile out.")] = False,
    skip_stress: Annotated[bool, typer.Option("--skip-stress", help="Leave the stress profile out.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the latest run, or with RUN.")] = False,
    engine: EngineName = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where run folders go.", metavar="DIR")] = None,
    log_level: Annotated[
        str | None,
        typer.Option(help="debug, info, warning or error.", metavar="LEVEL", autocompletion=completing("--log-level")),
    ] = None,
    display: Annotated[
        str | None,
        typer.Option(help="auto, live, plain or none.", metavar="HOW", autocompletion=completing("--display")),
    ] = None,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost, start nothing.")] = False,
    as_json: JsonLines = False,
    assign: Assign = None,
) -> None:
    """Measure models on this machine and say which one to use.

    \b
    llmtester run --quick         a first answer in minutes
    llmtester run --dry-run       what would be done, and how long it takes
    llmtester run --resume        go on after an interruption
    llmtester run --models 'qwen*' --quants Q4_K_M,Q8_0
    llmtester run --engine openai --set engine.url=http://127.0.0.1:8080
    llmtester run --yes --json    for scripts: no question, JSON Lines
    """
    from llmtester import api
    from llmtester.cli.run_display import Display
    from llmtester.settings import assignments

    flags: dict[str, Any] = {
        "profiles.enabled": listed(profiles) or (["custom"] if prompts else None),
        "profiles.custom.file": str(prompts.absolute()) if prompts else None,
        "models.include": listed(models),
        "models.quants": listed(quants),
        "run.quick": quick or None,
        "run.exhaustive": exhaustive or None,
        "run.budget_s": _seconds(budget) if budget else None,
        "engine.name": engine,
        **assignments(assign or []),
    }
    if full:
        flags["profiles.enabled"] = flags["profiles.enabled"] or list(api.profile_names())
    _refuse_contradictions(flags, run_name, resume=resume)
    flags |= {
        "run.output_dir": str(output_dir) if output_dir else None,
        "log_level": log_level,
        "display": display,
    }
    loaded = loaded_settings(config, flags)
    left_out = [name for name, asked in zip(SKIPPABLE, (skip_quality, skip_stress), strict=True) if asked]
    if left_out:
        flags["profiles.enabled"] = [name for name in loaded.settings.profiles.enabled if name not in left_out]
        loaded = api.load_settings(config, flags)
    show = Display(loaded.settings.display, as_json=as_json)
    with interruptible(show.go_on):
        if resume:
            more = flags["models.include"] is not None or flags["models.quants"] is not None
            result = api.resume(loaded, run_name, observer=show, add_models=more)
        else:
            work = _plan(loaded, yes=yes)
            if dry_run:
                show.plan(work)
                return
            if is_first(loaded) and not as_json:
                say(introduction(work, loaded.settings.run.output_dir))
            result = api.run(loaded, work=work, observer=show)
        show.result(result)
    raise typer.Exit(exit_code(result))


def _seconds(text: str) -> float:
    """``45m``, ``2h``, ``1h30m`` or ``90s`` in seconds. Raises ``ConfigurationError`` for anything else."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?", text.replace(" ", "").lower())
    parts = found.groups() if found else ()
    seconds = sum(int(part or 0) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not seconds:
        raise ConfigurationError(f"--budget {text!r} is not a time", fix="write it as 45m, 2h, 1h30m or 90s")
    return float(seconds)


def _refuse_contradictions(flags: dict[str, Any], run_name: str, *, resume: bool) -> None:
    """Raises ``ConfigurationError`` for flags that this combination cannot honour."""
    given = [name for name, value in flags.items() if value is not None and name not in ADDABLE]
    if resume and given:
        raise ConfigurationError(
            f"--resume keeps the plan of the run, so {', '.join(given)} cannot be changed",
            fix="leave the other flags out, or start a new run without --resume",
        )
    if not resume and run_name != "latest":
        raise ConfigurationError(
            f"unexpected argument {run_name!r}",
            why="a run is named only to go on with it",
            fix=f"llmtester run --resume {run_name}, or llmtester run --models {run_name}",
        )


def _plan(loaded: Loaded, *, yes: bool) -> Plan:
    """The plan; where this machine has no model at all, the starter model is fetched first, if the user agrees."""
    from llmtester import api
    from llmtester.cli.pull_display import PullDisplay

    try:
        return api.plan(loaded)
    except NoModels:
        if loaded.settings.models.include:
            raise  # another model was asked for by name
        say("No model was found on this machine.")
        question = "Fetch the starter model (SmolLM2-135M-Instruct, 98 MB, Apache-2.0)?"
        if not yes and not (sys.stdin.isatty() and typer.confirm(question, default=True, err=True)):
            raise
        say("Fetching the starter model: SmolLM2-135M-Instruct Q4_1, 98 MB, Apache-2.0.")
        with PullDisplay() as progress:
            api.pull("starter", loaded.settings, progress)
        return api.plan(loaded)


def exit_code(result: RunResult) -> ExitCode:
    """What the process tells its caller about a run that came to an end."""
    if result.ended.outcome == "interrupted":
        return ExitCode.TERMINATED if result.ended.detail == "SIGTERM" else ExitCode.INTERRUPTED
    whole = all(cell.status == "done" for cell in result.summary.cells)
    return ExitCode.OK if whole else ExitCode.PARTIAL
