"""Whether being measured by llmtester slows a server down: its own decode rate, beside that for curl.

The same server, the same requests, in pairs of random order. For its half of a pair llmtester runs everything that a
run on a terminal has: a trial with its journal, pulses of the sensors, the loop canary, and the dashboard, which is
``llmtester watch`` on a pseudo-terminal, following that journal. For curl's half the dashboard is stopped and nothing
pulses. What is compared is what the server itself reports.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engines_real import real_session, starter_target

if TYPE_CHECKING:
    from llmtester.domain.events import Event
    from llmtester.domain.ports import Bench
    from llmtester.domain.records import Completion
    from llmtester.domain.work import Load, Request, ServerSettings
    from llmtester.store.runs import RunFolder

PAIRS, TOKENS = 24, 96
LIMIT_RATIO = 0.99
PULSE_S = 1.0
COLUMNS, ROWS = 120, 40
FRAME_BYTES = COLUMNS * ROWS // 2  # more than what prepares the screen
FIRST_FRAME_WITHIN_S = 30.0


def _request(number: int) -> Request:
    from llmtester.domain.work import Message, Request

    return Request(str(number), (Message("user", f"{number} tell me of the river"),), TOKENS)


class _OneRequest:
    """A profile that asks what curl is asked."""

    name, summary, headline, compares, reference_loads = "interactive", "", (), False, ()

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        return ()

    def refuses(self, server: ServerSettings) -> None:
        return None

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        return [_request(trial)]

    def grade(self, request: Request, completion: Completion) -> None:
        return None


def _rate(predicted_tok: float, predicted_ms: float) -> float:
    return 1000 * (predicted_tok - 1) / predicted_ms


async def _curl(url: str, key: str, body: bytes) -> float:
    """Decode tokens a second as the server tells curl; the key goes through standard input."""
    command = ["curl", "-sN", "--config", "-", "--data-binary", body.decode(), url]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    output, _ = await process.communicate(f'header = "Authorization: Bearer {key}"\n'.encode())
    events = [json.loads(line[6:]) for line in output.split(b"\n") if line.startswith(b"data: {")]
    timings = next(event["timings"] for event in reversed(events) if "timings" in event)
    return _rate(timings["predicted_n"], timings["predicted_ms"])


class _Dashboard:
    """The real dashboard process on a pseudo-terminal that somebody reads; stopped until it is wanted."""

    def __init__(self, folder: RunFolder) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.drawn_bytes = 0
        self._drawn = asyncio.Event()
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color"}
        command = [sys.executable, "-m", "llmtester", "watch", "--beside-run", str(folder.path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._draw)

    async def first_frame(self) -> None:
        async with asyncio.timeout(FIRST_FRAME_WITHIN_S):
            await self._drawn.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @contextmanager
    def awake(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGCONT)
        yield
        self._process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def _draw(self) -> None:
        try:
            self.drawn_bytes += len(os.read(self._ours, 1 << 16))
        except OSError:  # it has ended, which the result tells
            asyncio.get_running_loop().remove_reader(self._ours)
        if self.drawn_bytes > FRAME_BYTES:
            self._drawn.set()


async def _pairs() -> tuple[list[float], int, bool]:  # noqa: PLR0915 - one experiment, told in order
    from llmtester.domain.events import Pulse, RunStarted, SampleTaken, TargetReady
    from llmtester.domain.ports import Bench
    from llmtester.domain.records import Sample
    from llmtester.domain.work import Cell, Load, Plan
    from llmtester.engines.http_session import LLAMA, HttpSession
    from llmtester.host.canary import LoopCanary
    from llmtester.host.clock import SystemClock
    from llmtester.host.collector import quiet_garbage_collector
    from llmtester.host.machine import read_machine
    from llmtester.host.telemetry import SystemSensors
    from llmtester.runner.trial import Trial
    from llmtester.store import runs
    from llmtester.store.journal import Journal

    chance, clock, ratios = random.Random(3), SystemClock(), []
    target = starter_target()
    cell = Cell(target, _OneRequest.name, Load("river", 32, TOKENS, max_trials=PAIRS))
    with tempfile.TemporaryDirectory() as output:
        folder = runs.create(Path(output))
        first = RunStarted(clock.now_ns(), clock.instant(), folder.run_id, Plan((cell,)), read_machine(), {}, "0")
        async with real_session() as session, LoopCanary() as canary:
            assert isinstance(session, HttpSession)
            url, key = session.client.address.url, session.client.address.api_key or ""
            sensors, taken = SystemSensors(canary), list[Sample]()
            with runs.exclusive(folder.lock, "run"), Journal.create(folder.journal, first) as journal:

                def emit(event: Event) -> None:
                    journal.emit(event)
                    if isinstance(event, SampleTaken):
                        taken.append(event.sample)

                async def pulse(trial: Trial) -> None:
                    while True:
                        await clock.sleep(PULSE_S)
                        reading = sensors.read(session.facts.process_id)
                        emit(Pulse(reading.at_ns, cell.key, trial.arrived_count, reading))

                emit(TargetReady(clock.now_ns(), target.key, session.facts))
                bench = Bench(target, session.facts, session.count_tokens)
                trial = Trial(session, _OneRequest(), cell, bench, 1, clock, emit, lambda: False)

                async def ours(number: int) -> float:
                    with dashboard.awake():
                        pulsing = asyncio.create_task(pulse(trial))
                        await trial.run(number, warmup=False, quiet=quiet_garbage_collector)
                        pulsing.cancel()
                    server = taken[-1].server
                    assert server is not None and server.predicted_tok and server.predicted_ms
                    return _rate(server.predicted_tok, server.predicted_ms)

                async def curl(number: int) -> float:
                    return await _curl(
                        f"{url}{LLAMA.path}", key, json.dumps(LLAMA.body(_request(number), "m")).encode()
                    )

                dashboard = _Dashboard(folder)
                try:
                    await dashboard.first_frame()
                    for number in range(PAIRS + 1):
                        order = [ours, curl]
                        chance.shuffle(order)
                        rates = {who: await who(number) for who in order}
                        if number:
                            ratios.append(rates[ours] / rates[curl])
                    alive = dashboard.alive
                finally:
                    dashboard.close()
    return ratios, dashboard.drawn_bytes, alive


def run() -> dict[str, object]:
    """Median over pairs of the server's decode rate for llmtester, divided by that for curl."""
    import uvloop

    started_s = time.monotonic()
    ratios, drawn_bytes, alive = uvloop.run(_pairs())
    median = statistics.median(ratios)
    return {
        "name": "perturbation",
        "promise": f"with the live dashboard on, the server decodes at >= {LIMIT_RATIO} of its rate for curl",
        "measured": median,
        "limit": LIMIT_RATIO,
        "passed": median >= LIMIT_RATIO and alive,
        "quartiles": statistics.quantiles(ratios, n=4),
        "pairs": len(ratios),
        "dashboard_alive": alive,
        "dashboard_drawn_bytes": drawn_bytes,
        "took_s": time.monotonic() - started_s,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
