"""Server logs in a report: only when asked for, and without what nobody else should read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.api.server_logs import LINES_LIMIT, redacted, with_logs
from llmtester.domain.work import Target
from llmtester.store.runs import RunFolder

from . import summaries

CANARY = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize(
    "line",
    [
        f"starting with --api-key {CANARY}",
        f"Authorization: Bearer {CANARY}",
        f'{{"api_key": "{CANARY}"}}',
        f"LLAMA_API_KEY={CANARY}",
        f"hf token: {CANARY}",
    ],
)
def test_a_key_in_a_log_is_taken_out(line: str) -> None:
    """However the server writes it."""
    assert CANARY not in redacted(line, "/people/ada")


def test_ordinary_lines_stay_and_the_home_folder_is_not_named() -> None:
    """Figures and messages are what a log is read for; who measured is nobody's business."""
    assert redacted("load: 12 tensors, 3.4 MiB", "/people/ada") == "load: 12 tensors, 3.4 MiB"
    assert redacted("open /people/ada/models/a.gguf", "/people/ada") == "open ~/models/a.gguf"
    assert redacted("n_tokens = 512", "/people/ada") == "n_tokens = 512"


def test_the_last_lines_over_all_parts_are_told(tmp_path: Path) -> None:
    """The beginning and what was kept of the rest are one log; a failed server keeps the lines it failed with."""
    whole = summaries.summary(1, 1, 1)
    (target,) = whole.targets
    place = tmp_path / "servers" / Target(target.engine, target.model, target.settings).folder_name
    place.mkdir(parents=True)
    (place / "server.log").write_text("first\n", encoding="utf-8")
    (place / "server-recent.log").write_text("\n".join(f"line {n}" for n in range(99)), encoding="utf-8")
    (told,) = with_logs(whole, RunFolder(tmp_path)).targets
    assert len(told.log_tail) == LINES_LIMIT
    assert told.log_tail[-1] == "line 98"
    failed = replace(whole, targets=(replace(target, log_tail=("why",)),))
    assert with_logs(failed, RunFolder(tmp_path)).targets[0].log_tail == ("why",)
    assert with_logs(whole, RunFolder(tmp_path / "elsewhere")).targets[0].log_tail == ()
