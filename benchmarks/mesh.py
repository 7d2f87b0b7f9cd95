"""What the mesh costs: pay-ins per second at 64 in flight, with sidecars and without, in one run.

Both are measured in turns on fresh stacks, so that what else the machine does meets both alike.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean

from rich.console import Console
from rich.table import Table

from benchmarks.pay_in import connected, under_load
from benchmarks.results import Measure
from devstack.stack import down, spawn
from devstack.state import State, reachable_folder

IN_FLIGHT = 64
# A machine that grows slower or faster during the run favours neither.
_TURNS = (False, True, True, False)
AIM = 0.6


@dataclass(frozen=True, slots=True)
class Turn:
    """One measurement. `cpu_us`: per payment, by process; sidecars have their own."""

    is_mesh: bool
    rate: float
    p50_ms: float
    count: int
    cpu_us: Mapping[str, float]


async def run() -> list[Measure]:
    """Measure in turns and compare."""
    turns = [await _turn(is_mesh=is_mesh) for is_mesh in _TURNS]
    plain = [turn for turn in turns if not turn.is_mesh]
    meshed = [turn for turn in turns if turn.is_mesh]
    rate, base = mean(t.rate for t in meshed), mean(t.rate for t in plain)
    _show(turns, rate / base)
    count = sum(turn.count for turn in meshed)
    return [
        Measure("mesh_over_no_mesh", round(rate / base, 3), "ratio", count, 1.0),
        Measure(
            f"mesh_pay_in_per_s_{IN_FLIGHT}",
            round(rate, 1),
            "1/s",
            count,
            round(base, 1),
            round(rate / base, 3),
        ),
        *(_cpu("mesh", meshed)),
        *(_cpu("no_mesh", plain)),
    ]


async def _turn(*, is_mesh: bool) -> Turn:
    with reachable_folder("paymesh-bench-") as folder:
        state = State(folder)
        stack = await asyncio.to_thread(spawn, state, ports="auto", risk="open", mesh=is_mesh)
        try:
            async with connected(stack) as (rest, finals):
                load, elapsed, cpu = await under_load(IN_FLIGHT, rest, finals, state)
        finally:
            await asyncio.to_thread(down, state)
    if load.wrong:
        raise RuntimeError(f"{len(load.wrong)} payments went wrong: {load.wrong[:3]}")
    done = sorted(load.completions)
    shares = {name: used / len(done) * 1e6 for name, used in cpu.items()}
    return Turn(is_mesh, len(done) / elapsed, done[len(done) // 2] * 1000, len(done), shares)


def _cpu(name: str, turns: list[Turn]) -> list[Measure]:
    return [
        Measure(
            f"{name}_cpu_us_{process}", round(mean(t.cpu_us.get(process, 0.0) for t in turns)), "us"
        )
        for process in sorted(turns[0].cpu_us)
    ]


def _show(turns: list[Turn], ratio: float) -> None:
    table = Table("mesh", "payments/s", "completion p50", "CPU µs per payment", box=None)
    for turn in turns:
        told = sorted(turn.cpu_us.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name} {used:.0f}" for name, used in told)
        table.add_row(
            "yes" if turn.is_mesh else "no", f"{turn.rate:.0f}", f"{turn.p50_ms:.0f} ms", shares
        )
    console = Console()
    verdict = "met" if ratio >= AIM else "missed"
    console.print(table, f"with the mesh: {ratio:.0%} of without (aim {AIM:.0%}: {verdict})")
