"""What a found model is called: distinct, readable names, and the models that a person's words mean."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmtester.domain.errors import NoModels, NothingToDo
from llmtester.domain.text import nearest, printable
from llmtester.domain.work import ModelRef, WeightsRead
from llmtester.models.facts import ModelFacts
from llmtester.models.ledger import Pulled
from llmtester.models.memory import rearranged_bytes
from llmtester.models.places import Origin
from llmtester.models.quantization import equal, split_stem, without_quantization
from llmtester.models.scan import Found

NONAMES = frozenset(
    {"model", "models", "hf", "hf model", "checkpoint", "llm", "output", "final", "merged", "gguf", "."}
)
"""Names that converters write when nobody named the model."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """One model on this machine. ``aliases`` are other names that mean it; ``pulled`` is set if llmtester fetched it.

    ``folder`` is the model folder under which it was found. All names are untrusted text.
    """

    ref: ModelRef
    facts: ModelFacts
    paths: tuple[Path, ...]
    origin: Origin
    folder: Path
    aliases: tuple[str, ...] = ()
    copies: tuple[Path, ...] = ()
    pulled: Pulled | None = None


def named(
    found: Sequence[Found], pulled: Mapping[Path, Pulled], catalog_names: Mapping[str, str]
) -> tuple[LocalModel, ...]:
    """The found models with names, no two of which share a name and a quantization.

    A name comes from the catalog (``catalog_names``: file name to local name), else from the record of the pull, from
    the owner of the file (Ollama), from the header, from the file name.
    """
    models = [_local(one, pulled.get(one.paths[0]), catalog_names) for one in found]
    taken = Counter((model.ref.name.lower(), model.ref.quantization) for model in models)
    return tuple(
        _told_apart(model) if taken[model.ref.name.lower(), model.ref.quantization] > 1 else model for model in models
    )


def _local(found: Found, record: Pulled | None, catalog_names: Mapping[str, str]) -> LocalModel:
    facts, path = found.facts, found.paths[0]
    header_name = facts.name if facts.name and facts.name.strip().lower() not in NONAMES else None
    file_name = without_quantization(path.name)
    candidates = (
        catalog_names.get(path.name.lower()),
        record.name if record else None,
        found.given_name,
        header_name,
        file_name,
    )
    names = list(dict.fromkeys(name for name in candidates if name))
    ref = ModelRef(
        name=names[0].strip(),
        quantization=facts.quantization,
        path=str(path),
        size_bytes=facts.file_bytes,
        fingerprint=found.fingerprint,
        architecture=facts.architecture,
        parameters_count=facts.parameters_count or None,
        context_tok=facts.context_tok,
        bits_per_weight=facts.bits_per_weight or None,
        has_chat_template=facts.has_chat_template,
        licence=facts.licence or (record.licence if record else None),
        rearranged_bytes=rearranged_bytes(facts),
        read_per_token=tuple(WeightsRead(*row) for row in facts.read_per_token),
    )
    return LocalModel(
        ref=ref,
        facts=facts,
        paths=found.paths,
        origin=found.origin,
        folder=found.folder,
        aliases=tuple(dict.fromkeys([*names[1:], file_name, path.name, split_stem(path.stem)])),
        copies=found.copies,
        pulled=record,
    )


def _told_apart(model: LocalModel) -> LocalModel:
    """Two different files of one name: the file name tells them apart, the fingerprint makes sure of it."""
    name = f"{without_quantization(model.paths[0].name)}#{model.ref.fingerprint[:4]}"
    return replace(model, ref=replace(model.ref, name=name), aliases=(model.ref.name, *model.aliases))


def matching(models: Sequence[LocalModel], wanted: str) -> tuple[LocalModel, ...]:
    """The models that ``wanted`` means: a path, a name, a label, ``name:quantization`` or a pattern with ``*``.

    An exact meaning beats a pattern. Raises ``NothingToDo`` with the closest names if nothing matches.
    """
    text = wanted.strip().lower()
    by_path = [model for model in models if Path(wanted).expanduser() in (*model.paths, *model.copies)]
    if by_path:
        return tuple(by_path)
    exact = [model for model in models if text in _spellings(model)]
    if exact:
        return tuple(exact)
    patterned = [model for model in models if any(fnmatch.fnmatchcase(name, text) for name in _spellings(model))]
    if patterned:
        return tuple(patterned)
    if not models:
        raise NoModels("there is no model on this machine yet", fix="llmtester models pull starter")
    close = [printable(name) for name in nearest(wanted, {model.ref.name for model in models})]
    raise NothingToDo(
        f"no model here is called {printable(wanted)!r}",
        why=f"did you mean {' or '.join(close)}?" if close else f"models found here: {len(models)}",
        fix="llmtester models list",
    )


def of_catalog(models: Sequence[LocalModel], name: str, source: str, quantization: str = "") -> tuple[LocalModel, ...]:
    """The models that the catalog calls ``name`` or that were fetched from its ``source``; of one quantization, if it
    is named."""
    return tuple(
        model
        for model in models
        if (model.ref.name.lower() == name.lower() or (model.pulled is not None and model.pulled.source == source))
        and (not quantization or equal(model.ref.quantization, quantization))
    )


def _spellings(model: LocalModel) -> set[str]:
    spellings = set()
    for name in (model.ref.name, *model.aliases):
        lower, quantization = name.lower(), model.ref.quantization.lower()
        spellings |= {lower, f"{lower} {quantization}", f"{lower}:{quantization}", f"{lower}-{quantization}"}
    return spellings
