"""How to use a model without llmtester: the server command that was measured, and a file for Ollama.

Paths and names in them are untrusted; whoever shows them makes them printable.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from llmtester.analysis.summary import TargetSummary
from llmtester.domain.text import printable

USUAL_PORT = "8080"
"""What llama-server listens on by itself; the measured port was a random one."""

KEY_PLACE = "YOUR_KEY"

PLAYED_ENGINE = "fake"
"""The engine that plays a server; what it "recommends" cannot be served."""

SECRET_FLAGS = frozenset({"--api-key", "--api-key-file", "--hf-token", "-hft"})

ONLY_FOR_MEASURING = {
    "--cache-ram": 1,
    "-cram": 1,
    "--ctx-checkpoints": 1,
    "-ctxcp": 1,
    "--metrics": 0,
    "--slots": 0,
    "--no-ui": 0,
    "--no-webui": 0,
    "--offline": 0,
    "--verbosity": 1,
    "--log-verbosity": 1,
    "-lv": 1,
}
"""Flags that keep a measurement clean and change no speed, with how many values follow each."""


def redacted(command: Sequence[str]) -> tuple[str, ...]:
    """The command without its keys and with the usual port."""
    words = list(command)
    for place, word in enumerate(words[1:], 1):
        flag, joined, _ = word.partition("=")
        before = words[place - 1]
        if flag in SECRET_FLAGS and joined:
            words[place] = f"{flag}={KEY_PLACE}"
        elif before in SECRET_FLAGS:
            words[place] = KEY_PLACE
        elif before == "--port":
            words[place] = USUAL_PORT
        elif flag == "--port" and joined:
            words[place] = f"--port={USUAL_PORT}"
    return tuple(words)


def _useful(command: Sequence[str]) -> Iterator[str]:
    skipped = 0
    for word in command:
        if skipped:
            skipped -= 1
        elif word in ONLY_FOR_MEASURING:
            skipped = ONLY_FOR_MEASURING[word]
        else:
            yield word


def server_command(target: TargetSummary) -> str:
    """One line for a POSIX shell that starts the server as it was measured, or ``""`` where no program was started.

    What only served the measuring is left out, keys are replaced, the port is llama-server's own.
    """
    if target.facts is None or not target.facts.command:
        return ""
    program = PurePath(target.facts.command[0].replace("\\", "/")).name.removesuffix(".exe")
    if program == "ollama":
        return shlex.join(target.facts.command)
    return shlex.join(redacted(tuple(_useful(target.facts.command)))) if program == "llama-server" else ""


def modelfile(target: TargetSummary) -> str:
    """The text of an Ollama Modelfile for the file and its settings; ``""`` where there is no plain GGUF path."""
    path, settings = target.model.path, target.settings
    if not path.lower().endswith(".gguf") or '"' in path or printable(path, len(path) + 1) != path:
        return ""
    lines = [f'FROM "{path}"' if " " in path else f"FROM {path}", f"PARAMETER num_ctx {settings.context_tok}"]
    if settings.threads is not None:
        lines.append(f"PARAMETER num_thread {settings.threads}")
    if settings.gpu_layers is not None:
        lines.append(f"PARAMETER num_gpu {settings.gpu_layers}")
    return "\n".join(lines) + "\n"
