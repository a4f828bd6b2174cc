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
    main()
