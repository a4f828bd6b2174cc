"""Throttling, energy, swap, page faults and mappings, in a made-up file tree."""

from __future__ import annotations

import os
import sys

import pytest

from llmtester.host.power import cpu_meter
from llmtester.host.telemetry import SystemSensors

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' /proc and /sys")
CPU = "sys/devices/system/cpu"
RAPL = "sys/class/powercap"

SMAPS = """\
7f00-7f10 r--s 00000000 00:23 11 /models/a file.gguf
Rss:                4096 kB
Pss:                2048 kB
7f20-7f30 r-xp 00000000 00:23 12 /usr/lib/libc.so
Rss:                 512 kB
Pss:                  12 kB
7f40-7f50 rw-s 00000000 00:01 13 /dev/zero (deleted)
Rss:                  64 kB
Pss:                  64 kB
7f60-7f70 rw-p 00000000 00:00 0
Rss:                1000 kB
Pss:                1000 kB
"""


def test_cores_are_counted_once_and_the_slowest_is_told(machine_of):
    """Two threads of one core tell the same throttle count, so it counts once; a package counts once as well."""
    files = {}
    for cpu, core in enumerate((0, 0, 1)):
        files[f"{CPU}/cpu{cpu}/topology/core_id"] = str(core)
        files[f"{CPU}/cpu{cpu}/topology/physical_package_id"] = "0"
        files[f"{CPU}/cpu{cpu}/thermal_throttle/core_throttle_count"] = "5"
        files[f"{CPU}/cpu{cpu}/thermal_throttle/package_throttle_count"] = "2"
        files[f"{CPU}/cpu{cpu}/cpufreq/scaling_cur_freq"] = str(3_000_000 - 500_000 * cpu)
    root = machine_of(files)
    sensors = SystemSensors(root=root)
    first = sensors.read(None)
    assert (first.throttled_cores_count, first.throttled_packages_count) == (None, None)
    assert (first.frequency_mhz, first.frequency_lowest_mhz) == (2500, 2000)
    for cpu, count in enumerate(("8", "8", "6")):
        (root / f"{CPU}/cpu{cpu}/thermal_throttle/core_throttle_count").write_text(count)
        (root / f"{CPU}/cpu{cpu}/thermal_throttle/package_throttle_count").write_text("3")
    second = sensors.read(None)
    assert (second.throttled_cores_count, second.throttled_packages_count) == (4, 1)


def test_energy_of_all_packages_across_the_end_of_a_counter(machine_of):
    """Packages add up, parts of a package do not count again, and a counter that started anew goes on."""
    root = machine_of(
        {
            f"{RAPL}/intel-rapl:0/name": "package-0",
            f"{RAPL}/intel-rapl:0/energy_uj": "9000000",
            f"{RAPL}/intel-rapl:0/max_energy_range_uj": "10000000",
            f"{RAPL}/intel-rapl:1/name": "package-1",
            f"{RAPL}/intel-rapl:1/energy_uj": "500000",
            f"{RAPL}/intel-rapl:1/max_energy_range_uj": "10000000",
            f"{RAPL}/intel-rapl:0:0/name": "core",
            f"{RAPL}/intel-rapl:0:0/energy_uj": "1",
        },
    )
    sensors = SystemSensors(root=root)
    assert sensors.read(None).cpu_energy_j is None
    (root / f"{RAPL}/intel-rapl:0/energy_uj").write_text("2000000")
    (root / f"{RAPL}/intel-rapl:1/energy_uj").write_text("1500000")
    reading = sensors.read(None)
    assert reading.cpu_energy_j == pytest.approx(4.0)
    assert reading.cpu_power_w > 0
    if sys.platform == "linux":
        assert (cpu_meter(root).method, cpu_meter(root).scope) == ("counter", "package")


@LINUX
def test_energy_that_cannot_be_read_is_not_zero(tmp_path, machine_of):
    """Without counters, or with counters for root only, nothing is measured and the reason is named."""
    assert SystemSensors(root=tmp_path).read(None).cpu_power_w is None
    assert "virtual machines" in cpu_meter(tmp_path).source
    root = machine_of({f"{RAPL}/intel-rapl:0/name": "package-0"})
    assert cpu_meter(root).method == "none"
    assert "chmod" in cpu_meter(root).source


@LINUX
def test_swapping_and_free_memory_come_from_the_kernel(machine_of):
    """Pages that went to and from swap count since the reading before, in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    root = machine_of(
        {
            "proc/meminfo": "MemTotal: 900 kB\nMemAvailable: 300 kB\nSwapTotal: 80 kB\nSwapFree: 50 kB\nHugePages: 0\n",
            "proc/vmstat": "pgpgin 5\npswpin 10\npswpout 20\n",
        },
    )
    sensors = SystemSensors(root=root)
    first = sensors.read(None)
    assert (first.memory_available_bytes, first.swap_used_bytes, first.swap_in_bytes) == (307_200, 30_720, None)
    (root / "proc/vmstat").write_text("pgpgin 5\npswpin 13\npswpout 20\n")
    second = sensors.read(None)
    assert (second.swap_in_bytes, second.swap_out_bytes) == (3 * page, 0)


@LINUX
def test_the_model_is_told_apart_from_libraries(machine_of):
    """A file that is mapped shared is the model; pages that others map too count in part."""
    stat = f"{os.getpid()} (a name) S {' '.join(['0'] * 8)} 7 {' '.join(['0'] * 30)}"
    root = machine_of({f"proc/{os.getpid()}/smaps": SMAPS, f"proc/{os.getpid()}/stat": stat})
    sensors = SystemSensors(root=root)
    reading = sensors.read(os.getpid())
    assert reading.server_model_bytes == 4096 * 1024
    assert reading.server_proportional_bytes == (2048 + 12 + 64 + 1000) * 1024
    assert reading.server_major_faults_count is None
    (root / f"proc/{os.getpid()}/stat").write_text(stat.replace(" 7 ", " 9 "))
    (root / f"proc/{os.getpid()}/smaps").write_text("")
    again = sensors.read(os.getpid())
    assert again.server_major_faults_count == 2
    assert again.server_model_bytes == 4096 * 1024, "looked at again only after a pause"
