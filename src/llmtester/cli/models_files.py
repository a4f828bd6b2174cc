"""``llmtester models verify`` and ``rm``: are the files whole, and away with what is not wanted."""

from __future__ import annotations

from typing import Annotated

import typer

from llmtester.cli.completion import completing
from llmtester.cli.json_output import print_object
from llmtester.cli.models_opened import confirm, opened_models
from llmtester.cli.options import Config, Json, ModelFolder, Yes
from llmtester.domain.errors import ExitCode, ModelError, NothingToDo
from llmtester.domain.text import human_bytes, printable


def verify(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Model; without it: all of them.", metavar="NAME", autocompletion=completing("models NAME")
        ),
    ] = None,
    config: Config = None,
    folder: ModelFolder = None,
    as_json: Json = False,
) -> None:
    """Read models from end to end: structure, and the checksum where the source published it.

    \b
    llmtester models verify
    llmtester models verify SmolLM2-135M-Instruct
    """
    from llmtester.cli.pull_display import PullDisplay

    _, manager = opened_models(config, folder)
    scan = manager.scan()
    names = [name] if name else [model.ref.path for model in (*scan.models, *scan.companions)]
    bad = [] if name else [(str(one.path), str(one.error)) for one in scan.unusable]
    good = []
    for each in names:
        try:
            with PullDisplay(quiet=as_json) as show:
                good.append(manager.verify(each, show))
        except ModelError as error:
            bad.append((each, str(error)))
    if not good and not bad:
        raise NothingToDo("there is no model to verify", fix="llmtester models pull")
    against = {
        "source": "as its source published it",
        "pull": "as it was fetched",
        "none": "readable; nobody published a checksum",
    }
    if as_json:
        records = [{"path": str(one.model.ref.path), "sha256": one.sha256, "trust": one.trust} for one in good]
        print_object("verified", {"good": records, "bad": [{"path": path, "why": why} for path, why in bad]})
    else:
        for one in good:
            typer.echo(printable(f"ok   {one.model.ref.label}: {against[one.trust]}", 1000))
        for path, why in bad:
            typer.echo(printable(f"BAD  {path}: {why}", 1000))
    if bad:
        raise typer.Exit(ExitCode.ENVIRONMENT)


def remove(
    name: Annotated[
        str,
        typer.Argument(
            help="Name, name:quantization or path.", metavar="NAME", autocompletion=completing("models NAME")
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Also a model that llmtester did not fetch.")] = False,
    config: Config = None,
    folder: ModelFolder = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete a model. Files that llmtester did not fetch are left alone unless --force is given.

    \b
    llmtester models rm Qwen2.5-7B-Instruct:Q8_0         asks first
    llmtester models rm Qwen2.5-7B-Instruct:Q8_0 --yes   for scripts
    """
    _, manager = opened_models(config, folder)
    paths = manager.paths_of(name)
    if not yes:
        amount = human_bytes(sum(path.stat().st_size for path in paths))
        confirm(f"Delete {', '.join(str(path) for path in paths)}, {amount}?", "nothing was deleted")
    deleted = [str(path) for path in manager.remove(str(paths[0]), force=force)]
    if as_json:
        print_object("deleted", deleted)
        return
    for path in deleted:
        typer.echo(printable(f"deleted {path}", 1000))
