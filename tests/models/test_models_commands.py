"""The commands as a person types them: what is on standard output, what is talk, and the exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmtester.cli.models_tables import Column, show_table
from llmtester.cli.pull_display import plain_line
from llmtester.models.progress import Progress
from tests.models.fake_hub import FakeHub
from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors, write_model

REPOSITORY = "maker/Tiny-GGUF"


class Cli:
    """``llmtester models ...`` in a process of its own, with a model folder and the fake hub."""

    def __init__(self, folder: Path, hub: FakeHub) -> None:
        self.folder = folder
        self.environ = dict(os.environ) | {"HF_ENDPOINT": hub.endpoint, "LLMTESTER_MODELS__FOLDERS": str(folder)}
        self.environ |= {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}

    def __call__(self, *arguments: str, answer: str | None = None) -> tuple[int, str, str]:
        """Exit code, standard output, standard error (with a terminal: both together) of one command."""
        command = [sys.executable, "-m", "llmtester", "models", *arguments]
        if answer is None:
            done = subprocess.run(
                command, env=self.environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
            )
            return done.returncode, done.stdout, done.stderr
        return self._on_terminal(command, answer)

    def _on_terminal(self, command: list[str], answer: str) -> tuple[int, str, str]:
        ours, theirs = pty.openpty()
        child = subprocess.Popen(command, env=self.environ, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side was closed
                break
            if not part:
                break
            shown += part
        os.close(ours)
        return child.wait(), shown.decode(errors="replace"), ""

    def data(self, *arguments: str) -> Any:
        """The data of a command that was asked for JSON."""
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        envelope = json.loads(out)
        assert envelope["ok"]
        return envelope["data"]


@pytest.fixture
def cli(folder: Path, hub: FakeHub) -> Cli:
    for fill, label in enumerate(("Q4_K_M", "Q8_0"), 1):
        content = gguf_bytes(llama_metadata(file_type=7 if fill == 2 else 15), llama_tensors(), fill=fill)
        hub.add(REPOSITORY, f"Tiny-{label}.gguf", content)
    return Cli(folder, hub)


def test_pull_list_info_verify_rm(cli: Cli) -> None:
    """The life of a model: fetched with its licence shown, listed, inspected, verified and removed."""
    code, out, err = cli("pull", f"{REPOSITORY}:Q8_0")
    path = cli.folder / REPOSITORY / "Tiny-Q8_0.gguf"
    assert (code, out.strip()) == (0, str(path))
    assert "Tiny Q8_0: 14.2 kB, licence apache-2.0, fits in this machine." in err
    code, out, _ = cli("list")
    assert (code, "On this machine" in out, "Tiny" in out, "Can be pulled" in out) == (0, True, True, True)
    code, out, _ = cli("info", "tiny")
    assert code == 0
    assert "largest context that fits: 4096 tokens" in out
    code, out, _ = cli("verify")
    assert (code, out.strip()) == (0, "ok   Tiny Q8_0: as its source published it")
    code, _, err = cli("rm", "tiny")
    assert (code, "no terminal to ask on" in err, path.exists()) == (6, True, True)
    code, out, _ = cli("rm", "tiny", "--yes")
    assert (code, path.exists()) == (0, False)


def test_json_everywhere(cli: Cli) -> None:
    """Each command has one JSON object on standard output and nothing else; a pull has one for each step."""
    _, out, _ = cli("pull", REPOSITORY, "--quants", "Q4_K_M,Q8_0", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["type"] for line in lines[:-1]} == {"progress"}
    assert lines[-1]["type"] == "summary"
    assert [model["quantization"] for model in lines[-1]["data"]] == ["Q4_K_M", "Q8_0"]
    listed = cli.data("list")
    assert {model["verdict"] for model in listed["local"]} == {"fits"}
    assert any(entry["spec"] == "starter" for entry in listed["catalog"])
    info = cli.data("info", "tiny:q8_0")
    assert [row["context_tok"] for row in info["contexts"]] == [2048, 4096]
    assert info["largest_context_tok"] == 4096
    assert [one["trust"] for one in cli.data("verify")["good"]] == ["source", "source"]
    assert cli.data("rm", "tiny:q8_0", "--yes") == [str(cli.folder / REPOSITORY / "Tiny-Q8_0.gguf")]


def test_bare_pull_without_a_terminal(cli: Cli) -> None:
    """Without a terminal the list of what fits is printed, for a program nothing is, and the exit code is 2."""
    code, out, err = cli("pull")
    assert (code, "starter" in out, "which model?" in err) == (2, True, True)
    code, out, err = cli("pull", "--json")
    assert (code, out, json.loads(err.splitlines()[-1])["exit_code"]) == (2, "", 2)


def test_a_name_of_the_catalog_means_the_same_everywhere(cli: Cli, tmp_path: Path) -> None:
    """What was pulled by its name in the catalog is inspected, planned and removed by it, whatever the file says."""
    catalog = tmp_path / "models.yaml"
    catalog.write_text(f"models:\n  - {{name: house-1b, source: {REPOSITORY}, quants: [Q8_0]}}\n")
    cli.environ["LLMTESTER_MODELS__CATALOG"] = str(catalog)
    code, _, err = cli("rm", "house-1b", "--yes")
    assert (code, "fix: llmtester models pull house-1b" in err) == (5, True)
    assert cli("pull", "house-1b")[0] == 0
    assert cli.data("info", "House-1B")["model"]["name"] == "Tiny"
    assert cli.data("info", "house-1b:q8_0")["model"]["name"] == "Tiny"
    assert cli("info", "house-1b:Q4_K_M")[0] == 5
    command = [sys.executable, "-m", "llmtester", "run", "--engine", "embedded", "--dry-run", "--models", "house-1b"]
    planned = subprocess.run(command, env=cli.environ, capture_output=True, text=True, check=True)
    assert planned.stdout.startswith("Tiny Q8_0")
    code, out, _ = cli("rm", "house-1b", "--yes")
    assert (code, out.startswith("deleted ")) == (0, True)


def test_bare_pull_lets_a_person_choose(cli: Cli, tmp_path: Path) -> None:
    """On a terminal the number of a line fetches that model."""
    catalog = tmp_path / "models.yaml"
    catalog.write_text(
        f"models:\n  - {{name: house, source: {REPOSITORY}, quants: [Q8_0], parameters_count: 99000000000000,\n"
        "     layers_count: 1, kv_heads: 1, head_size: 1}\n"
    )
    cli.environ["LLMTESTER_MODELS__CATALOG"] = str(catalog)
    count = len(cli.data("list")["catalog"])
    code, shown, _ = cli("pull", answer=f"{count}\n")
    assert code == 0, shown
    assert (cli.folder / REPOSITORY / "Tiny-Q8_0.gguf").exists()


def test_rm_asks_and_hears_no(cli: Cli) -> None:
    """On a terminal the default answer keeps the model, and y removes it."""
    cli("pull", f"{REPOSITORY}:Q8_0")
    path = cli.folder / REPOSITORY / "Tiny-Q8_0.gguf"
    cli("rm", "tiny", answer="\n")
    assert path.exists()
    cli("rm", "tiny", answer="y\n")
    assert not path.exists()


def test_what_does_not_fit_is_not_fetched_unasked(cli: Cli, hub: FakeHub) -> None:
    """A model far beyond the memory needs --yes without a terminal."""
    metadata = llama_metadata() | {"llama.block_count": 4000, "llama.attention.key_length": 1 << 20}
    hub.add("maker/Huge-GGUF", "Huge-Q8_0.gguf", gguf_bytes(metadata, llama_tensors()))
    code, _, err = cli("pull", "maker/Huge-GGUF")
    assert (code, "does not fit" in err) == (6, True)
    assert not list(cli.folder.rglob("Huge*"))
    assert cli("pull", "maker/Huge-GGUF", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("pull", "nonsense"), 5),
        (("pull", "a/../b"), 2),
        (("pull", f"{REPOSITORY}:Q2_K"), 5),
        (("pull", "maker/nothing"), 7),
        (("info", "nothing"), 5),
        (("rm", "nothing"), 5),
        (("verify",), 5),
    ],
)
def test_exit_codes(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    """Each kind of failure has its exit code, a fix and nothing on standard output."""
    got, out, err = cli(*arguments)
    assert (got, out) == (code, "")
    assert "fix:" in err


def test_verify_names_what_is_broken(cli: Cli) -> None:
    """Broken files fail the command, and the good ones are still checked."""
    write_model(cli.folder / "good.gguf")
    (cli.folder / "broken.gguf").write_bytes(b"nothing at all")
    code, out, _ = cli("verify")
    assert code == 6
    assert "ok   Tiny Q8_0: readable; nobody published a checksum" in out
    assert "BAD" in out


def test_hostile_names_cannot_reach_the_terminal(cli: Cli) -> None:
    """A model whose name holds escape sequences, markup and bidirectional marks is shown harmlessly."""
    write_model(cli.folder / "m.gguf", "\x1b]52;c;evil\x07[/bold]\u202eeman\n")
    for command in (("list",), ("info", "m.gguf"), ("verify", "m.gguf")):
        code, out, err = cli(*command)
        assert code == 0, err
        assert not {"\x1b", "\x07", "\u202e"} & set(out + err)
        assert "[/bold]" in out


def test_progress_lines() -> None:
    """A plain line has bytes, rate, time left and note."""
    line = plain_line(Progress("download", "m.gguf", 31_000_000, 98_400_000, 12_100_000.0, 5.6, "again"))
    assert line == "fetches m.gguf: 31.0 MB of 98.4 MB, 12.1 MB/s, 6 s left, again"


def test_names_are_whole_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns nothing that is there to be typed is broken over two lines, and no line is longer."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"llama-3.1-{number}b:Q4_K_M" for number in range(3)]
    rows = [(name, "9.0 GB", "apache-2.0; tiny; to try llmtester, not to work with") for name in names]
    show_table("What there is", [Column("pull this"), Column("size", right=True), Column("licence")], rows)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert all(name in shown for name in names)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", ("Tiny", "SmolLM2-135M-Instruct", "Mistral-Small-24B-Instruct-2501"))
def test_the_list_keeps_titles_whole_at_eighty_columns(cli: Cli, name: str) -> None:
    """However long the names of the models are, no title and no word of the list is broken over two lines."""
    write_model(cli.folder / "m.gguf", name)
    cli.environ["COLUMNS"] = "80"
    _, out, _ = cli("list", answer="")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out)
    table = shown.partition("Can be pulled")[0].splitlines()
    assert any(" with 4k" in line and "found in" in line for line in table), shown
    assert any(name in line and line.rstrip().endswith("folder") for line in table), shown
    assert max(map(len, shown.splitlines())) <= 80
