"""The machine that figures belong to."""

import os
import platform
import statistics
import time
from pathlib import Path

import psutil

_BLOCK = b"\0" * 8192
_TIMES = 200


def facts(folder: Path) -> dict[str, str]:
    """Describe processor, memory, system and the disk that `folder` is on."""
    return {
        "processor": f"{os.cpu_count()} × {processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "disk": f"{_file_system(folder)}, {_sync_us(folder):.0f} µs for a synced block of 8 kB",
    }


def processor() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _file_system(folder: Path) -> str:
    """Name the file system: on one in memory nothing is durable, whatever PostgreSQL says."""
    mounts = [
        (len(mount.mountpoint), mount.fstype)
        for mount in psutil.disk_partitions(all=True)
        if folder.is_relative_to(mount.mountpoint)
    ]
    return max(mounts, default=(0, "unknown file system"))[1]


def _sync_us(folder: Path) -> float:
    """Take the median time of writing a block and waiting for the disk."""
    file, times = folder / "synced", []
    with file.open("wb", buffering=0) as stream:
        for _ in range(_TIMES):
            began = time.perf_counter()
            stream.seek(0)
            stream.write(_BLOCK)
            os.fdatasync(stream.fileno())
            times.append(time.perf_counter() - began)
    file.unlink()
    return statistics.median(times) * 1e6
