"""A made-up run as events: five models at four quantizations, one of them under way."""

from __future__ import annotations

from collections.abc import Iterator

from llmtester.domain import events
from llmtester.domain.errors import EngineFailure
from llmtester.domain.records import Capabilities, Instant, Reading, Sample, ServerTimings, SessionFacts
from llmtester.domain.work import Cell, Load, ModelRef, Plan, ServerSettings, Skip, Target

from .summaries import MACHINE, MODELS, QUANTS

SECOND = 1_000_000_000


def targets(models: int = 5, quants: int = 4) -> list[Target]:
    found = []
    for place in range(models):
        name, billions, architecture = MODELS[place % 5]
        name = name if place < 5 else f"{name}-{place}"
        for level in range(quants):
            quantization, bits = QUANTS[level % 4] if level < 4 else (f"IQ{level}_XS", 9.0 + level)
            size = int(billions * bits / 8 * 1e9)
            model = ModelRef(
                name, quantization, f"/m/{name}", size, f"{name}{quantization}", architecture, bits_per_weight=bits
            )
            found.append(Target("llama-server", model, ServerSettings()))
    return found


def sample(at_ns: int, ttft_s: float, tok_per_s: float, tok: int = 64) -> Sample:
    arrivals = tuple(int((ttft_s + place / tok_per_s) * SECOND) for place in range(tok))
    timings = ServerTimings(512, 0, ttft_s * 1e3 - 10, tok, (tok - 1) / tok_per_s * 1e3)
    return Sample("r", at_ns, at_ns + arrivals[-1], arrivals, 512, None, 512, 0, tok, "timings", "length", timings)


def reading(at_ns: int, step: int) -> Reading:
    return Reading(
        at_ns,
        21_000_000_000 - step % 7 * 300_000_000,
        0,
        server_rss_bytes=4_900_000_000,
        server_anonymous_bytes=900_000_000,
        server_file_bytes=4_000_000_000,
        own_cpu_ratio=0.01,
        server_cpu_ratio=0.9,
        other_cpu_ratio=0.04,
        temperature_c=58.0 + step % 9,
        frequency_mhz=3400.0,
    )


def run(models: int = 5, quants: int = 4, done: int = 9, loads: int = 1, end: bool = False) -> Iterator[events.Event]:
    """``done`` targets finished, the next one under way, the last one of all left out by the plan."""
    shapes = [Load("chat" if place == 0 else f"chat-{place}", 512, 64) for place in range(loads)]
    *planned, left_out = targets(models, quants)
    cells = tuple(Cell(target, "interactive", load) for target in planned for load in shapes)
    skips = tuple(Skip(Cell(left_out, "interactive", load), "needs 14.1 GB, 12.6 GB are free") for load in shapes)
    now = SECOND
    yield events.RunStarted(
        now, Instant(now, 0), "20261124T201500-3f9a", Plan(cells, skips, expected_s=2400.0), MACHINE, {}, "0.1.0"
    )
    for place, target in enumerate(planned[: done + 1]):
        gigabytes = target.model.size_bytes / 1e9
        now += 4 * SECOND
        if place == 3:
            yield events.TargetFailed(now, target.key, EngineFailure.CORRUPT_FILE, "tensor data is cut off", "pull it")
            continue
        facts = SessionFacts("llama-server", "b6700", ("llama-server",), 4 * SECOND, 4096, 1, Capabilities())
        yield events.TargetReady(now, target.key, facts)
        for load in shapes:
            cell = Cell(target, "interactive", load)
            last = place == done and not end
            for trial in range(-1, 2 if last else 5):
                warmup, number = trial < 0, max(trial, 0)
                yield events.TrialStarted(now, cell.key, number, warmup)
                speed = 60 / gigabytes * (1 + (trial % 3) * 0.01)
                for step in range(3):
                    now += SECOND
                    yield events.Pulse(now, cell.key, int(speed * step) + 1, reading(now, now // SECOND))
                if last and trial == 1:
                    return
                yield events.SampleTaken(now, cell.key, number, sample(now, 0.2 * gigabytes, speed))
                yield events.TrialEnded(now, cell.key, number, warmup)
    if end:
        yield events.RunEnded(now, "finished")
