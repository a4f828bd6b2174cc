"""A binary that was built for another processor is found out before anything is measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gguf import GGUFReader

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.ports import EngineOptions
from llmtester.domain.records import Available, Missing
from llmtester.engines import llama_flags
from llmtester.engines.llama_server import LlamaServerEngine
from llmtester.engines.processor_check import VERDICTS, check_model, runs_here


def binary_that(folder: Path, does: str) -> Path:
    """A program that answers ``--version`` like llama-server and otherwise runs the shell command ``does``."""
    path = folder / "llama-server"
    counted = f'echo started >> "{folder}/starts"'
    path.write_text(f'#!/bin/sh\ncase "$1" in --version) echo "version: 1 (abc)" >&2;; *) {counted}; {does};; esac\n')
    path.chmod(0o755)
    return path


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text().splitlines())


def test_the_model_is_a_valid_file(tmp_path):
    """The reference reader finds every kind of weight in it."""
    path = tmp_path / "check.gguf"
    path.write_bytes(check_model())
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(path).tensors}
    assert kinds == {"F32", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"}


def test_an_illegal_instruction_passes_a_binary_over(tmp_path):
    """``auto`` gets Missing with the reason and the remedy; who names the engine gets it all the same."""
    binary = binary_that(tmp_path, "kill -ILL $$")
    options = EngineOptions(binary=str(binary), folder=tmp_path / "state", check_processor=True)
    found = LlamaServerEngine(options).available()
    assert isinstance(found, Missing)
    assert found.noteworthy
    assert "processor instructions" in found.reason
    assert "--set engine.name=embedded" in found.fix
    assert isinstance(LlamaServerEngine(EngineOptions(binary=str(binary))).available(), Available)


@pytest.mark.parametrize(
    ("does", "runs"), [("kill -ILL $$", False), ("echo listening on x; exec sleep 60", True), ("exit 1", True)]
)
def test_each_binary_is_tried_once(tmp_path, does, runs):
    """The verdict is kept for this very file; a new build under the same name is tried again."""
    binary, state = binary_that(tmp_path, does), tmp_path / "state"
    assert [runs_here(binary, state), runs_here(binary, state)] == [runs, runs]
    assert starts(tmp_path) == 1
    os.utime(binary, ns=(1, 1))
    assert runs_here(binary, state) is runs
    assert starts(tmp_path) == 2
    (state / VERDICTS).write_text("garbage")
    assert runs_here(binary, state) is runs


def test_a_binary_that_cannot_even_tell_its_version(tmp_path):
    """SIGILL while probing is told as such."""
    path = tmp_path / "llama-server"
    path.write_text("#!/bin/sh\nkill -ILL $$\n")
    path.chmod(0o755)
    with pytest.raises(EngineError) as raised:
        llama_flags.probe_version(path)
    assert raised.value.failure is EngineFailure.ILLEGAL_INSTRUCTION
    assert LlamaServerEngine(EngineOptions(binary=str(path))).available().noteworthy


@pytest.mark.engine
def test_a_real_binary_that_fits_is_not_refused(llama_server_binary, tmp_path):
    """The binary of the dev extra computes with every kind of weight that the check model has."""
    assert runs_here(llama_server_binary, tmp_path)
