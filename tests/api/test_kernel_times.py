"""Kernels are timed where that pays, the best moment counts, and what is known is not timed again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from llmtester.api import kernel_times
from llmtester.api.kernel_times import known_kernels, time_kernels
from llmtester.api.planning import measured_machine
from llmtester.domain.errors import EngineError, EngineFailure, RequestFailed, RequestFailure
from llmtester.domain.ports import EngineOptions, Session
from llmtester.domain.records import (
    Available,
    Buffer,
    Capabilities,
    Completion,
    KernelTime,
    Machine,
    Missing,
    ServerTimings,
    SessionFacts,
)
from llmtester.domain.work import Cell, Load, ModelRef, Plan, Request, ServerSettings, Target, WeightsRead
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.host.machine import read_machine
from llmtester.models import synthetic

MACHINE = replace(read_machine(), gpus=(), memory_limit_bytes=10**7)
"""So little memory that files have one layer."""


@dataclass
class Scripted:
    """An engine whose servers answer with times that the test sets: by type, nanoseconds a weight for each start."""

    decode_ns: dict[str, list[float]]
    name: str = "scripted"
    build: str = "build 1"
    starts: list[str] = field(default_factory=list)
    settings: list[ServerSettings] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)
    buffers: tuple[tuple[str, str], ...] = (("CPU", "model"), ("CPU_REPACK", "model"), ("CPU", "KV"))
    where: str = "/bin/one"

    def available(self) -> Available | Missing:
        return Available(self.build, self.where) if self.build else Missing("gone", "bring it back")

    def catalogue(self, wanted: object) -> None:
        return None

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        return self._serve(target)

    @asynccontextmanager
    async def _serve(self, target: Target) -> AsyncIterator[Session]:
        kind = target.model.quantization
        self.starts.append(kind)
        self.settings.append(target.settings)
        if kind in self.broken:
            raise self.broken[kind]
        layers = round(target.model.size_bytes / synthetic.layer_bytes(kind))
        yield cast("Session", _Served(self, kind, synthetic.weights_count(layers)))


@dataclass
class _Served:
    engine: Scripted
    kind: str
    weights_count: int

    @property
    def facts(self) -> SessionFacts:
        buffers = tuple(Buffer(device, purpose, 1) for device, purpose in self.engine.buffers)
        return SessionFacts("scripted", "1", (), 1, 256, 1, Capabilities(), buffers=buffers)

    async def generate(self, request: Request, on_arrival: object) -> Completion:
        told: Any = self.engine.decode_ns[self.kind].pop(0)
        if isinstance(told, Exception):
            raise told
        ms = told * self.weights_count / 1e6
        server = ServerTimings(64, 4, 60 * ms / 10, request.max_tok, ms * (request.max_tok - 1)) if told else None
        return Completion(0, 1, (), "length", 64, 4, request.max_tok, "server", server)


def reads(*parts: tuple[str, float]) -> tuple[WeightsRead, ...]:
    return tuple(WeightsRead(name, round(share * 1e9), round(share * 1e9)) for name, share in parts)


def plan(*models: tuple[WeightsRead, ...], settings: ServerSettings | None = None) -> Plan:
    """One cell for each model."""
    return Plan(
        tuple(
            Cell(
                Target(
                    "scripted",
                    ModelRef("m", f"Q{place}", f"/{place}", 10**9, f"print {place}", read_per_token=read),
                    settings or ServerSettings(threads=2),
                ),
                "interactive",
                Load("short", 64, 16),
            )
            for place, read in enumerate(models)
        )
    )


NAMES = ["Q4_K", "Q6_K", "Q8_0"]
THREE = plan(
    reads(("Q4_K", 0.8), ("Q6_K", 0.17), ("F32", 0.03)), reads(("Q8_0", 0.99), ("F32", 0.01)), reads(("Q6_K", 1.0))
)


ALIKE = plan(*[reads(("Q8_0", 1.0))] * 3)


def timed(engine: Scripted, work: Plan, folder: Path, machine: Machine = MACHINE) -> tuple[list[KernelTime], list[str]]:
    told: list[str] = []
    return list(known_kernels(engine, work, machine, folder, told.append)), told


def test_the_best_answer_counts_and_three_runs_look(tmp_path: Path) -> None:
    """Types that are much of a model and can be written, forth and back, in the first runs; then what is known."""
    slow = [[9.0, 8.0, 7.0], [9.0, 6.0, 9.0], [9.0, 9.0, 5.0]]
    engine = Scripted({})
    for best, answers in zip((7.0, 6.0, 5.0), slow, strict=True):
        engine.starts.clear()
        engine.decode_ns = {"Q4_K": list(answers), "Q6_K": [2.0] * 3, "Q8_0": [1.0] * 3}
        kernels, told = timed(engine, THREE, tmp_path)
        assert engine.starts == [*NAMES, *reversed(NAMES), *NAMES]
        assert [kernel.tensor_type for kernel in kernels] == NAMES
        assert [kernel.decode_weight_s * 1e9 for kernel in kernels] == pytest.approx([best, 2.0, 1.0])
        assert [kernel.prefill_weight_s * 1e9 for kernel in kernels] == pytest.approx([best / 10, 0.2, 0.1])
        assert told == ["Timing this machine for Q4_K, Q6_K, Q8_0: some seconds, in the first runs only."]
        assert [each.name for each in tmp_path.iterdir()] == [kernel_times.FILE_NAME]
    engine.starts.clear()
    kernels, told = timed(engine, THREE, tmp_path)
    assert (engine.starts, told) == ([], [])
    assert kernels[0].decode_weight_s * 1e9 == pytest.approx(5.0)
    assert set(engine.settings) == {ServerSettings(context_tok=kernel_times.CONTEXT_TOK, slots=1, threads=2)}


def test_other_conditions_are_timed_anew_and_the_old_ones_stay(tmp_path: Path) -> None:
    """Another build or binary, other settings or another processor; going back costs nothing more."""
    four = plan(*[reads(("Q8_0", 1.0))] * 3, settings=ServerSettings(threads=4))
    seen: dict[str, float] = {}
    for _ in range(kernel_times.MEASUREMENTS_COUNT):
        timed(Scripted({"Q8_0": [1.0] * 3}), ALIKE, tmp_path)
    for name, engine, work, machine in (
        ("build", Scripted({"Q8_0": [2.0] * 3}, build="build 2"), ALIKE, MACHINE),
        ("binary", Scripted({"Q8_0": [5.0] * 3}, where="/bin/two"), ALIKE, MACHINE),
        ("threads", Scripted({"Q8_0": [3.0] * 3}), four, MACHINE),
        ("processor", Scripted({"Q8_0": [4.0] * 3}), ALIKE, replace(MACHINE, cpu_model="another")),
        ("before", Scripted({}), ALIKE, MACHINE),
    ):
        (kernel,), _ = timed(engine, work, tmp_path, machine)
        seen[name] = round(kernel.decode_weight_s * 1e9, 6)
    assert seen == {"build": 2.0, "binary": 5.0, "threads": 3.0, "processor": 4.0, "before": 1.0}


@pytest.mark.parametrize(
    ("work", "machine", "build"),
    [
        (plan(*[reads(("Q8_0", 1.0))] * 2), MACHINE, "1"),
        (plan(*[()] * 3), MACHINE, "1"),
        (plan(*[reads(("NVFP4", 1.0))] * 3), MACHINE, "1"),
        (THREE, MACHINE, ""),
    ],
    ids=["two models", "no header", "nothing that can be written", "no engine"],
)
def test_where_it_does_not_pay_nothing_is_timed(tmp_path: Path, work: Plan, machine: Machine, build: str) -> None:
    """Nothing is started and nothing is written."""
    engine = Scripted({}, build=build)
    assert timed(engine, work, tmp_path, machine) == ([], [])
    assert engine.starts == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["CUDA0", "Vulkan0", "Metal", "MTL0"])
def test_where_a_gpu_works_nothing_is_timed(tmp_path: Path, device: str) -> None:
    """The first server of each of the first runs tells; then nobody asks any more."""
    for starts in (["Q4_K"],) * kernel_times.MEASUREMENTS_COUNT + ([],):
        engine = Scripted({}, buffers=(("CPU_Mapped", "model"), (device, "KV")))
        assert timed(engine, THREE, tmp_path)[0] == []
        assert engine.starts == starts


def test_a_gpu_that_is_not_used_changes_nothing(tmp_path: Path) -> None:
    """A display adapter, memory that a GPU maps of the host, and scratch space on it."""
    engine = Scripted({"Q8_0": [1.0] * 3}, buffers=(("CUDA_Host", "model"), ("CUDA0", "compute"), ("AMX", "model")))
    kernels, _ = timed(engine, ALIKE, tmp_path, replace(MACHINE, gpus=("a GPU",)))
    assert len(kernels) == 1


def test_what_cannot_be_timed_is_left_out(tmp_path: Path) -> None:
    """A server that does not start, a request that fails, an answer without times: the other types are timed."""
    refused = EngineError(EngineFailure.EXITED, "it does not start")
    lost = cast("Any", RequestFailed(RequestFailure.CONNECT, "gone"))
    engine = Scripted({"Q6_K": [lost], "Q8_0": [5.0, 3.0, 0.0]}, broken={"Q4_K": refused})
    kernels, _ = timed(engine, THREE, tmp_path)
    assert [(kernel.tensor_type, round(kernel.decode_weight_s * 1e9, 6)) for kernel in kernels] == [("Q8_0", 3.0)]
    assert engine.starts == [*NAMES, "Q8_0", "Q8_0"]
    for starts in (["Q8_0"],) * kernel_times.MEASUREMENTS_COUNT + ([],):
        mute = Scripted({"Q8_0": [0.0]}, build="build 2")
        assert timed(mute, ALIKE, tmp_path)[0] == []
        assert mute.starts == starts, "what failed in a few runs is not tried for ever"
    assert [each.name for each in tmp_path.iterdir()] == [kernel_times.FILE_NAME]


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"x": 1}', "null", "\xff"])
def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path, kept: str) -> None:
    """It is timed again and written anew."""
    path = tmp_path / kernel_times.FILE_NAME
    path.write_bytes(kept.encode("latin-1"))
    kernels, _ = timed(Scripted({"Q8_0": [1.0] * 3}), ALIKE, tmp_path)
    assert len(kernels) == 1
    assert b"build 1" in path.read_bytes()


@pytest.mark.parametrize("row", ["[0.0, 0.0]", "[-1.0, 1e-10]", "[NaN, 1e-10]", "[Infinity, 1e-10]", "7", '["a", "b"]'])
def test_what_is_no_time_is_not_believed(tmp_path: Path, row: str) -> None:
    """Under the very conditions that are asked for; the sound rows beside it stay."""
    path = tmp_path / kernel_times.FILE_NAME
    timed(Scripted({"Q8_0": [3.0] * 3}), ALIKE, tmp_path)
    ((conditions, _),) = json.loads(path.read_text()).items()
    path.write_text(f'{{"{conditions}": {{"Q8_0": [{row}, [2e-9, 1e-10], null]}}}}')
    (kernel,), told = timed(Scripted({}), ALIKE, tmp_path)
    assert (kernel.decode_weight_s, kernel.prefill_weight_s, told) == (2e-9, 1e-10, [])


def test_the_machine_of_a_run_holds_its_kernels(tmp_path: Path) -> None:
    """What was timed is a fact of the machine that the run was begun on, and whoever watches is told first."""
    told: list[str] = []
    engine = Scripted({"Q4_K": [1.0] * 3, "Q6_K": [1.0] * 3, "Q8_0": [1.0] * 3})
    machine = measured_machine(engine, THREE, told.append)
    assert [kernel.tensor_type for kernel in machine.kernels] == NAMES
    assert len(told) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_it_after_the_present_server(
    tmp_path: Path, number: signal.Signals, raised: type[BaseException], count: int
) -> None:
    """No further server is started, no file is left, and the caller is told as by the signal itself; a second one does
    not wait for the present one."""

    class Interrupting(Scripted):
        @asynccontextmanager
        async def _serve(self, target: Target) -> AsyncIterator[Session]:
            for _ in range(count):
                os.kill(os.getpid(), number)
                for _ in range(1000):  # turns of the loop, in which it hears the signal
                    await asyncio.sleep(0)
            async with super()._serve(target) as session:
                yield session

    engine = Interrupting({"Q8_0": [1.0] * 3, "F16": [1.0] * 3})
    folder = tmp_path / "synthetic"
    with pytest.raises(raised):
        time_kernels(engine, ServerSettings(), MACHINE, folder, ["Q8_0", "F16"])
    assert engine.starts == ["Q8_0"][: 2 - count]
    assert not folder.exists()


REAL = ["F16", "IQ2_XXS", "MXFP4", "Q4_0", "TQ2_0"]


@pytest.mark.engine
def test_a_real_server_reads_the_files(tmp_path: Path) -> None:
    """The embedded engine loads them and answers: a type of 16 bits takes longer than one of 4 in the same moment."""
    engine = EmbeddedEngine(EngineOptions(folder=tmp_path))
    settings = ServerSettings(context_tok=kernel_times.CONTEXT_TOK, threads=1)
    found = {
        kernel.tensor_type: kernel
        for kernel in time_kernels(engine, settings, MACHINE, tmp_path / "synthetic", REAL).values()
        if kernel
    }
    assert sorted(found) == REAL
    assert found["Q4_0"].decode_weight_s < found["F16"].decode_weight_s
    assert all(1e-13 < kernel.prefill_weight_s < kernel.decode_weight_s < 1e-7 for kernel in found.values())
