"""TigerBeetle by its own `benchmark`: a replica and a client, in a folder that is thrown away.

It is told a number of transfers, not seconds. Starting it takes some seconds each time.
"""

import asyncio
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.processor import machine_s, tree_s
from benchmarks.scenarios import Scenario, Shape
from benchmarks.trial import Trial
from benchmarks.workload import ACCOUNTS

# Transfers a second, by the size of a batch, by which the first run's number is chosen.
_EXPECTED = {1: 800, 100: 20_000, 1000: 100_000}
_NEARLY = 0.8
_RATE = re.compile(r"load accepted = ([\d,.]+) tx/s")
_LATENCY = re.compile(r"batch latency p(\d+)\s*= ([\d.]+) ms")
_BEGINS = "Benchmark running against"


class TigerBeetleFailed(Exception):
    """Its benchmark failed, or told something else than expected."""


async def measure(program: Path, scenario: Scenario, seconds: float) -> Trial:
    """Measure it for about `seconds`.

    Raises:
        TigerBeetleFailed: it did not do it.
    """
    return await asyncio.to_thread(_measure, program, scenario, seconds)


def command(program: Path, scenario: Scenario, transfers: int) -> list[str]:
    """Write the command: the load's accounts, batches and clients; a hot one is debited always."""
    return [
        str(program), "benchmark", f"--account-count={ACCOUNTS + 1}",
        f"--account-count-hot={int(scenario.shape is Shape.HOT)}",
        f"--transfer-count={transfers}", f"--transfer-batch-count={scenario.batch}",
        f"--clients={scenario.in_flight}", "--query-count=0",
    ]  # fmt: skip


def read(scenario: Scenario, told: str) -> Trial:
    """Read what it prints.

    Raises:
        TigerBeetleFailed: there is no rate in it.
    """
    rate = _RATE.search(told)
    if rate is None:
        raise TigerBeetleFailed(f"TigerBeetle told no rate: {told[-500:]}")
    times = {share: float(ms) for share, ms in _LATENCY.findall(told)}
    p50, p95, p99 = (times.get(share, 0.0) for share in ("50", "95", "99"))
    return Trial(scenario, float(rate[1].replace(",", "")), p50, p95, p99, count=0)


def _measure(program: Path, scenario: Scenario, seconds: float) -> Trial:
    wanted = _EXPECTED[scenario.batch] * seconds
    while True:  # where it was faster than expected, once more
        trial, took = _run(program, scenario, _whole(scenario, wanted))
        if took >= seconds * _NEARLY:
            return trial
        wanted = trial.rate * seconds


def _whole(scenario: Scenario, transfers: float) -> int:
    """Round to whole batches of all clients."""
    size = scenario.batch * scenario.in_flight
    return max(round(transfers / size), 1) * size


def _run(program: Path, scenario: Scenario, transfers: int) -> tuple[Trial, float]:
    """Run it once; tell for how many seconds it was under load."""
    began = _Moment()
    with tempfile.TemporaryDirectory(prefix="paymesh-bench-") as folder:
        words = command(program, scenario, transfers)
        with subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            printed = ""
            for line in process.stdout or ():
                printed += line
                if _BEGINS in line:  # before, it laid out its file, which is no transfer's
                    began = _Moment(tree_s(process.pid))
        ended = _Moment()
    if process.returncode != 0:
        raise TigerBeetleFailed(f"TigerBeetle's benchmark failed: {printed[-500:]}")
    trial = read(scenario, printed)
    trial.count = transfers
    used = {"server": ended.used_s - began.used_s, "machine": ended.machine_s - began.machine_s}
    trial.set_cpu(used, transfers, ended.at - began.at)
    return trial, transfers / trial.rate


class _Moment:
    """Processor seconds of a run and of the machine by now: of children that have ended, and what a
    living one has used, which counts as theirs once it has ended.
    """

    def __init__(self, living_s: float = 0.0) -> None:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.used_s = ended.ru_utime + ended.ru_stime + living_s
        self.machine_s = machine_s()
        self.at = time.perf_counter()
