"""Nothing is left: 200 starts and stops of the real server, and 100 kills of llmtester at random moments.

A third of the kills each hits the start of llmtester and its server, the loading of the model, and generation: the
moments are drawn within stages that the owner announces, so that no machine is too fast or too slow for them. What is
counted afterwards: processes, listening ports, open files of the process that lives through the cycles, temporary
files. Notes of killed owners are cleared by the next start, which is part of the promise.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.engines_real import real_session, starter_model

CYCLES, KILLS = 200, 100
STAGES_S = {"begun": 0.3, "loading": 0.25, "generating": 0.5}
"""What the owner announces, and within which time after that it is killed."""
LEFT_WITHIN_S = 5.0

_OWNER = """
import asyncio, os, sys
from pathlib import Path
from benchmarks.engines_real import starter_target
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import Message, Request
from llmtester.engines.embedded import EmbeddedEngine

STATE = Path(sys.argv[1])

def is_noted():
    return any(f'"id": {os.getpid()}' in note.read_text() for note in (STATE / 'servers').glob('*.json'))

async def tell_when_loading():
    while not is_noted():
        await asyncio.sleep(0.005)
    print('loading', flush=True)

async def run():
    print('begun', flush=True)
    telling = asyncio.create_task(tell_when_loading())
    engine = EmbeddedEngine(EngineOptions(folder=STATE))
    async with engine.open(starter_target(256, STATE / 'model.gguf'), STATE / 'log') as session:
        while True:
            request = Request('r', (Message('user', 'Tell me of the sea.'),), 200)
            await session.generate(request, lambda at_ns: print('generating', flush=True))

asyncio.run(run())
"""


def _marked(state: Path) -> list[int]:
    """Processes whose command line names ``state``, the killed owners' servers and guards among them."""
    import psutil

    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.pid != os.getpid() and any(str(state) in word for word in process.info["cmdline"] or ())
    ]


def _listening() -> set[int]:
    """Listening TCP ports of this machine."""
    import psutil

    connections = psutil.net_connections("tcp")
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN and each.laddr}


def _files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def _cycles(state: Path) -> dict[str, int]:
    import psutil

    me, ports = psutil.Process(), set()

    async def once() -> None:
        async with real_session(256, state, state / "model.gguf") as session:
            assert session.facts.process_id is not None
            ports.add(int(session.facts.command[session.facts.command.index("--port") + 1]))

    await once()
    open_files, temporary = me.num_fds(), _files_in(Path(tempfile.gettempdir()))
    for _ in range(CYCLES):
        await once()
    return {
        "files_open_after_cycles": max(0, me.num_fds() - open_files),
        "processes_after_cycles": len(me.children(recursive=True)),
        "ports_after_cycles": len(ports & _listening()),
        "temporary_files_after_cycles": len(_files_in(Path(tempfile.gettempdir())) - temporary),
    }


def _moments() -> Iterator[tuple[str, float]]:
    """Stage and seconds after it, for each kill."""
    chance, stages = random.Random(7), list(STAGES_S)
    for number in range(KILLS):
        stage = stages[number % len(stages)]
        yield stage, chance.uniform(0, STAGES_S[stage])


def _kills(state: Path) -> dict[str, int]:
    import psutil

    before = _listening()
    hit, seen, ports = dict.fromkeys(STAGES_S, 0), [], set()
    for stage, wait_s in _moments():
        owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(state)], stdout=subprocess.PIPE, bufsize=0)
        assert owner.stdout is not None
        while (line := owner.stdout.readline().decode().strip()) != stage:
            assert line, "the owner ended by itself"
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s:
            time.sleep(0.002)
        family = psutil.Process(owner.pid).children(recursive=True)
        seen += family
        for process in family:
            ports |= _ports_of(process)
        hit[stage] += owner.poll() is None
        owner.kill()
        owner.wait()
        owner.stdout.close()
    _, alive = psutil.wait_procs(seen, timeout=LEFT_WITHIN_S)
    return {
        **{f"kills_while_{stage}": count for stage, count in hit.items()},
        "processes_after_kills": len({process.pid for process in alive} | set(_marked(state))),
        "ports_after_kills": len((_listening() - before) & ports),
        "temporary_files_after_kills": len(_files_in(Path(tempfile.gettempdir()))),
    }


def _ports_of(process: object) -> set[int]:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:  # it ended in this moment
        return set()
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN and each.laddr}


def run() -> dict[str, object]:
    """Everything that was left, counted; 0 is the promise."""
    with tempfile.TemporaryDirectory() as folder:
        # A temporary folder of our own: what others write meanwhile is not ours to count.
        state, outer, tempfile.tempdir = Path(folder) / "state", tempfile.tempdir, str(Path(folder) / "tmp")
        environment = os.environ.get("TMPDIR")
        try:
            state.mkdir()
            Path(tempfile.tempdir).mkdir()
            os.environ["TMPDIR"] = tempfile.tempdir
            (state / "model.gguf").symlink_to(starter_model())  # its path marks every process that serves it
            cycles = asyncio.run(_cycles(state))
            kills = _kills(state)
            asyncio.run(_start_once(state))
            notes = len(list((state / "servers").iterdir()))
        finally:
            tempfile.tempdir = outer
            os.environ.pop("TMPDIR")
            os.environ |= {"TMPDIR": environment} if environment else {}
    stages = {name: count for name, count in kills.items() if name.startswith("kills_while_")}
    left = sum(cycles.values()) + notes + sum(count for name, count in kills.items() if name not in stages)
    return {
        "name": "nothing left",
        "promise": f"{CYCLES} start/stop cycles and {KILLS} SIGKILLs leave no process, port, file or note",
        "measured": left,
        "limit": 0,
        "passed": left == 0 and sum(stages.values()) == KILLS,
        **cycles,
        **kills,
        "notes_after_the_next_start": notes,
    }


async def _start_once(state: Path) -> None:
    async with real_session(256, state, state / "model.gguf"):
        pass


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
