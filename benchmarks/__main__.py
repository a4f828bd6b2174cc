"""Runs every benchmark of this package and prints one table: ``python -m benchmarks [--json PATH] [NAME ...]``.

Exit code 4 if a promise was not kept, as for every gate of llmtester. ``docs/performance.md`` is made from the JSON by
``python -m benchmarks.performance``.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import benchmarks
from benchmarks import Result
from llmtester import __version__
from llmtester.domain.errors import LlmtesterError
from llmtester.host.machine import read_machine

NOT_KEPT = 4
NEEDED = ("name", "promise", "measured", "limit", "passed")


def found() -> dict[str, Callable[[], Result]]:
    """Name to ``run`` of every module of this package that has one."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    modules = {name: import_module(f"benchmarks.{name}") for name in names}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


def measured(name: str, run: Callable[[], Result]) -> Result:
    """One benchmark's answer under its module's name, with the seconds that it took.

    What cannot run here (a missing tool, no model) is a promise that was not kept, with the reason instead of a figure.
    """
    started_s = time.monotonic()
    try:
        result = dict(run())
        absent = [key for key in NEEDED if key not in result]
        if absent:
            raise TypeError(f"benchmarks.{name} does not say {', '.join(absent)}")
    except (LlmtesterError, OSError, subprocess.SubprocessError, ImportError) as error:
        result = {"promise": "not measured here", "measured": None, "limit": None, "passed": False, "error": str(error)}
    spent = {"took_s": round(time.monotonic() - started_s, 1), "measured_on": time.strftime("%Y-%m-%d")}
    return result | {"name": name} | spent


def shown(value: object) -> str:
    """A figure with four significant digits, anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def row(result: Result) -> str:
    """One line of the table."""
    kept = "yes" if result["passed"] else "NO"
    figures = f"{shown(result['measured']):>10} {shown(result['limit']):>10} {result.get('unit', '')!s:<11}"
    return f"{result['name']!s:<22} {figures} {kept:<4}  {result.get('error') or result['promise']}"


def main() -> int:
    """Run, print, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what llmtester promises.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="PATH",
        help="also write the results to this file; rows of other benchmarks in it are kept",
    )
    asked = parser.parse_args()
    runs = found()
    unknown = sorted(set(asked.names) - runs.keys())
    if unknown:
        parser.error(f"no benchmark called {', '.join(unknown)}; there are {', '.join(runs)}")
    results: list[Result] = []
    print(f"{'benchmark':<22} {'measured':>10} {'limit':>10} {'unit':<11} kept  promise")
    for name, run in runs.items():
        if asked.names and name not in asked.names:
            continue
        results.append(measured(name, run))
        print(row(results[-1]), flush=True)
        if asked.json:
            asked.json.write_text(record([*kept_rows(asked.json, results), *results]), encoding="utf-8")
    kept = sum(bool(result["passed"]) for result in results)
    print(f"{kept} of {len(results)} promises kept.")
    return 0 if kept == len(results) else NOT_KEPT


def kept_rows(path: Path, results: list[Result]) -> list[Result]:
    """The rows of an earlier run in that file which were not measured again, so that a long table can be made in
    several goes."""
    if not path.exists():
        return []
    new = {result["name"] for result in results}
    return [row for row in json.loads(path.read_text(encoding="utf-8"))["results"] if row["name"] not in new]


def record(results: list[Result]) -> str:
    """The results with what they were measured on, as JSON."""
    data = {
        "schema": "llmtester/benchmarks/1",
        "version": __version__,
        "measured_on": time.strftime("%Y-%m-%d"),
        "machine": asdict(read_machine()),
        "results": sorted(results, key=lambda result: str(result["name"])),
    }
    return json.dumps(data, indent=2, default=str) + "\n"


if __name__ == "__main__":
    sys.exit(main())
