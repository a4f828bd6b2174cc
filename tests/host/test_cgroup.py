"""Limits of containers, read from a made-up file tree."""

from __future__ import annotations

from llmtester.host.cgroup import read_limits


def test_version_2_takes_the_tightest_of_the_groups_above(machine_of):
    """A limit of the parent group binds although the own group is unlimited."""
    root = machine_of(
        {
            "proc/self/cgroup": "0::/pod/box\n",
            "sys/fs/cgroup/pod/box/memory.max": "max\n",
            "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/memory.max": "1000000\n",
            "sys/fs/cgroup/pod/memory.current": "400000\n",
            "sys/fs/cgroup/pod/memory.stat": "anon 5\ninactive_file 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
        },
    )
    limits = read_limits(root)
    assert (limits.memory_bytes, limits.cpu_cores) == (1_000_000, 1.5)
    assert limits.memory_left_bytes() == 700_000


def test_version_1_knows_its_controllers(machine_of):
    """Each hierarchy has its own folder, and a quota of -1 is no limit."""
    root = machine_of(
        {
            "proc/self/cgroup": "5:memory:/a\n4:cpu,cpuacct:/a\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2000000",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "500000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        },
    )
    limits = read_limits(root)
    assert (limits.memory_bytes, limits.cpu_cores) == (2_000_000, None)
    assert limits.memory_left_bytes() == 1_500_000


def test_no_groups_no_limits(tmp_path):
    """A system without control groups has no limits, and says so instead of 0."""
    limits = read_limits(tmp_path)
    assert (limits.memory_bytes, limits.cpu_cores, limits.memory_left_bytes()) == (None, None, None)
