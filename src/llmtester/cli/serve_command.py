"""``llmtester serve``: one model behind a local address until Ctrl-C."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from llmtester.cli.completion import completing
from llmtester.cli.console import say
from llmtester.cli.in_force import loaded_settings
from llmtester.cli.json_output import print_line
from llmtester.cli.options import Assign, Config, EngineName, JsonLines
from llmtester.domain.errors import ConfigurationError


def serve(  # noqa: PLR0913, PLR0917 (one parameter per flag is how Typer works)
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model by name, name:quantization or pattern.",
            metavar="MODEL",
            autocompletion=completing("serve MODEL"),
        ),
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Serve what this run recommends: latest, id or folder.",
            metavar="RUN",
            autocompletion=completing("--from"),
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="With the context that this profile needs.", metavar="NAME", autocompletion=completing("--profile")
        ),
    ] = None,
    config: Config = None,
    engine: EngineName = None,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; a free one by default.", min=1, max=65535)
    ] = None,
    assign: Assign = None,
    as_json: JsonLines = False,
) -> None:
    """Serve one model on 127.0.0.1 with an OpenAI-compatible interface.

    \b
    llmtester serve SmolLM2-135M-Instruct
    llmtester serve 'qwen*:Q4_K_M' --set server.context_tok=8192
    llmtester serve --from latest          what the last run recommends
    """
    from llmtester import api
    from llmtester.settings import assignments

    if (model is None) == (from_run is None):
        raise ConfigurationError(
            "which model?",
            why="name a model or a run, and not both",
            fix="llmtester serve MODEL, or serve --from latest",
        )
    flags = {"models.include": [model] if model else None, "engine.name": engine, **assignments(assign or [])}
    loaded = loaded_settings(config, flags)

    def ready(serving: api.Serving) -> None:
        if as_json:
            print_line("serve", "ready", asdict(serving))
            return
        typer.echo(serving.url)
        say(f"Serving {serving.label} with {serving.engine} at {serving.url}; stop with Ctrl-C.")
        say("Try it:")
        say(f"  {serving.example}")
        say("The same server without llmtester:")
        say(f"  {serving.command}")

    api.serve(loaded, ready, api.ServeWish(from_run, profile, port))
