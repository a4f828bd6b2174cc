"""What a person means by the name of something to pull."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.text import printable
from llmtester.models.quantization import from_name

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_FORMS = (
    "use `starter`, a name of the catalog, `owner/repository:Q4_K_M`, `owner/repository/file.gguf` "
    "or the address of a .gguf file"
)


@dataclass(frozen=True, slots=True)
class FromIndex:
    """The starter model of the package index."""


@dataclass(frozen=True, slots=True)
class FromHub:
    """Files of a hub repository: one named file, or the quantizations in ``quants`` (empty: the usual one)."""

    repository: str
    quants: tuple[str, ...] = ()
    file: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class FromUrl:
    """A file at an address of any other server."""

    url: str


Spec: TypeAlias = FromIndex | FromHub | FromUrl


def parse(text: str, quants: tuple[str, ...] = ()) -> Spec:
    """The source that ``text`` names; ``quants`` adds quantizations. Raises ``ConfigurationError``."""
    wanted = text.strip()
    if wanted.lower() == "starter":
        return FromIndex()
    if wanted.startswith(("http://", "https://")):
        return _address(wanted, quants)
    if "://" in wanted and not wanted.startswith("hf://"):
        scheme = printable(wanted.partition("://")[0])
        raise ConfigurationError(f"models are not fetched by {scheme}", why="only http and https are", fix=_FORMS)
    for prefix in ("hf://", "hf:", "hf.co/", "huggingface.co/"):
        wanted = wanted.removeprefix(prefix)
    return _hub(wanted, quants)


def _address(url: str, quants: tuple[str, ...]) -> Spec:
    parts = urlsplit(url)
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    if parts.username or parts.password:
        raise ConfigurationError("an address must not carry a password", fix="set HF_TOKEN for the hub")
    if (parts.hostname or "").lower() in _HUB_HOSTS and len(segments) >= 2:
        repository = "/".join(segments[:2])
        if len(segments) > 4 and segments[2] in ("resolve", "blob"):
            return _checked(FromHub(repository, quants, "/".join(segments[4:]), segments[3]))
        return _checked(FromHub(repository, quants))
    if not segments or not segments[-1].lower().endswith(".gguf"):
        raise ConfigurationError(f"{printable(parts.path)} is not the address of a .gguf file", fix=_FORMS)
    return FromUrl(url)


def _hub(wanted: str, quants: tuple[str, ...]) -> Spec:
    repository, _, tail = wanted.partition(":")
    repository, _, revision = repository.partition("@")
    segments = repository.split("/")
    file = "/".join(segments[2:]) or None
    if tail.lower().endswith(".gguf"):
        file = tail
    elif tail:
        if from_name(tail) is None and not re.fullmatch(r"[\w.-]{1,40}", tail):
            raise ConfigurationError(f"{printable(tail)!r} is not a quantization", fix="write it like Q4_K_M")
        quants = tuple(dict.fromkeys((tail, *quants)))
    return _checked(FromHub("/".join(segments[:2]), quants, file, revision or None))


def _checked(wanted: FromHub) -> FromHub:
    if not _REPOSITORY.fullmatch(wanted.repository) or ".." in wanted.repository:
        raise ConfigurationError(f"{printable(wanted.repository)!r} is not a name of a model", fix=_FORMS)
    if wanted.file is not None and (".." in wanted.file.split("/") or not wanted.file.lower().endswith(".gguf")):
        raise ConfigurationError(f"{printable(wanted.file)!r} is not a .gguf file of a repository", fix=_FORMS)
    return wanted
