"""The command that a message names adds the package to this installation and to no other."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from llmtester.domain.errors import ConfigurationError
from llmtester.domain.installing import install_command
from llmtester.domain.proxies import refuse_unusable_proxies


@pytest.mark.parametrize(
    ("executable", "prefix", "on_path", "command"),
    [
        ("/v/bin/python", "/v", {"python": "/v/bin/python"}, "python -m pip install x"),
        ("/v/bin/python3", "/v", {"python3": "/v/bin/python3"}, "python3 -m pip install x"),
        ("/v/bin/python", "/v", {"python": "/usr/bin/python"}, "/v/bin/python -m pip install x"),
        ("/my env/bin/python", "/my env", {}, "'/my env/bin/python' -m pip install x"),
        ("/p", "/shared/pipx/venvs/llmtester", {}, "pipx inject llmtester x"),
        ("/p", "/shared/uv/tools/llmtester", {}, "uv tool install llmtester --with x"),
        ("", "/v", {}, "python -m pip install x"),
    ],
)
def test_the_command_is_that_of_the_installation(
    executable: str, prefix: str, on_path: dict[str, str], command: str
) -> None:
    """pipx and uv have commands of their own; a short name stands only where it means the same interpreter."""
    assert install_command("x", executable, prefix, on_path.get) == command


def test_the_fix_of_a_proxy_can_be_typed() -> None:
    """What the message names is an interpreter that is this one, whatever ``python`` means on the path."""
    with pytest.raises(ConfigurationError) as raised:
        refuse_unusable_proxies({"all": "socks5://127.0.0.1:1080"}, has_socks=False)
    command, _, rest = raised.value.fix.partition("; ")
    words = shlex.split(command)
    assert words[1:] == ["-m", "pip", "install", "socksio"]
    told = subprocess.run([words[0], "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == sys.prefix
    assert rest == "or name an HTTP proxy, or unset the variable"
