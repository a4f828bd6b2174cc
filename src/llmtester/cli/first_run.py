"""What a person is told before the very first run: what happens, how to stop it, where results and settings are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmtester.domain.text import counted, human_duration

if TYPE_CHECKING:
    from llmtester.api import Loaded
    from llmtester.domain.work import Plan


def is_first(loaded: Loaded) -> bool:
    """Whether nobody has ever run or configured anything here: no settings file, no folder of runs."""
    return loaded.file is None and not loaded.settings.run.output_dir.exists()


def introduction(work: Plan, output_folder: Path) -> str:
    """Five lines, each at most 80 characters with a folder of usual length."""
    engine = work.cells[0].target.engine if work.cells else "none"
    takes = f", about {human_duration(work.expected_s)}" if work.expected_s else ""
    return (
        f"First run here: {counted(len(work.targets), 'model')} with the engine {engine}{takes}.\n"
        f"Results go to {output_folder}, one folder a run, with a page for the browser.\n"
        "Ctrl-C keeps what was measured; llmtester run --resume goes on.\n"
        "Settings are defaults; llmtester config init writes a file that explains each.\n"
        "Nothing leaves this machine; llmtester doctor says whether it is ready."
    )
