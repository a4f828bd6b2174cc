"""Draws `docs/recording.svg`: what a terminal shows during a run. `python examples/recording.py`.

The run is a real one of the engine `fake`, in an empty home, with the commands that the picture shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[1] / "docs" / "recording.svg"
COLUMNS = 92
SCENES = (
    [
        "run",
        "--engine",
        "fake",
        "--models",
        "small?ttft_ms=40&decode_tok_per_s=900:Q4_K_M",
        "--quick",
        "--display",
        "plain",
    ],
    ["report", "list"],
)


def played(words: list[str], home: str) -> str:
    """What the command writes on both streams, times and all; the home itself is shown as ~."""
    environment = {
        "HOME": home,
        "PATH": os.environ["PATH"],
        "COLUMNS": str(COLUMNS),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "llmtester", *words],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return re.sub(re.escape(home), "~", done.stdout)


def main() -> None:
    """Plays the scenes and writes the picture."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as home:
        for words in SCENES:
            shown = " ".join(f"'{word}'" if "?" in word else word for word in words)
            console.print(Text(f"$ llmtester {shown}", style="bold"))
            console.print(Text(played(words, home)))
    drawn = console.export_svg(title="llmtester", unique_id="llmtester")
    own_font = re.sub(r"@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL)  # a page of ours asks nobody for anything
    PICTURE.write_text(re.sub(r"<!--.*?-->\n?", "", own_font, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
