"""How a package is added to this installation, so that a message never sends it to another Python."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path


def install_command(
    package: str,
    executable: str = sys.executable,
    prefix: str = sys.prefix,
    which: Callable[[str], str | None] = shutil.which,
) -> str:
    """The command that adds ``package`` beside llmtester: that of pipx or uv where these made the installation, else
    pip of this very interpreter, by its short name if that means it.

    >>> install_command("socksio", "/usr/bin/python3", "/usr", {"python3": "/usr/bin/python3"}.get)
    'python3 -m pip install socksio'
    """
    parts = Path(prefix).parts
    if _inside(parts, "pipx", "venvs"):
        return f"pipx inject {parts[-1]} {package}"
    if _inside(parts, "uv", "tools"):
        return f"uv tool install {parts[-1]} --with {package}"
    named = next((name for name in ("python", "python3") if executable and which(name) == executable), None)
    return f"{named or _quoted(executable or 'python')} -m pip install {package}"


def _inside(parts: tuple[str, ...], *folders: str) -> bool:
    """Whether a path is ``.../folders/NAME``."""
    return parts[-1 - len(folders) : -1] == folders


def _quoted(path: str) -> str:
    if sys.platform == "win32":
        return f'"{path}"' if " " in path else path
    return shlex.quote(path)
