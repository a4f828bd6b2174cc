"""Every command of the documents is executed: beside a hub that holds its models, in a home that has seen two runs.

What is not has its reason in ``ELSEWHERE``. Flags and names are held by ``test_documents`` already.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmtester.cli.app import app
from llmtester.cli.console import guarded
from tests.house.test_documents import ROOT, lines
from tests.models.fake_hub import FakeHub, running
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors, write_model

RUN_ID = "20261124-120000-1a2b"
SCRIPT = "small?ttft_ms=1&decode_tok_per_s=9000&load_ms=1&realtime=0:Q4_K_M"
REPOSITORIES = {
    "bartowski/Qwen2.5-7B-Instruct-GGUF": "Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-7B-Instruct-GGUF": "qwen2.5-7b-instruct",
}

ELSEWHERE: dict[str, str] = {
    "run --quick --yes": "benchmarks.first_light executes it in CI, package index and all",
    "run --quick": "the same without --yes, which asks first; its dry run is executed",
    "run --engine echo --profiles haiku": "tests/house/test_examples.py, with the plugin that it needs",
    "run --engine openai --set engine.url=http://127.0.0.1:8080": "needs it; tests/engines/test_remote_engines.py",
    "models pull": "asks on a terminal; tests/models/test_models_commands.py",
    "models rm Qwen2.5-7B-Instruct:Q8_0": "asks on a terminal; executed with --yes",
    "models pull starter": "98 MB from the package index; tests/models/test_starter.py",
    "serve SmolLM2-135M-Instruct": "serves until it is stopped; tests/cli/test_run.py",
    "serve 'qwen*:Q4_K_M' --set server.context_tok=8192": "serves until it is stopped; tests/cli/test_run.py",
    "serve Qwen2.5-7B-Instruct:Q4_K_M": "serves until it is stopped; tests/cli/test_run.py",
    "serve --from latest": "serves until it is stopped; tests/cli/test_run.py",
}
MEASURES = re.compile(r"^run (?!.*(--resume|--dry-run|--engine fake))")
"""Runs on real models take hours: they are planned, with the same words and ``--dry-run``."""
LAST = ("models rm", "run --resume")


def documented() -> list[str]:
    """Each different command once; what takes something away at the end."""
    commands = {re.split(r" {2,}|\s#", line)[0].strip() for _, line in lines()}
    return sorted(commands, key=lambda line: (line.startswith(LAST), not line.startswith("models pull"), line))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that holds the models which the documents name, as very small files."""
    with running() as hub:
        for repository, name in REPOSITORIES.items():
            for fill, label in enumerate(("Q4_K_M", "Q8_0"), 1):
                kind = {"Q4_K_M": 15, "Q8_0": 7}[label]
                content = gguf_bytes(llama_metadata(name, file_type=kind), llama_tensors(), fill=fill)
                hub.add(repository, f"{name}-{label}.gguf", content)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", "")
        yield hub


@pytest.fixture
def lived_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a model of one's own, a starter model, questions, and two runs of the fake engine."""
    for name in ("models/mine.gguf", "models/SmolLM2-135M-Instruct.Q4_1.gguf"):
        path = home / name
        path.parent.mkdir(exist_ok=True)
        write_model(path, Path(name).stem.partition(".")[0])
    page = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    questions = re.search(r"```json\n(\{\"items\".*?)```", page, re.DOTALL)
    assert questions
    (home / "mine.json").write_text(questions[1], encoding="utf-8")
    words = ["run", "--engine", "fake", "--models", SCRIPT, "--display", "none"]
    quick = ["--set", "profiles.interactive.max_trials=5", "--set", "profiles.interactive.short.output_tok=16"]
    assert guarded(app, [*words, *quick]) == 0
    (first,) = (home / "llmtester-runs").iterdir()
    shutil.copytree(first, first.parent / RUN_ID) if first.name != RUN_ID else None
    assert guarded(app, [*words, *quick, "--profiles", "interactive,quality", "--quick"]) in {0, 3}
    monkeypatch.setenv("BROWSER", "true")
    return home


def test_every_command_of_the_documents_is_executed(
    lived_in: Path,
    hub: FakeHub,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    """It ends with 0, or 6 where doctor looks for what is not here, and says no error beside that."""
    commands = documented()
    assert set(ELSEWHERE) <= set(commands), "a row for a command that no page names any more"
    executed = [command for command in commands if command not in ELSEWHERE]
    wrong = []
    for command in executed:
        words = [*shlex.split(command), *(["--dry-run"] if MEASURES.match(command) else [])]
        words = [word.replace("~", str(lived_in)) for word in words]
        capsys.readouterr()
        code = guarded(app, words)
        if code not in ({0, 6} if words[0] == "doctor" else {0}):
            wrong.append(f"{command}: {code} {capsys.readouterr().err[-400:]}")
    assert not wrong, "\n".join(wrong)
    record_property("commands", f"{len(executed)} executed, {len(ELSEWHERE)} elsewhere")
    assert len(executed) >= 35
