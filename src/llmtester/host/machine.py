"""Facts of the measuring machine that decide how fast a model can be. Cheap: no test load (see ``bandwidth``)."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from llmtester.domain.records import Machine
from llmtester.host import topology
from llmtester.host.cgroup import read_limits, read_text
from llmtester.host.gpu import find_gpus, gpu_meter
from llmtester.host.power import cpu_meter

_PCI_DISPLAY_CLASS = "0x03"
_PCI_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_TOOL_LIMIT_S = 5.0


def read_machine(root: Path = Path("/")) -> Machine:
    """The machine under this process; limits of containers and CPU affinity included. ``root`` is for tests."""
    import psutil

    limits = read_limits(root)
    kinds = topology.core_kinds(root)
    gpus, interface = _gpus(root), find_gpus(root)
    meters = (cpu_meter(root), gpu_meter(interface, present=bool(gpus)))
    gpu_memory = [look.memory_bytes for look in (interface.look() if interface else []) if look.memory_bytes]
    memory_bytes = psutil.virtual_memory().total
    logical_cores = psutil.cpu_count() or 1
    usable_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical_cores
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpu_model=_cpu_model(root),
        physical_cores=psutil.cpu_count(logical=False) or logical_cores,
        logical_cores=logical_cores,
        memory_bytes=memory_bytes,
        memory_limit_bytes=min(memory_bytes, limits.memory_bytes or memory_bytes),
        swap_bytes=psutil.swap_memory().total,
        cpu_limit_cores=min(float(usable_cores), limits.cpu_cores or float(usable_cores)),
        gpus=gpus,
        power_source=power_source(),
        governor=read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        python_version=platform.python_version(),
        system_name=topology.system_name(root),
        performance_cores=kinds[0] if kinds else None,
        efficiency_cores=kinds[1] if kinds else None,
        l2_cache_bytes=topology.cache_bytes(root, 2),
        l3_cache_bytes=topology.cache_bytes(root, 3),
        gpu_memory_bytes=sum(gpu_memory) if gpu_memory else None,
        container=topology.container(root),
        virtual_machine=topology.virtual_machine(root),
        meters=tuple(meter for meter in meters if meter is not None),
    )


def _cpu_model(root: Path) -> str:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    if sys.platform == "win32":
        return os.environ.get("PROCESSOR_IDENTIFIER", "") or platform.processor()
    text = read_text(root / "proc/cpuinfo") or ""
    for key in ("model name", "Model", "Hardware", "cpu model"):
        found = re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return found[1].strip()
    device_tree = (read_text(root / "proc/device-tree/model") or "").rstrip("\0")
    return device_tree or platform.processor() or platform.machine()


def _gpus(root: Path) -> tuple[str, ...]:
    """Names of display adapters: the NVIDIA driver's own, else vendor and device number from PCI."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return (f"{_output('sysctl', '-n', 'machdep.cpu.brand_string')} GPU".strip(),)
    named = [
        found[1].strip()
        for information in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))
        if (found := re.search(r"^Model:\s*(.+)$", read_text(information) or "", re.MULTILINE))
    ]
    others = []
    for device in sorted(root.glob("sys/bus/pci/devices/*")):
        if not (read_text(device / "class") or "").startswith(_PCI_DISPLAY_CLASS):
            continue
        vendor = _PCI_VENDORS.get(read_text(device / "vendor") or "")
        if vendor and not (vendor == "NVIDIA" and named):
            others.append(f"{vendor} {read_text(device / 'device')}")
    return tuple(named + others)


def power_source() -> str | None:
    """``mains``, ``battery``, or ``None`` where there is no battery or nobody can tell."""
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None or battery.power_plugged is None:
        return None
    return "mains" if battery.power_plugged else "battery"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TOOL_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
