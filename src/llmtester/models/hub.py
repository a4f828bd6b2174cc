"""What a hub repository holds: the right files for a quantization, with size, checksum and licence.

Metadata comes through the real ``huggingface_hub`` client; the bytes come through ``download``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llmtester.domain.errors import ConfigurationError, LlmtesterError, NetworkError, NothingToDo
from llmtester.domain.proxies import refuse_unusable_proxies
from llmtester.domain.text import printable
from llmtester.models.hub_options import HubOptions
from llmtester.models.quantization import equal, from_name, split_part, split_stem, without_quantization
from llmtester.models.retry import Pause, Stop
from llmtester.models.spec import FromHub

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

PREFERRED = ("Q4_K_M", "Q4_K_S", "IQ4_XS", "Q4_0", "Q5_K_M", "Q6_K", "Q8_0")
"""The usual quantization first, for a repository that was named without one."""
COMPANIONS = ("mmproj", "imatrix", "vocab")
RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a source. ``path`` is relative to its repository; ``None``: the source does not say."""

    path: str
    url: str
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """One model at one quantization as a source offers it, all parts in order."""

    name: str
    quantization: str
    source: str
    revision: str
    licence: str | None
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all parts; ``None`` if the source does not say."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def find(wanted: FromHub, options: HubOptions, stop: Stop) -> tuple[RemoteModel, ...]:
    """The models that ``wanted`` means, at one commit of the repository.

    Raises ``NetworkError`` with what to do about it, and ``NothingToDo`` naming what the repository does hold.
    """
    endpoint, token = options.resolved_endpoint(), options.resolved_token()
    info = _info(wanted, endpoint, token, options, stop)
    revision = str(info.sha or wanted.revision or "main")
    base = f"{endpoint}/{wanted.repository}/resolve/{quote(revision, safe='')}"
    files = [
        RemoteFile(
            path=sibling.rfilename,
            url=f"{base}/{quote(sibling.rfilename)}",
            size_bytes=sibling.lfs.size if sibling.lfs else sibling.size,
            sha256=sibling.lfs.sha256 if sibling.lfs else None,
        )
        for sibling in info.siblings or ()
        if _is_model(sibling.rfilename)
    ]
    licence = _licence(info)
    return tuple(
        RemoteModel(
            name=without_quantization(posixpath.basename(group[0].path)),
            quantization=_quantization(group[0].path) or "unknown",
            source=wanted.repository,
            revision=revision,
            licence=licence,
            files=tuple(group),
        )
        for group in choose(files, wanted)
    )


def _is_model(path: str) -> bool:
    name = posixpath.basename(path).lower()
    safe = not path.startswith("/") and ".." not in path.split("/") and "\\" not in path and "\0" not in path
    return safe and name.endswith(".gguf") and not name.startswith(COMPANIONS)


def choose(files: Sequence[RemoteFile], wanted: FromHub) -> list[list[RemoteFile]]:
    """The files that were asked for, one list for each model, parts of a split model in order."""
    groups = _grouped(files)
    if not groups:
        raise NothingToDo(
            f"{printable(wanted.repository)} holds no GGUF file",
            fix="look for a repository whose name ends in -GGUF",
        )
    if wanted.file is not None:
        return [_named(groups, wanted)]
    if not wanted.quants:
        return [_usual(groups)]
    return [_quantized(groups, quantization, wanted) for quantization in wanted.quants]


def _grouped(files: Iterable[RemoteFile]) -> list[list[RemoteFile]]:
    groups: dict[str, list[RemoteFile]] = {}
    for file in files:
        groups.setdefault(split_stem(file.path) if split_part(file.path) else file.path, []).append(file)
    return [sorted(group, key=lambda file: file.path) for group in groups.values()]


def _quantization(path: str) -> str | None:
    """From the file name, else from the folder that it lies in, as large repositories sort their files."""
    return from_name(posixpath.basename(path)) or from_name(posixpath.dirname(path).replace("/", " "))


def _named(groups: Sequence[list[RemoteFile]], wanted: FromHub) -> list[RemoteFile]:
    for group in groups:
        if any(wanted.file in (file.path, posixpath.basename(file.path)) for file in group):
            return group
    raise NothingToDo(
        f"{printable(wanted.repository)} has no file {printable(wanted.file or '')}",
        why=_holds(groups),
        fix=f"llmtester models pull {printable(wanted.repository)}",
    )


def _usual(groups: Sequence[list[RemoteFile]]) -> list[RemoteFile]:
    for quantization in PREFERRED:
        for group in groups:
            if equal(_quantization(group[0].path) or "", quantization):
                return group
    return groups[0]


def _quantized(groups: Sequence[list[RemoteFile]], quantization: str, wanted: FromHub) -> list[RemoteFile]:
    found = [group for group in groups if equal(_quantization(group[0].path) or "", quantization)]
    if not found:
        raise NothingToDo(
            f"{printable(wanted.repository)} has no {printable(quantization)}",
            why=_holds(groups),
            fix="choose one of these",
        )
    if len(found) > 1:
        shallow = min(group[0].path.count("/") for group in found)
        found = [group for group in found if group[0].path.count("/") == shallow]
    if len(found) > 1:
        names = ", ".join(printable(group[0].path) for group in found[:5])
        raise NothingToDo(
            f"{printable(wanted.repository)} has several files with {printable(quantization)}",
            why=names,
            fix=f"llmtester models pull {printable(wanted.repository)}/{printable(found[0][0].path)}",
        )
    return found[0]


def _holds(groups: Sequence[list[RemoteFile]]) -> str:
    labels = sorted({_quantization(group[0].path) or posixpath.basename(group[0].path) for group in groups})
    return "it holds " + ", ".join(printable(label, 60) for label in labels[:30])


def _licence(info: ModelInfo) -> str | None:
    card: Any = info.card_data
    named = card.get("license_name") or card.get("license") if card else None
    if isinstance(named, str) and named:
        return named
    tags = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
    return tags[0] if tags else None


def _info(wanted: FromHub, endpoint: str, token: str | None, options: HubOptions, stop: Stop) -> ModelInfo:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    refuse_unusable_proxies()
    # Base of every error of httpx or httpx2, whichever the client was built on.
    transport_error: type[Exception] = HfHubHTTPError.__mro__[1]
    client = HfApi(endpoint=endpoint, token=token or False)
    pause = Pause(options, stop)
    while True:
        try:
            return client.model_info(
                wanted.repository, revision=wanted.revision, files_metadata=True, timeout=options.connect_s
            )
        except HfHubHTTPError as error:
            status = error.response.status_code
            failure = _refusal(error, wanted, endpoint, token)
            if status not in RETRIED_STATUS or not pause.wait(error.response.headers.get("retry-after")):
                raise failure from None  # the cause holds the request with its token
        except transport_error as error:
            if not pause.wait(None):
                raise unreachable(endpoint, str(error) or type(error).__name__) from None
        except OfflineModeIsEnabled:
            raise NetworkError(
                "the hub client is switched off", why="HF_HUB_OFFLINE is set", fix="unset HF_HUB_OFFLINE"
            ) from None
        except HFValidationError as error:
            raise ConfigurationError(printable(str(error)), fix="write it as owner/repository") from None
        except (ValueError, TypeError, KeyError, AttributeError):  # what the client does with answers of another shape
            raise NetworkError(
                f"{printable(endpoint)} answered with something else than the description of a repository",
                why="a sign-in page of this network, or an address in HF_ENDPOINT that is no hub",
                fix="open any web page to sign in to the network, or check HF_ENDPOINT",
            ) from None


def unreachable(endpoint: str, why: str) -> NetworkError:
    """The error for a hub or server that does not answer."""
    return NetworkError(
        f"{printable(endpoint)} does not answer",
        why=printable(why),
        fix="check the connection, HTTPS_PROXY and HF_ENDPOINT; without a hub: `llmtester models pull starter`",
    )


def gated(repository: str, endpoint: str, token: str | None) -> NetworkError:
    """The error for a model that its owner gives only to those who accepted terms."""
    page = f"{endpoint}/{repository}"
    if token:
        return NetworkError(
            f"{printable(repository)} is gated and your token has no access to it",
            fix=f"accept the terms at {printable(page)} with the account of the token, then run again",
        )
    return NetworkError(
        f"{printable(repository)} is gated: its owner asks you to accept terms first",
        fix=(
            f"accept them at {printable(page)}, create a token with read access at {endpoint}/settings/tokens, "
            "set the environment variable HF_TOKEN to it, then run again"
        ),
    )


def _refusal(error: Any, wanted: FromHub, endpoint: str, token: str | None) -> LlmtesterError:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    status = error.response.status_code
    repository = printable(wanted.repository)
    if isinstance(error, GatedRepoError) or status == 403:
        return gated(wanted.repository, endpoint, token)
    if isinstance(error, RevisionNotFoundError):
        return NothingToDo(f"{repository} has no revision {printable(wanted.revision or '')}", fix="leave it out")
    if isinstance(error, RepositoryNotFoundError) or status in (401, 404):
        why = "it does not exist, or it is private"
        if token and status == 401:
            why = "the token in HF_TOKEN (or of `hf auth login`) is not accepted, or the repository does not exist"
        return NetworkError(
            f"{repository} was not found at {printable(endpoint)}",
            why=why,
            fix="check the spelling; for a private one set HF_TOKEN to a token with read access",
        )
    if status == 429:
        return NetworkError(
            f"{printable(endpoint)} asks for fewer requests (status 429)", fix="wait some minutes, or set HF_TOKEN"
        )
    return NetworkError(f"{printable(endpoint)} answered with status {status}", fix="try again in a few minutes")
