from __future__ import annotations

import os
from pathlib import Path

import pytest

from safedata.machine import host
from safedata.machine.host import cpus, host_free
from safedata.machine.limits import Cpus
from safedata.memory import GIB, MIB

MEMINFO = "MemTotal:       32768000 kB\nMemFree:         1048576 kB\nMemAvailable:   16777216 kB\n"
V2_MOUNT = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 {root} /sys/fs/cgroup/memory rw,relatime master:3 - cgroup cgroup rw,memory\n"
    "36 31 0:33 {root} /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
)
NO_LIMIT_V1 = "9223372036854771712\n"


def write(root: Path, files: dict[str, str]) -> str:
    """Lay out files under a fake root, with an ordinary /proc/meminfo unless one is given."""
    for path, text in {"/proc/meminfo": MEMINFO, **files}.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return str(root)


def v2(group: str, **values: object) -> dict[str, str]:
    """Return the files of a version 2 group; `memory_max=1` is memory.max."""
    base = "/sys/fs/cgroup" + group
    return {f"{base}/{name.replace('_', '.', 1)}": f"{value}\n" for name, value in values.items()}


def v1_memory(group: str, limit: object, usage: int, stat: str = "", hierarchy: int = 1) -> dict[str, str]:
    base = "/sys/fs/cgroup/memory" + group
    return {
        f"{base}/memory.limit_in_bytes": f"{limit}\n",
        f"{base}/memory.usage_in_bytes": f"{usage}\n",
        f"{base}/memory.stat": stat,
        f"{base}/memory.use_hierarchy": f"{hierarchy}\n",
    }


def test_without_limits_mem_available_counts(tmp_path: Path) -> None:
    """MemAvailable, not MemFree, is what is free."""
    free = host_free(write(tmp_path, {}))
    assert (free.bytes, free.notes) == (16 * GIB, ("MemAvailable 16.00 GiB",))


def test_the_tightest_ancestor_of_a_pod_holds(tmp_path: Path) -> None:
    """In version 2 each ancestor limits, and pages of files are not in use."""
    files = {
        "/proc/self/cgroup": "0::/kubepods.slice/pod1/abc\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("/kubepods.slice/pod1/abc", memory_max="max", memory_current=GIB, memory_high="max"),
        **v2(
            "/kubepods.slice/pod1",
            memory_max=4 * GIB,
            memory_current=3 * GIB,
            memory_stat=f"anon 1\ninactive_file {GIB}\nactive_file {GIB // 2}",
        ),
        **v2("/kubepods.slice", memory_max=30 * GIB, memory_current=10 * GIB),
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == 5 * GIB // 2
    assert free.notes[0] == "cgroup v2 `/kubepods.slice/pod1`: limit 4.00 GiB less 1.50 GiB in use"
    assert "MemAvailable 16.00 GiB" in free.notes


def test_memory_high_is_a_limit(tmp_path: Path) -> None:
    """A group that would be slowed down to nothing leaves what is below its memory.high."""
    files = {
        "/proc/self/cgroup": "0::/pod\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("/pod", memory_max=4 * GIB, memory_high=3 * GIB, memory_current=GIB),
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == 2 * GIB
    assert free.notes[0] == (
        "cgroup v2 `/pod`: memory.high 3.00 GiB, above which it is slowed down, less 1.00 GiB in use"
    )


def test_only_what_the_kernel_takes_back_is_free(tmp_path: Path) -> None:
    """Pages of files and reclaimable slab come back; tmpfs, locked pages, other slab and swap do not."""
    stat = (
        f"file {3 * GIB}\nshmem {GIB}\nunevictable {GIB // 2}\ninactive_file {GIB}\nactive_file {GIB // 2}\n"
        f"slab_reclaimable {GIB // 4}\nslab_unreclaimable {GIB}\nslab {5 * GIB // 4}\n"
    )
    files = {
        "/proc/self/cgroup": "0::/pod\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("/pod", memory_max=8 * GIB, memory_current=6 * GIB, memory_stat=stat, memory_swap_max=9 * GIB),
    }
    assert host_free(write(tmp_path, files)).bytes == 8 * GIB - (6 * GIB - 7 * GIB // 4)


def test_tmpfs_and_swap_of_version_1_are_in_use(tmp_path: Path) -> None:
    """`total_cache` has tmpfs in it and is not what comes back; the limit with swap is not looked at."""
    stat = f"total_cache {3 * GIB}\ntotal_shmem {2 * GIB}\ntotal_inactive_file {GIB}\ntotal_active_file 0\n"
    files = {
        "/proc/self/cgroup": "4:memory:/job\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/"),
        **v1_memory("/job", 8 * GIB, 5 * GIB, stat),
        "/sys/fs/cgroup/memory/job/memory.memsw.limit_in_bytes": f"{20 * GIB}\n",
    }
    assert host_free(write(tmp_path, files)).bytes == 4 * GIB


def test_a_memory_controller_in_the_unified_tree_of_a_hybrid_counts(tmp_path: Path) -> None:
    """Where version 1 has other controllers and version 2 has memory, the limit of version 2 is found."""
    files = {
        "/proc/self/cgroup": "3:cpu,cpuacct:/job\n0::/job/step\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/").splitlines(keepends=True)[2]
        + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        "/sys/fs/cgroup/unified/job/memory.max": f"{3 * GIB}\n",
        "/sys/fs/cgroup/unified/job/memory.current": f"{GIB}\n",
        "/sys/fs/cgroup/unified/job/step/memory.max": "max\n",
    }
    assert host_free(write(tmp_path, files)).bytes == 2 * GIB


def test_a_group_over_its_limit_leaves_nothing(tmp_path: Path) -> None:
    """Usage above the limit leaves 0 bytes, never fewer."""
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("", memory_max=GIB, memory_current=2 * GIB),
    }
    assert host_free(write(tmp_path, files)).bytes == 0


def test_docker_on_version_1(tmp_path: Path) -> None:
    """A container whose mounts show only its own group is read at the mount point."""
    stat = f"total_inactive_file {GIB}\ntotal_active_file {GIB}\nhierarchical_memory_limit {8 * GIB}\n"
    files = {
        "/proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/docker/abc\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/docker/abc"),
        **v1_memory("", 8 * GIB, 5 * GIB, stat),
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == 5 * GIB
    assert free.notes[0] == "cgroup v1 `/docker/abc`: limit 8.00 GiB less 3.00 GiB in use"


def test_a_limit_above_the_visible_groups_counts(tmp_path: Path) -> None:
    """Version 1's hierarchical limit holds though the group's own says none."""
    files = {
        "/proc/self/cgroup": "4:memory:/docker/abc\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/docker/abc"),
        **v1_memory("", NO_LIMIT_V1.strip(), GIB, f"hierarchical_memory_limit {2 * GIB}\n"),
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == GIB
    assert free.notes[0].startswith("cgroup v1 `/docker/abc`: limit of a group above it 2.00 GiB less")


@pytest.mark.parametrize(("hierarchy", "expected"), [(1, GIB), (0, 16 * GIB)])
def test_version_1_ancestors_hold_unless_they_decline(tmp_path: Path, hierarchy: int, expected: int) -> None:
    """An ancestor with use_hierarchy 0 does not account for the groups below it."""
    files = {
        "/proc/self/cgroup": "4:memory:/a/b\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/"),
        **v1_memory("/a/b", NO_LIMIT_V1.strip(), GIB, hierarchy=hierarchy),
        **v1_memory("/a", 2 * GIB, GIB, hierarchy=hierarchy),
    }
    assert host_free(write(tmp_path, files)).bytes == expected


def test_hybrid_mounts_are_both_read(tmp_path: Path) -> None:
    """With version 1 controllers and an empty version 2 tree, the version 1 limit is found."""
    files = {
        "/proc/self/cgroup": "4:memory:/job\n1:name=systemd:/job\n0::/job\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/")
        + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        **v1_memory("/job", 3 * GIB, GIB),
        **v1_memory("", NO_LIMIT_V1.strip(), 20 * GIB),
        "/sys/fs/cgroup/unified/job/cgroup.procs": "1\n",
    }
    assert host_free(write(tmp_path, files)).bytes == 2 * GIB


def test_a_path_outside_of_the_mount_is_read_at_the_mount_point(tmp_path: Path) -> None:
    """A cgroup path that leads out of the namespace still finds the mount point's own limit."""
    files = {
        "/proc/self/cgroup": "0::/../../elsewhere\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("", memory_max=2 * GIB, memory_current=0),
    }
    assert host_free(write(tmp_path, files)).bytes == 2 * GIB


def test_mount_points_with_spaces_are_found(tmp_path: Path) -> None:
    """Octal escapes in mountinfo are read."""
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2_MOUNT.replace("/sys/fs/cgroup", "/my\\040groups"),
        "/my groups/memory.max": f"{GIB}\n",
        "/my groups/memory.current": "0\n",
    }
    assert host_free(write(tmp_path, files)).bytes == GIB


def test_without_mountinfo_the_usual_places_are_read(tmp_path: Path) -> None:
    """A missing mountinfo does not hide a limit."""
    files = {"/proc/self/cgroup": "0::/x\n", **v2("/x", memory_max=GIB, memory_current=0)}
    assert host_free(write(tmp_path, files)).bytes == GIB


@pytest.mark.parametrize("garbage", ["", "\0\x01", "-5", "lots", "9" * 5000, "1 2 3"])
def test_garbled_limits_become_notes(tmp_path: Path, garbage: str) -> None:
    """A limit that is no number is said and MemAvailable counts; nothing raises."""
    files = {
        "/proc/self/cgroup": "nonsense\n0::/\n4:memory:/\n::\n",
        "/proc/self/mountinfo": V2_MOUNT + "garbage\n - cgroup\n" + V1_MOUNTS.format(root="/"),
        **v2("", memory_max=garbage, memory_current=garbage, memory_stat=garbage, cpu_max=garbage),
        **v1_memory("", garbage, 0, garbage),
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == 16 * GIB
    assert "cgroup v2 `/` has a memory.max that cannot be read" in free.notes
    assert cpus(str(tmp_path), affinity=4).usable == 4


def test_unreadable_usage_leaves_the_limit_and_says_so(tmp_path: Path) -> None:
    """A limit without a readable usage still bounds, and the note says what is missing."""
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("", memory_max=GIB),
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == GIB
    assert "what is in use cannot be read" in free.notes[0]


LIMITS = (
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max data size             {data:<20} unlimited            bytes     \n"
    "Max address space         {space:<20} unlimited            bytes     \n"
)


def test_address_space_and_data_limits_count_what_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RLIMIT_AS and RLIMIT_DATA leave the limit less what is mapped, once TensorFlow is loaded."""
    monkeypatch.setattr(host, "tensorflow_loaded", lambda: True)
    files = {
        "/proc/self/limits": LIMITS.format(data=6 * GIB, space=8 * GIB),
        "/proc/self/status": "VmSize:\t1048576 kB\nVmData:\t524288 kB\n",
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == 11 * GIB // 2
    assert free.notes[0] == "RLIMIT_DATA of 6.00 GiB less 512.00 MiB in use"
    assert "RLIMIT_AS of 8.00 GiB less 1.00 GiB in use" in free.notes


def test_before_tensorflow_its_mappings_come_off_the_address_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TensorFlow will map without touching is taken from RLIMIT_AS beforehand."""
    monkeypatch.setattr(host, "tensorflow_loaded", lambda: False)
    monkeypatch.setattr(host, "cpus", lambda _root: Cpus(2, 2))
    files = {
        "/proc/self/limits": LIMITS.format(data="unlimited", space=8 * GIB),
        "/proc/self/status": "VmSize:\t1048576 kB\n",
    }
    free = host_free(write(tmp_path, files))
    assert free.bytes == 7 * GIB - (2048 + 48) * MIB
    assert "that TensorFlow maps without touching" in free.notes[0]


def test_before_tensorflow_the_data_limit_counts_no_pages_of_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RLIMIT_DATA loses TensorFlow's untouched maps, stacks of the pipeline's threads, and no file pages."""
    monkeypatch.setattr(host, "tensorflow_loaded", lambda: False)
    monkeypatch.setattr(host, "cpus", lambda _root: Cpus(2, 2))
    files = {
        "/proc/self/limits": LIMITS.format(data=4 * GIB, space="unlimited"),
        "/proc/self/status": "VmData:\t1048576 kB\n",
    }
    root = write(tmp_path, files)
    few, many = host_free(root), host_free(root, threads=64)
    assert few.bytes == 3 * GIB - (192 + 32) * MIB + host.TENSORFLOW_FILES
    assert "of its libraries that this limit does not count" in few.notes[0]
    assert many.bytes == few.bytes - 62 * 16 * MIB


STATUS = "VmSize:\t{rss} kB\nVmData:\t{rss} kB\nVmRSS:\t{rss} kB\nRssAnon:\t{anon} kB\nRssFile:\t300000 kB\n"


@pytest.mark.parametrize(
    ("rss", "anon", "counted", "in_limits"),
    [
        (400_000, 100_000, 100_000 * 1024, 400_000 * 1024),
        (9_000_000, 8_000_000, host.TENSORFLOW_ANONYMOUS, host.TENSORFLOW_RESIDENT),
    ],
)
def test_only_what_tensorflow_holds_already_counts_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rss: int, anon: int, counted: int, in_limits: int
) -> None:
    """Pages of files are free already, and a model or another pipeline in the process is not free at all."""
    monkeypatch.setattr(host, "tensorflow_loaded", lambda: True)
    status = {"/proc/self/status": STATUS.format(rss=rss, anon=anon)}
    free = host_free(write(tmp_path, status), own=True)
    assert free.bytes == 16 * GIB + counted
    assert free.notes[0].endswith("that TensorFlow holds in this process already")
    limits = {"/proc/self/limits": LIMITS.format(data=10 * GIB, space="unlimited")}
    under = host_free(write(tmp_path, {**status, **limits}), own=True)
    assert under.bytes == 10 * GIB - rss * 1024 + in_limits


def test_a_limit_without_usage_is_unknown_not_endless(tmp_path: Path) -> None:
    """An address space limit whose use cannot be read is said, and does not become a number."""
    files = {"/proc/self/limits": LIMITS.format(data="unlimited", space=GIB)}
    free = host_free(write(tmp_path, files))
    assert free.bytes == 16 * GIB
    assert "RLIMIT_AS of 1.00 GiB, of which nobody says how much is in use" in free.notes


def test_old_kernels_without_mem_available(tmp_path: Path) -> None:
    """MemFree stands in for MemAvailable, with a note."""
    free = host_free(write(tmp_path, {"/proc/meminfo": "MemFree: 1024 kB\n"}))
    assert (free.bytes, free.notes) == (MIB, ("MemFree 1.00 MiB; /proc/meminfo has no MemAvailable",))


@pytest.mark.parametrize(
    ("known", "expected", "note"),
    [
        ({"SC_PAGE_SIZE": 4096, "SC_AVPHYS_PAGES": 1024}, 4 * MIB, "4.00 MiB in free pages"),
        ({"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2048}, 8 * MIB, "8.00 MiB of memory in all"),
        ({}, None, "free host memory is unknown"),
    ],
)
def test_without_proc_sysconf_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, int], expected: int | None, note: str
) -> None:
    """Without /proc the system's own count is used, and an unknown one is None."""

    def sysconf(name: str) -> int:
        if name not in known:
            raise ValueError("unrecognized configuration name")
        return known[name]

    monkeypatch.setattr(os, "sysconf", sysconf)
    free = host_free(str(tmp_path))
    assert free.bytes == expected
    assert note in free.notes[0]
    assert "/proc/meminfo cannot be read" in free.notes[0]


def test_this_machine_has_free_memory() -> None:
    """The real files of the machine that runs the tests give a number."""
    assert host_free().bytes


@pytest.mark.parametrize(
    ("cpu_max", "usable"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 8), ("9 0", 8)],
)
def test_cpu_quota_of_version_2(tmp_path: Path, cpu_max: str, usable: int) -> None:
    """The quota caps the affinity, rounded up and at least 1, and affinity is told apart."""
    files = {
        "/proc/self/cgroup": "0::/pod/abc\n",
        "/proc/self/mountinfo": V2_MOUNT,
        **v2("/pod/abc", cpu_max="max 100000"),
        **v2("/pod", cpu_max=cpu_max),
    }
    found = cpus(write(tmp_path, files), affinity=8)
    assert (found.usable, found.affinity) == (usable, 8)
    assert bool(found.notes) == (usable < 8)


def test_cpu_quota_of_version_1(tmp_path: Path) -> None:
    """A quota of version 1 is read from the mount of `cpu,cpuacct`; -1 is none."""
    base = "/sys/fs/cgroup/cpu,cpuacct"
    files = {
        "/proc/self/cgroup": "3:cpu,cpuacct:/docker/abc\n",
        "/proc/self/mountinfo": V1_MOUNTS.format(root="/"),
        f"{base}/cpu.cfs_quota_us": "-1\n",
        f"{base}/cpu.cfs_period_us": "100000\n",
        f"{base}/docker/abc/cpu.cfs_quota_us": "250000\n",
        f"{base}/docker/abc/cpu.cfs_period_us": "100000\n",
    }
    found = cpus(write(tmp_path, files), affinity=64)
    assert found == Cpus(
        3,
        64,
        (
            "cgroup v1 `/docker/abc`: quota of 2.5 CPUs",
            "TensorFlow starts its thread pools for 64 CPUs: it does not see the quota",
        ),
    )
