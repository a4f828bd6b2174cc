"""Nothing is left: 200 starts and stops of the real server, and 100 kills of llmtester at random moments of a start."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.engines_real import real_session, starter_model

CYCLES, KILLS = 200, 100
WATCHED_S = 1.5
LEFT_WITHIN_S = 5.0

_OWNER = """
import asyncio, sys
from pathlib import Path
from benchmarks.engines_real import real_session

async def run():
    print('begun', flush=True)
    state = Path(sys.argv[1])
    async with real_session(256, state, state / 'model.gguf'):
        await asyncio.sleep(600)

asyncio.run(run())
"""


async def _cycles(state: Path) -> dict[str, int]:
    import psutil

    me, ports = psutil.Process(), set()

    async def once() -> None:
        async with real_session(256, state, state / "model.gguf") as session:
            assert session.facts.process_id is not None
            ports.add(session.facts.command[session.facts.command.index("--port") + 1])

    await once()
    files = me.num_fds()
    for _ in range(CYCLES):
        await once()
    listening = {
        str(connection.laddr.port)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    return {
        "files_left": max(0, me.num_fds() - files),
        "processes_left": len(me.children(recursive=True)),
        "ports_left": len(ports & listening),
        "notes_left": len(list((state / "servers").iterdir())),
    }


def _kills(state: Path) -> int:
    """Processes that outlived a killed owner by more than five seconds."""
    import psutil

    chance, seen = random.Random(7), []
    for _ in range(KILLS):
        owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(state)], stdout=subprocess.PIPE)
        assert owner.stdout is not None
        owner.stdout.readline()
        until_s = time.monotonic() + chance.uniform(0, WATCHED_S)
        while time.monotonic() < until_s:
            time.sleep(0.002)
        seen += psutil.Process(owner.pid).children(recursive=True)
        owner.kill()
        owner.wait()
        owner.stdout.close()
    _, alive = psutil.wait_procs(seen, timeout=LEFT_WITHIN_S)
    marked = str(state)
    stray = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(marked in word for word in process.info["cmdline"] or ())
    ]
    return len({process.pid for process in [*alive, *stray]})


def run() -> dict[str, object]:
    """Everything that was left, counted; 0 is the promise."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        (state / "model.gguf").symlink_to(starter_model())  # its path marks every process that serves it
        cycles = asyncio.run(_cycles(state))
        survivors = _kills(state)
    left = sum(cycles.values()) + survivors
    return {
        "name": "nothing left",
        "promise": f"{CYCLES} start/stop cycles and {KILLS} SIGKILLs leave no process, port, file or note",
        "measured": left,
        "limit": 0,
        "unit": "left behind",
        "passed": left == 0,
        **cycles,
        "survivors_of_kills": survivors,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
