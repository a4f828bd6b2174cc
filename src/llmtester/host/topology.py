"""How the processor is built and what this system runs in: kinds of cores, caches, container, virtual machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from llmtester.host.cgroup import read_number, read_text

_CPUS = "sys/devices/system/cpu"
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
_HYPERVISORS = {
    "amazon ec2": "Amazon EC2",
    "google": "Google Compute Engine",
    "microsoft": "Hyper-V",
    "qemu": "QEMU",
    "vmware": "VMware",
    "innotek": "VirtualBox",
    "xen": "Xen",
    "parallels": "Parallels",
}


def core_kinds(root: Path) -> tuple[int, int] | None:
    """Performance and efficiency cores, ``None`` where all cores are of one kind or it is not told.

    Intel's hybrid processors list both kinds; elsewhere (ARM) the cores of the highest ``cpu_capacity`` are the
    performance cores.
    """
    listed = [read_text(root / f"sys/devices/{kind}/cpus") for kind in ("cpu_core", "cpu_atom")]
    if listed[0] and listed[1]:
        cores = [
            {read_text(root / _CPUS / f"cpu{cpu}/topology/core_id") or str(cpu) for cpu in _numbers(text or "")}
            for text in listed
        ]
        return len(cores[0]), len(cores[1])
    capacities = [
        capacity
        for cpu in (root / _CPUS).glob("cpu[0-9]*")
        if (capacity := read_number(cpu / "cpu_capacity")) is not None
    ]
    fast = sum(capacity == max(capacities) for capacity in capacities)
    return (fast, len(capacities) - fast) if 0 < fast < len(capacities) else None


def cache_bytes(root: Path, level: int) -> int | None:
    """Bytes of all caches of a level together; ``None`` where the system does not say."""
    found: dict[str, int] = {}
    for cache in (root / _CPUS).glob("cpu[0-9]*/cache/index*"):
        size = re.fullmatch(r"(\d+)([KMG])", read_text(cache / "size") or "")
        if size and read_number(cache / "level") == level and read_text(cache / "type") != "Instruction":
            found[read_text(cache / "shared_cpu_list") or str(cache)] = int(size[1]) * _UNITS[size[2]]
    return sum(found.values()) if found else None


def container(root: Path) -> str | None:
    """What holds this process, by its usual traces; ``None`` on the plain system."""
    if (root / ".dockerenv").exists():
        return "Docker"
    if (root / "run/.containerenv").exists():
        return "Podman"
    group = read_text(root / "proc/1/cgroup") or ""
    for trace, name in (("kubepods", "Kubernetes"), ("docker", "Docker"), ("lxc", "LXC")):
        if trace in group:
            return name
    return None


def virtual_machine(root: Path) -> str | None:
    """Who makes this hardware up; ``None`` on real hardware, or where nothing tells."""
    if "microsoft" in (read_text(root / "proc/sys/kernel/osrelease") or "").lower():
        return "WSL"
    vendor = (read_text(root / "sys/class/dmi/id/sys_vendor") or "").lower()
    for trace, name in _HYPERVISORS.items():
        if trace in vendor:
            return name
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", read_text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return "unknown hypervisor" if flags else None


def system_name(root: Path) -> str:
    """``Debian GNU/Linux 12 (bookworm)``; ``""`` where the system has no name beyond its kernel."""
    if sys.platform == "darwin":
        import platform

        return f"macOS {platform.mac_ver()[0]}".strip()
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', read_text(root / "etc/os-release") or "", re.MULTILINE)
    return found[1] if found else ""


def _numbers(text: str) -> list[int]:
    """``0-3,8`` -> 0, 1, 2, 3, 8."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
