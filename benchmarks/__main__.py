"""Runs every benchmark of this package and prints one table: ``python -m benchmarks [--json PATH] [NAME ...]``.

Exit code 4 if a promise was not kept, as for every gate of llmtester.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import benchmarks

NOT_KEPT = 4

Result = dict[str, object]


def found() -> dict[str, Callable[[], Result]]:
    """Name to ``run`` of every module of this package that has one."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    modules = {name: import_module(f"benchmarks.{name}") for name in names}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


def shown(value: object) -> str:
    """A figure with four significant digits, anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run, print, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what llmtester promises.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the results to this file")
    asked = parser.parse_args()
    runs = found()
    unknown = sorted(set(asked.names) - runs.keys())
    if unknown:
        parser.error(f"no benchmark called {', '.join(unknown)}; there are {', '.join(runs)}")
    results: list[Result] = []
    print(f"{'benchmark':<24} {'measured':>12} {'limit':>12}  kept  promise")
    for name, run in runs.items():
        if asked.names and name not in asked.names:
            continue
        result = run()
        results.append(result)
        kept = "yes" if result["passed"] else "NO"
        figures = f"{shown(result['measured']):>12} {shown(result['limit']):>12}"
        print(f"{result['name']!s:<24} {figures}  {kept:<4}  {result['promise']}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=2, default=str) + "\n", encoding="utf-8")
    return 0 if all(result["passed"] for result in results) else NOT_KEPT


if __name__ == "__main__":
    sys.exit(main())
