"""``llmtester serve``: one model behind a local address until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtester.cli.console import say


def serve(
    model: Annotated[str, typer.Argument(help="A model by name, name:quantization or pattern.", metavar="MODEL")],
    config: Annotated[Path | None, typer.Option(help="Settings file.", metavar="FILE")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, embedded, llama-server ...", metavar="NAME")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; a free one by default.", min=1, max=65535)
    ] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", help="Any setting.", metavar="NAME=VALUE")] = None,
) -> None:
    """Serve one model on 127.0.0.1 with an OpenAI-compatible interface.

    \b
    llmtester serve SmolLM2-135M-Instruct
    llmtester serve 'qwen*:Q4_K_M' --set server.context_tok=8192
    """
    from llmtester import api
    from llmtester.settings import assignments

    flags = {"models.include": [model], "engine.name": engine, **assignments(assign or [])}
    loaded = api.load_settings(config, flags)

    def ready(address: api.Serving) -> None:
        typer.echo(address.url)
        say(f"Serving {address.label} with {address.engine} at {address.url}; stop with Ctrl-C.")
        say("Try it:")
        say(f"  {address.example}")
        say("The same server without llmtester:")
        say(f"  {address.command}")

    api.serve(loaded, ready, port=port)
