"""How a recommended model is started: what a person can type, and never a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtester.analysis.serving import modelfile, redacted, server_command
from llmtester.analysis.summary import TargetSummary
from llmtester.domain.work import ServerSettings

from .advice_worlds import File, target

CANARY = "sk-canary-0123456789"


def with_command(*command: str) -> TargetSummary:
    known = target(File())
    assert known.facts is not None
    return replace(known, facts=replace(known.facts, command=command))


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("llama-server", "--api-key", CANARY, "-c", "1"), "llama-server --api-key YOUR_KEY -c 1"),
        (("llama-server", f"--api-key={CANARY}"), "llama-server --api-key=YOUR_KEY"),
        (("llama-server", "--port=5", "--hf-token", CANARY), "llama-server --port=8080 --hf-token YOUR_KEY"),
        (("C:\\bin\\llama-server.exe", "--port", "5"), "'C:\\bin\\llama-server.exe' --port 8080"),
        (("llama-server", "-lv", "4", "--metrics", "--cache-ram", "0", "-np", "2"), "llama-server -np 2"),
        (("ollama", "run", "smol:135m"), "ollama run smol:135m"),
        (("llama-server", "--model", "my model.gguf"), "llama-server --model 'my model.gguf'"),
        (("curl", "http://127.0.0.1:1/v1"), ""),
        ((), ""),
    ],
)
def test_the_command_is_what_a_person_would_type(command: tuple[str, ...], shown: str) -> None:
    """Without keys and measuring flags, with the usual port; empty where llmtester started no server."""
    assert server_command(with_command(*command)) == shown


def test_a_server_that_never_started_has_no_command() -> None:
    """Nothing is made up."""
    assert server_command(replace(target(File()), facts=None)) == ""


def test_no_key_survives_the_redaction() -> None:
    """In whichever place and form it stood."""
    assert CANARY not in " ".join(redacted(("x", "--api-key", CANARY, f"--hf-token={CANARY}", "-hft", CANARY)))


def test_a_modelfile_says_what_differs_from_ollamas_defaults() -> None:
    """Path, context, threads and layers; a path with a space is quoted."""
    known = target(File(), ServerSettings(context_tok=8192, threads=6, gpu_layers=20))
    spaced = replace(known, model=replace(known.model, path="/my models/a.gguf"))
    assert modelfile(spaced) == (
        'FROM "/my models/a.gguf"\nPARAMETER num_ctx 8192\nPARAMETER num_thread 6\nPARAMETER num_gpu 20\n'
    )


@pytest.mark.parametrize("path", ["smol:135m", 'a"b.gguf', "a\nSYSTEM evil\n.gguf", "a\u202e.gguf"])
def test_no_modelfile_is_made_of_a_path_that_could_say_more(path: str) -> None:
    """A name of another engine, a quote or a line end would change what the file means."""
    known = target(File())
    assert modelfile(replace(known, model=replace(known.model, path=path))) == ""
