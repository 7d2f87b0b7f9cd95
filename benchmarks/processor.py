"""How much processor time each part of a stack has used."""

import json
from collections.abc import Mapping
from pathlib import Path

import psutil


def used_s(state_folder: Path) -> dict[str, float]:
    """Sum user and system seconds of each process of a stack with its children."""
    noted: Mapping[str, list[object]] = json.loads((state_folder / "children.json").read_text())
    return {name: _tree(int(str(pid))) for name, (pid, _) in noted.items()}


def own_s() -> float:
    """Sum the seconds of this process, the load generator."""
    return _one(psutil.Process())


def _tree(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(_one(member) for member in family)


def _one(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
