"""``llmtester models list`` and ``info``: what is here, what it is, and what fits."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtester.cli.completion import completing
from llmtester.cli.console import say
from llmtester.cli.json_output import print_object
from llmtester.cli.models_opened import choice_record, opened_models, show_choices
from llmtester.cli.options import Config, Json, ModelFolder
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, printable

if TYPE_CHECKING:
    from llmtester.api.models import LocalModel


def list_models(config: Config = None, folder: ModelFolder = None, as_json: Json = False) -> None:
    """List the models of this machine and those that can be pulled by name.

    \b
    llmtester models list
    llmtester models list --json
    """
    from llmtester.cli.models_tables import Column, parameters, show_table, size, tokens, word

    settings, manager = opened_models(config, folder)
    server = settings.server.as_server_settings()
    scan = manager.scan()
    local = [(model.ref, model.origin, manager.verdict(model.facts, server)) for model in scan.models]
    choices = manager.choices(server)
    if as_json:
        print_object(
            "models",
            {
                "local": [asdict(ref) | {"origin": origin, "verdict": word(verdict)} for ref, origin, verdict in local],
                "companions": [{"path": model.ref.path, "kind": model.facts.kind} for model in scan.companions],
                "unusable": [
                    {"path": str(bad.path), "what": bad.error.what, "why": bad.error.why, "at_byte": bad.error.at_byte}
                    for bad in scan.unusable
                ],
                "catalog": [choice_record(choice) for choice in choices],
            },
        )
        return
    if local:
        columns = [Column("model"), Column("quant"), Column("size", right=True)]
        columns += [Column("weights", right=True, spare=True), Column("context", right=True, spare=True)]
        columns += [Column(f"with {tokens(server.context_tok)}"), Column("found in")]
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
    show_choices(choices)


def info(
    name: Annotated[
        str,
        typer.Argument(
            help="Name, name:quantization or path.", metavar="NAME", autocompletion=completing("models NAME")
        ),
    ],
    config: Config = None,
    folder: ModelFolder = None,
    as_json: Json = False,
) -> None:
    """Show what a model is, and what it needs in memory for 2k to 128k context.

    \b
    llmtester models info SmolLM2-135M-Instruct
    llmtester models info ./models/mine.gguf --json
    """
    from llmtester.cli.models_tables import Column, show_table, size, tokens

    settings, manager = opened_models(config, folder)
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
        print_object("model", data | {"contexts": rows, "largest_context_tok": largest})
        return
    for key, value in _sheet(model):
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


def _sheet(model: LocalModel) -> list[tuple[str, str]]:
    """What the file says of itself, a line each; empty values are not shown."""
    from llmtester.cli.models_tables import parameters, size

    facts = model.facts
    types = ", ".join(f"{name} {human_bytes(count)}" for name, count in facts.bytes_by_type[:6])
    window = f", sliding window {facts.sliding_window_tok}" if facts.sliding and any(facts.sliding) else ""
    return [
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


def _range(values: tuple[int, ...]) -> str:
    """``9``, or ``0 to 8`` where layers differ."""
    if not values:
        return "unknown"
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
