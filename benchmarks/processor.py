"""How much processor time each part of a stack has used."""

import json
from collections.abc import Mapping
from pathlib import Path

import psutil


def used_s(state_folder: Path) -> dict[str, float]:
    """Sum user and system seconds of each process of a stack with its children."""
    noted: Mapping[str, list[object]] = json.loads((state_folder / "children.json").read_text())
    return {name: tree_s(int(str(pid))) for name, (pid, _) in noted.items()}


def own_s() -> float:
    """Sum the seconds of this process, the load generator, and of its children that have ended."""
    return float(sum(psutil.Process().cpu_times()[:4]))


def machine_s() -> float:
    """Sum the seconds of all processes, the kernel's and what other machines took from us too."""
    times = psutil.cpu_times()
    calm = ("idle", "iowait", "guest", "guest_nice")  # a guest's time is in user's as well
    return float(sum(times) - sum(getattr(times, name, 0.0) for name in calm))


def tree_s(pid: int) -> float:
    """Sum the seconds of a process and its children, those that have ended too."""
    try:
        process = psutil.Process(pid)
        ended = process.cpu_times()
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_one, family)) + float(ended.children_user + ended.children_system)


def _one(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def used_by_part_s(server_pid: int, postgres_pid: int) -> dict[str, float]:
    """Tell who has used how much of the processors so far: a server, 0 for none, PostgreSQL with
    all its processes, this one, and all of the machine.
    """
    return {
        "server": tree_s(server_pid) if server_pid else 0.0,
        "postgres": tree_s(postgres_pid),
        "generator": own_s(),
        "machine": machine_s(),
    }
