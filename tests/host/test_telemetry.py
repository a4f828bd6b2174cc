"""Readings of real processes, and of sensors in a made-up file tree."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from llmtester.host.telemetry import SystemSensors

HOLDER = """
import mmap, sys, time
file = open(sys.argv[1], 'rb')
view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
sum(view[::4096])
held = bytearray(b'x' * 40_000_000)
print('ready', flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    pass
"""


@pytest.fixture
def busy_process(tmp_path):
    """A process that holds 40 MB of its own and 20 MB of a mapped file, and spins."""
    mapped = tmp_path / "mapped"
    mapped.write_bytes(b"1" * 20_000_000)
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(mapped)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells anonymous from file-backed memory")
def test_memory_is_told_apart(busy_process):
    """Anonymous and file-backed memory of the server are those that the process holds."""
    reading = SystemSensors().read(busy_process.pid)
    assert 40e6 < reading.server_anonymous_bytes < 80e6
    assert 20e6 < reading.server_file_bytes < 50e6
    assert reading.server_rss_bytes == reading.server_anonymous_bytes + reading.server_file_bytes


def test_a_spinning_server_shows_in_its_share(busy_process):
    """A process that spins counts as the server's share, and not as that of others or our own."""
    sensors = SystemSensors()
    first = sensors.read(busy_process.pid)
    assert (first.own_cpu_ratio, first.server_cpu_ratio) == (None, None)
    end_s = time.perf_counter() + 1
    while (now_s := time.perf_counter()) < end_s:
        time.sleep(end_s - now_s)
    reading = sensors.read(busy_process.pid)
    assert reading.server_cpu_ratio > 0.3 / os.cpu_count()
    assert reading.own_cpu_ratio < reading.server_cpu_ratio


def test_a_process_that_is_gone_has_no_memory():
    """A server that died reads as unknown, not as 0."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    reading = SystemSensors().read(process.pid)
    assert (reading.server_rss_bytes, reading.server_anonymous_bytes) == (None, None)


def test_a_reading_is_cheap():
    """Twenty readings take less than 10 ms each on a loaded machine (about 2 ms on a quiet one)."""
    sensors = SystemSensors()
    sensors.read(os.getpid())
    started_s = time.perf_counter()
    for _ in range(20):
        sensors.read(os.getpid())
    assert (time.perf_counter() - started_s) / 20 < 0.010


def test_temperature_and_frequency_come_from_the_cpu(machine_of):
    """The hottest input of the CPU's chip, never that of a disk; the mean frequency of the cores."""
    root = machine_of(
        {
            "sys/class/hwmon/hwmon0/name": "nvme",
            "sys/class/hwmon/hwmon0/temp1_input": "99000",
            "sys/class/hwmon/hwmon1/name": "k10temp",
            "sys/class/hwmon/hwmon1/temp1_input": "61500",
            "sys/class/hwmon/hwmon1/temp3_input": "64250",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "3000000",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2000000",
        },
    )
    reading = SystemSensors(root=root).read(None)
    assert (reading.temperature_c, reading.frequency_mhz) == (64.25, 2500)
    assert reading.server_cpu_ratio is None


def test_a_thermal_zone_serves_where_no_chip_does(machine_of, tmp_path):
    """Without a known chip the CPU's thermal zone is read; without that there is no temperature."""
    assert SystemSensors(root=tmp_path).read(None).temperature_c is None
    root = machine_of(
        {"sys/class/thermal/thermal_zone0/type": "cpu-thermal", "sys/class/thermal/thermal_zone0/temp": "48312"},
    )
    assert SystemSensors(root=root).read(None).temperature_c == 48.312
