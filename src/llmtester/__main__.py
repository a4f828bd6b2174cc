"""The command ``llmtester``. ``--version`` is answered before anything else is imported."""

from __future__ import annotations

import sys


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        from llmtester import __version__

        sys.stdout.write(f"llmtester {__version__}\n")
        return
    try:
        from llmtester.cli.app import main as run_cli

        code = run_cli()
    except KeyboardInterrupt:  # while the command line itself was being imported
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    try:
        main()
    finally:
        # A Ctrl-C that once passed through a string being executed, as dataclasses do while they are imported, makes
        # ``python -m`` die of SIGINT at its end although it was handled; executing another string clears that mark.
        exec("")  # noqa: S102 - nothing is executed
