"""GPUs through libraries that behave like those of their makers, and through the files of a driver."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from llmtester.host.gpu import GpuSensors, find_gpus, gpu_meter


class FakeNvml:
    """Two cards: the second one knows neither its energy nor its use."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, count: int = 2) -> None:
        self.count = count
        self.energy_mj = 50_000

    def nvmlInit(self) -> None:  # noqa: N802 - NVIDIA's names
        if self.count == 0:
            raise self.NVMLError("no driver")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return (200_000, 100_000)[handle]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if handle == 1:
            raise self.NVMLError("not supported")
        return self.energy_mj

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=(handle + 1) * 10**9, total=24 * 10**9)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:  # noqa: N802
        if handle == 1:
            raise self.NVMLError("not supported")
        return SimpleNamespace(gpu=80)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: int) -> int:  # noqa: N802
        return (0x4, 0x20)[handle]

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        return (70, 84)[handle]


class FakeAmdSmi:
    """One card that writes N/A where it does not know."""

    AmdSmiTemperatureType = SimpleNamespace(HOTSPOT=1)
    AmdSmiTemperatureMetric = SimpleNamespace(CURRENT=0)

    class AmdSmiException(Exception):
        pass

    def amdsmi_init(self) -> None: ...

    def amdsmi_get_processor_handles(self) -> list[str]:
        return ["card"]

    def amdsmi_get_power_info(self, handle: str) -> dict[str, object]:
        return {"current_socket_power": "N/A", "average_socket_power": 120}

    def amdsmi_get_energy_count(self, handle: str) -> dict[str, object]:
        return {"energy_accumulator": 2_000_000, "counter_resolution": 15.3}

    def amdsmi_get_gpu_vram_usage(self, handle: str) -> dict[str, object]:
        return {"vram_used": 1024, "vram_total": 16384}

    def amdsmi_get_gpu_activity(self, handle: str) -> dict[str, object]:
        return {"gfx_activity": 40}

    def amdsmi_get_temp_metric(self, handle: str, kind: int, metric: int) -> int:
        raise self.AmdSmiException


def only(name, library):
    """An importer that knows one library."""

    def load(asked):
        if asked != name:
            raise ImportError(asked)
        return library

    return load


def test_nvidia_cards_add_up_and_the_hottest_speaks(tmp_path):
    """Power and memory are sums, the temperature is the highest, energy counts from the look before."""
    nvml = FakeNvml()
    interface = find_gpus(tmp_path, only("pynvml", nvml))
    sensors = GpuSensors(interface)
    first = sensors.read()
    assert (first.power_w, first.memory_used_bytes, first.temperature_c) == (300, 3 * 10**9, 84)
    assert (first.utilisation_ratio, first.throttled, first.energy_j) == (0.8, True, None)
    nvml.energy_mj += 1_500
    assert sensors.read().energy_j == pytest.approx(1.5)
    assert gpu_meter(interface, present=True).method == "counter"


def test_an_amd_card_leaves_out_what_it_does_not_know(tmp_path):
    """The average stands in for the power now, and a refused temperature is unknown."""
    sensors = GpuSensors(find_gpus(tmp_path, only("amdsmi", FakeAmdSmi())))
    look = sensors.read()
    assert (look.power_w, look.memory_used_bytes, look.utilisation_ratio) == (120, 2**30, 0.4)
    assert (look.temperature_c, look.throttled) == (None, None)


def test_the_files_of_amdgpu_serve_without_a_library(machine_of):
    """Memory, use, power and temperature come from the driver."""
    card = "sys/class/drm/card1/device"
    root = machine_of(
        {
            f"{card}/mem_info_vram_total": "8000000000",
            f"{card}/mem_info_vram_used": "3000000000",
            f"{card}/gpu_busy_percent": "25",
            f"{card}/hwmon/hwmon3/power1_average": "45000000",
            f"{card}/hwmon/hwmon3/temp1_input": "61000",
        },
    )
    interface = find_gpus(root, only("nothing", None))
    look = GpuSensors(interface).read()
    assert (look.power_w, look.memory_used_bytes, look.utilisation_ratio, look.temperature_c) == (45, 3e9, 0.25, 61)
    assert gpu_meter(interface, present=True).method == "sampled"


def test_no_gpu_says_nothing(tmp_path):
    """A library without a driver and a machine without a card: every figure is unknown, and the meter says why."""
    interface = find_gpus(tmp_path, only("pynvml", FakeNvml(0)))
    assert interface is None
    assert set(GpuSensors(interface).read()) == {None}
    assert gpu_meter(interface, present=False) is None
    assert gpu_meter(interface, present=True).method == "none"
