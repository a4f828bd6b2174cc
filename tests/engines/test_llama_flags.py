"""Command lines: the spellings of old and new builds, and everything pinned."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from llmtester.domain.errors import EngineError, EngineFailure
from llmtester.domain.work import ServerSettings
from llmtester.engines.embedded import parameters
from llmtester.engines.llama_flags import NEWEST, Build, command, probe
from llmtester.engines.server_log import read_log
from llmtester.settings import load_settings

DATA = Path(__file__).with_name("data")

SETTINGS = ServerSettings(context_tok=1000, slots=3, threads=5, gpu_layers=7, flash_attention="on")


def value_of(words: tuple[str, ...], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_a_new_build_gets_everything_pinned():
    """Context is for all slots together; what distorts is set, defaults included."""
    words = command("ls", "m.gguf", 99, SETTINGS, NEWEST)
    expected = {
        "--model": "m.gguf",
        "--host": "127.0.0.1",
        "--port": "99",
        "--ctx-size": "3000",
        "--parallel": "3",
        "--threads": "5",
        "--threads-batch": "5",
        "--gpu-layers": "7",
        "--flash-attn": "on",
        "--cache-type-k": "f16",
        "--cache-ram": "0",
        "--load-mode": "mmap",
        "--fit": "off",
        "--verbosity": "4",
    }
    assert {flag: value_of(words, flag) for flag in expected} == expected
    assert {"--no-kv-unified", "--no-ui", "--metrics", "--offline"} <= set(words)


def test_an_old_build_gets_its_own_spellings():
    """A build without new flags is not given them; bare flags stay bare."""
    known = {"-c", "-np", "-b", "-ub", "-t", "-tb", "-ngl", "-ctk", "-ctv", "--no-webui", "--flash-attn", "--no-mmap"}
    old = Build("b3000", frozenset(known), False, ())
    words = command("ls", "m.gguf", 99, replace(SETTINGS, memory_map=False), old)
    assert value_of(words, "-c") == "3000"
    assert words[-2:] == ("--flash-attn", "--no-mmap")
    assert "--no-webui" in words
    assert not {"--fit", "--load-mode", "--cache-ram", "--no-kv-unified", "--verbosity"} & set(words)
    assert "--flash-attn" not in command("ls", "m.gguf", 99, replace(SETTINGS, flash_attention="off"), old)


def test_a_setting_that_a_build_cannot_keep_is_refused():
    """Another cache type on a build without that flag would silently measure something else."""
    bare = Build("b1", frozenset({"-c", "-np", "-b", "-ub"}), False, ())
    command("ls", "m.gguf", 99, ServerSettings(), bare)
    with pytest.raises(EngineError) as raised:
        command("ls", "m.gguf", 99, ServerSettings(cache_type_v="q8_0"), bare)
    assert raised.value.failure is EngineFailure.BAD_FLAG
    assert "--cache-type-v" in raised.value.what


def test_layers_are_left_to_the_engine_only_where_there_is_a_choice():
    """With a GPU and no number given the engine fits the layers; without one there is nothing to fit."""
    free = replace(SETTINGS, gpu_layers=None, device="CUDA0", tensor_split="3,1")
    words = command("ls", "m.gguf", 99, free, replace(NEWEST, devices=("CUDA0",)))
    assert value_of(words, "--fit") == "on"
    assert (value_of(words, "--device"), value_of(words, "--tensor-split")) == ("CUDA0", "3,1")
    assert "--gpu-layers" not in words
    assert value_of(command("ls", "m.gguf", 99, free, NEWEST), "--fit") == "off"


@pytest.mark.engine
def test_a_real_binary_is_probed(llama_server_binary):
    """The binary of the dev extra tells its version, knows the flags that we pin, and finds no GPU here."""
    build = probe(llama_server_binary)
    assert re.fullmatch(r".*\([0-9a-f]{7,}\)", build.version)
    assert build.flash_attention_takes_value
    words = command(str(llama_server_binary), "m.gguf", 99, ServerSettings(), build)
    flags = {word for word in words[1:] if word.startswith("--")}
    assert flags <= build.flags
    assert {"--cache-ram", "--fit", "--ctx-checkpoints", "--no-kv-unified"} <= flags


def test_what_is_no_program_is_named(tmp_path):
    """A file that cannot be executed gives an error with its path."""
    path = tmp_path / "llama-server"
    path.write_text("")
    with pytest.raises(EngineError) as raised:
        probe(path)
    assert str(path) in raised.value.what


@pytest.mark.engine
def test_the_embedded_engine_knows_every_parameter():
    """Each attribute that is set exists in the installed xllamacpp, enumeration members included."""
    xllamacpp = pytest.importorskip("xllamacpp")
    settings = replace(SETTINGS, tensor_split="1,1", cache_type_k="q8_0", cache_type_v="q4_0", memory_map=False)
    for path, value in parameters("m.gguf", 1, settings).items():
        owner = xllamacpp.CommonParams()
        *above, name = path.split(".")
        for step in above:
            owner = getattr(owner, step)
        assert hasattr(owner, name), path
        if isinstance(value, dict):
            enumeration, member = value["enum"]
            assert hasattr(getattr(xllamacpp, enumeration), member)


MIB = 2**20
IN_PART = """
0.1 I load_tensors: offloaded 20/33 layers to GPU
0.1 I llama_model_loader: loaded meta data with 33 key-value pairs
0.2 I load_tensors:   CPU_Mapped model buffer size =  1200.00 MiB
0.2 I load_tensors:        CUDA0 model buffer size =  3000.00 MiB
0.2 I load_tensors:        CUDA1 model buffer size =  1000.00 MiB
0.3 I llama_context:  CUDA_Host  output buffer size =     0.50 MiB
0.3 I llama_kv_cache:        CPU KV buffer size =   192.00 MiB
0.3 I llama_kv_cache:      CUDA0 KV buffer size =   240.00 MiB
0.3 I llama_kv_cache:      CUDA1 KV buffer size =    80.00 MiB
0.4 I sched_reserve:      CUDA0 compute buffer size =   258.50 MiB
0.4 I sched_reserve:  CUDA_Host compute buffer size =    12.01 MiB
"""
UNIFIED = """
0.1 I llama_model_loader: loaded meta data with 33 key-value pairs
0.2 I load_tensors: MTL0_Mapped model buffer size =  4000.00 MiB
0.3 I llama_memory_recurrent:       MTL0 RS buffer size =     2.50 MiB
0.4 I sched_reserve:       MTL0 compute buffer size =   100.00 MiB
"""


def sizes_by_device(log: str) -> dict[str, float]:
    """MiB of everything that a log says is allocated on each device."""
    found: dict[str, float] = {}
    for buffer in read_log(log).buffers:
        found[buffer.device] = found.get(buffer.device, 0.0) + buffer.size_bytes / MIB
    return found


@pytest.mark.parametrize(
    ("name", "compute_mib", "kernel"), [("embedded", 15.64, "REPACK = 1"), ("llama_server", 14.51, "AVX_VNNI = 1")]
)
def test_recorded_logs(name, compute_mib, kernel):
    """Two builds, one 16-bit model on a processor: every buffer, and no device that only a line of hope names."""
    logged = read_log((DATA / f"load_{name}.log").read_text(encoding="utf-8"))
    assert {(buffer.device, buffer.purpose): buffer.size_bytes for buffer in logged.buffers} == {
        ("CPU_Mapped", "model"): round(256.63 * MIB),
        ("CPU", "output"): round(0.19 * MIB),
        ("CPU", "KV"): round(22.50 * MIB),
        ("CPU", "compute"): round(compute_mib * MIB),
    }
    assert logged.flash_attention is True
    assert kernel in logged.system_info


def test_buffers_of_devices():
    """Layers on two GPUs and the processor, and memory that a GPU shares: each device has its sum. The lines have the
    form of llama.cpp's source; no GPU was here to record them."""
    assert sizes_by_device(IN_PART) == pytest.approx(
        {"CPU_Mapped": 1200, "CUDA0": 3498.5, "CUDA1": 1080, "CUDA_Host": 12.51, "CPU": 192}
    )
    assert sizes_by_device(UNIFIED) == pytest.approx({"MTL0_Mapped": 4000, "MTL0": 102.5})


def test_offload_from_settings_to_the_command_line():
    """What a user sets reaches the server under the flags of the build."""
    chosen = {
        "server.gpu_layers": 20,
        "server.device": "CUDA0,CUDA1",
        "server.tensor_split": "3,1",
        "server.flash_attention": "on",
        "server.cache_type_k": "q8_0",
        "server.cache_type_v": "q8_0",
    }
    settings = load_settings(overrides=chosen).settings.server.as_server_settings()
    words = command("ls", "m.gguf", 99, settings, replace(NEWEST, devices=("CUDA0", "CUDA1")))
    flags = ("--gpu-layers", "--device", "--tensor-split", "--flash-attn", "--cache-type-k", "--cache-type-v", "--fit")
    assert [value_of(words, flag) for flag in flags] == ["20", "CUDA0,CUDA1", "3,1", "on", "q8_0", "q8_0", "off"]


def test_buffers_in_the_log():
    """Only the real load counts, not the fit pass before it; equal devices and purposes are summed."""
    log = """
0.1 I load_tensors:   CPU_Mapped model buffer size =    92.10 MiB
0.2 I llama_model_loader: loaded meta data with 33 key-value pairs
0.3 I load_tensors:        CUDA0 model buffer size =   100.00 MiB
0.3 I load_tensors:        CUDA0 model buffer size =    50.50 MiB
0.4 I llama_kv_cache:        CPU KV buffer size =    45.00 MiB
0.5 I resolve_fused_ops: Flash Attention enabled
system_info: n_threads = 2 | CPU : AVX2 = 1 |
"""
    logged = read_log(log)
    assert [(buffer.device, buffer.purpose, buffer.size_bytes) for buffer in logged.buffers] == [
        ("CUDA0", "model", round(150.5 * 2**20)),
        ("CPU", "KV", 45 * 2**20),
    ]
    assert logged.flash_attention is True
    assert logged.system_info == "n_threads = 2 | CPU : AVX2 = 1"
    assert read_log("").buffers == ()
