"""The commands as a person types them: real processes, real exit codes, nothing on the wrong stream."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from llmtester.store import journal, runs

FAST = "fast?ttft_ms=4&decode_tok_per_s=2000:Q4_K_M"
FAKE = ["--engine", "fake", "--models", FAST, "--display", "plain", "--output-dir", "runs"]


def llmtester(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmtester", *arguments]
    env = {**os.environ, "COLUMNS": "80", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, stdin=subprocess.DEVNULL)


def test_run_ends_in_reports(home: Path) -> None:
    """One command: lines of talk on stderr, the verdict and three files on stdout."""
    done = llmtester("run", *FAKE)
    assert done.returncode == 0, done.stderr
    assert "Use fast Q4_K_M for chat" in done.stdout
    assert "run finished" in done.stderr
    (folder,) = runs.all_runs(home / "runs")
    results = json.loads(next(folder.path.glob("*_results.json")).read_text())
    assert results["outcome"] == "finished"
    for suffix in ("results.csv", "report.html"):
        assert next(folder.path.glob(f"*_{suffix}")).stat().st_size > 100


@pytest.mark.skipif(os.name != "posix", reason="terminals are made as POSIX has them")
@pytest.mark.parametrize("columns", (80, 60))
def test_plain_lines_fit_a_terminal_without_a_cursor(home: Path, columns: int) -> None:
    """A trial is one line at 80 columns; what is longer than the terminal is broken between words, in the watch too."""
    model = FAST.replace("fast", "a-model-with-a-rather-long-name-of-its-own")
    for words in (["run", *FAKE, "--models", model, "--display", "auto"], ["watch", "--runs", "runs"]):
        lines = [line for line in on_terminal(words, columns) if line.startswith(("0:", " "))]
        assert max(map(len, lines)) <= columns, lines
        outcome = r" first token \S+ ms, \S+ tok/s$" if columns == 80 else ""
        trials = [line for line in lines if re.search(rf"^\d:\d\d:\d\d  .* trial \d+:{outcome}", line)]
        assert len(trials) >= 3


def on_terminal(words: list[str], columns: int) -> list[str]:
    """The lines that a command writes on a terminal that only knows lines."""
    import pty

    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "dumb"}
    command = [sys.executable, "-m", "llmtester", *words]
    child = subprocess.Popen(command, env=env, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the other side was closed
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert child.wait() == 0, shown
    return shown.decode().splitlines()


def test_a_variable_that_changes_nothing_is_told_once(home: Path) -> None:
    """On standard error, with what it may have meant; data stays data and the exit code what it was."""
    for words in (["run", *FAKE], ["run", *FAKE, "--skip-stress"], ["report", "list", "--runs", "runs", "--json"]):
        done = llmtester(*words, LLMTESTER_FOO="1")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("warning: the environment variable LLMTESTER_FOO is no setting") == 1
        assert "LLMTESTER_FOO" not in done.stdout


def test_report_is_made_from_the_journal_alone(home: Path) -> None:
    """Deleted reports come back byte for byte from ``llmtester report``."""
    llmtester("run", *FAKE)
    (folder,) = runs.all_runs(home / "runs")
    before = {path.name: path.read_bytes() for path in folder.path.glob("*_re*")}
    for name in before:
        (folder.path / name).unlink()
    done = llmtester("report", "latest", "--runs", "runs", "--format", "json,csv,html")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in folder.path.glob("*_re*")} == before


def test_report_formats_and_json(home: Path) -> None:
    """Markdown on request, into a folder of choice, and the names as JSON."""
    llmtester("run", *FAKE)
    done = llmtester("report", "--runs", "runs", "--format", "md", "--output-dir", "out", "--json")
    files = json.loads(done.stdout)["data"]
    assert Path(files["md"]).read_text().startswith("#")
    wrong = llmtester("report", "--runs", "runs", "--format", "pdf")
    assert wrong.returncode == 2
    assert "csv, html, json, md" in wrong.stderr


def test_the_first_run_explains_itself_in_five_lines(home: Path) -> None:
    """Without settings and without runs: what happens, where results go, how to stop; and never again after that."""
    fast = ["--quick", *FAKE[:4], "--display", "none"]
    first, second = llmtester("run", *fast), llmtester("run", *fast)
    assert (first.returncode, second.returncode) == (0, 0)
    lines = first.stderr.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("First run here: 1 model with the engine fake")
    assert max(map(len, lines)) <= 80
    assert second.stderr == ""


def test_an_old_console_is_enough(home: Path) -> None:
    """On a dumb cp1252 terminal without colours a run with a Chinese name works, and nothing moves the cursor."""
    words = ["run", "--engine", "fake", "--models", FAST.replace("fast", "模型"), "--quick", "--display", "plain"]
    old = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "llmtester", *words], capture_output=True, env=os.environ | old, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"for chat" in done.stdout
    assert b"\\u6a21\\u578b" in done.stderr


def test_dry_run_starts_nothing(home: Path) -> None:
    """The plan, its cost, and no folder."""
    done = llmtester("run", *FAKE, "--dry-run")
    assert done.returncode == 0
    assert "3 cells, 1 server start, about" in done.stdout
    assert not (home / "runs").exists()


def test_json_lines(home: Path) -> None:
    """Standard output is JSON Lines and nothing else; the last one has the advice and the files."""
    done = llmtester("run", *FAKE, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["type"] == "run_started"
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["data"]["advice"][0]["use"] == "chat"
    assert "trial_ended" in {line["type"] for line in lines}
    watched = [json.loads(line) for line in llmtester("watch", "--runs", "runs", "--json").stdout.splitlines()]
    assert [line["data"] for line in watched] == [line["data"] for line in lines[:-1]]


def test_plan_digest_is_stable(home: Path) -> None:
    """Planning twice in two processes gives one digest."""
    first, second = (llmtester("run", *FAKE, "--dry-run", "--json").stdout for _ in range(2))
    assert json.loads(first)["data"]["digest"] == json.loads(second)["data"]["digest"]


def test_interrupt_and_resume(home: Path) -> None:
    """Ctrl-C once: exit 130, what was measured is kept and reported, and --resume finishes it."""
    slow = "slow?ttft_ms=50&decode_tok_per_s=400&noise=0.3"
    command = [sys.executable, "-m", "llmtester", "run", "--engine", "fake", "--models", slow]
    process = subprocess.Popen(
        [*command, "--display", "plain", "--output-dir", "runs"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "trial 2" in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "llmtester run --resume" in err
    assert "interrupted" in out.lower()
    (folder,) = runs.all_runs(home / "runs")
    done = llmtester("run", "--resume", "--display", "none", "--output-dir", "runs")
    assert done.returncode == 0, done.stderr
    assert len(journal.read(folder.journal).events) > 10
    again = llmtester("run", "--resume", folder.run_id, "--display", "none", "--output-dir", "runs")
    assert again.returncode == 0, "a finished run only gets its reports again"


def test_term_ends_like_interrupt(home: Path) -> None:
    """SIGTERM: the request in flight is finished, exit 143."""
    command = [sys.executable, "-m", "llmtester", "run", *FAKE]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "trial 1" in line:
            process.terminate()
            break
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_two_runs_do_not_measure_at_once(home: Path) -> None:
    """While one measures, the other is told so: exit 8."""
    slow = "slow?ttft_ms=200&decode_tok_per_s=50"
    arguments = ["run", "--engine", "fake", "--models", slow, "--output-dir", "runs", "--display", "plain"]
    first = subprocess.Popen(
        [sys.executable, "-m", "llmtester", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert first.stderr is not None
    first.stderr.readline()
    second = llmtester(*arguments)
    assert second.returncode == 8, second.stderr
    assert "llmtester watch latest" in second.stderr
    first.kill()
    first.communicate()


def test_failed_cells_give_exit_three(home: Path) -> None:
    """One model that does not load among good ones: the run finishes, the code says that not all is there."""
    done = llmtester(
        "run", "--engine", "fake", "--models", f"{FAST},bad?fail=oom", "--display", "none", "--output-dir", "runs"
    )
    assert done.returncode == 3, done.stderr


Damage = Callable[[Path], list[str]]


def _tab(home: Path) -> list[str]:
    (home / "tab.yaml").write_text("engine:\n\tname: fake\n")
    return ["run", "--config", "tab.yaml"]


def _file_as_folder(home: Path) -> list[str]:
    (home / "file").write_text("")
    return ["run", *FAKE[:-1], "file/runs"]


MISUSES: dict[str, tuple[Damage, int, str]] = {
    "tab in YAML": (_tab, 2, "tab.yaml"),
    "unwritable output folder": (_file_as_folder, 6, "--output-dir"),
    "unknown flag": (lambda home: ["run", "--quik"], 2, "--quik"),
    "no model at all": (lambda home: ["run", "--engine", "embedded"], 5, "models pull starter"),
}


def written(home: Path) -> list[Path]:
    """Everything that a run or a report may leave, whole or not; caches, which may always be deleted, aside."""
    return sorted(
        p for p in home.rglob("*") if p.suffix in {".jsonl", ".json", ".html", ".csv"} and ".cache" not in p.parts
    )


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_of_a_real_process(home: Path, case: str) -> None:
    """A handful of the table in ``misuses.py``, as processes: the documented code, a message that names the fix, no
    traceback, and nothing half-written."""
    prepare, code, fix = MISUSES[case]
    arguments = prepare(home)
    before = written(home)
    done = llmtester(*arguments, PATH="/nonexistent")
    assert done.returncode == code, done.stderr
    assert fix in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert written(home) == before


def test_port_in_use(home: Path, starter_model: Path) -> None:
    """``serve`` on a taken port: says so, names the flag, exit 6."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        folder = f"--set=models.folders=[{starter_model.parent}]"
        done = llmtester("serve", "*", "--engine", "embedded", "--port", str(port), folder)
    assert done.returncode == 6, done.stderr
    assert str(port) in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.engine
def test_serve_answers_and_stops(home: Path, starter_model: Path) -> None:
    """The URL on stdout, a working example on stderr, gone after Ctrl-C."""
    folder = f"--set=models.folders=[{starter_model.parent}]"
    command = [sys.executable, "-m", "llmtester", "serve", "*", "--engine", "embedded", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    said = [process.stderr.readline().strip() for _ in range(5)]
    example = next(line for line in said if line.startswith("curl"))
    answer = subprocess.run(["sh", "-c", example], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(answer.stdout)["choices"][0]["message"]["content"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in {0, 130}
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    until_s = time.monotonic() + 5
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))):
                return
    pytest.fail("the server still listens")
