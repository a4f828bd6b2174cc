"""The command ``llmtester``. ``--version`` is answered before anything else is imported."""

from __future__ import annotations

import sys


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        from llmtester import __version__

        sys.stdout.write(f"llmtester {__version__}\n")
        return
    from llmtester.cli.app import main as run_cli

    sys.exit(run_cli())


if __name__ == "__main__":
    main()
