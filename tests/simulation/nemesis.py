"""What goes wrong on a larger scale: processes die and freeze, networks part, databases and PSPs go
away.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from tests.simulation.chance import Chance
from tests.simulation.clockwork import SimulatedLoop
from tests.simulation.disk import Disk
from tests.simulation.network import Machine, Network
from tests.simulation.psp import DARK_FOR_LONG_S, Psp

_EVERY_S = 5.0
# One seed in so many has a PSP that is away for longer than it keeps keys; another one in so many
# one that goes away as soon as it has moved money.
LONG_EVERY, LONG_DARK, TREACHEROUS = 32, 3, 6


class Keeper(Protocol):
    """Who starts processes."""

    def kill(self, machine: Machine, down_s: float) -> None:
        """Kill what runs on a machine, and start it again later."""
        ...


class Nemesis:
    """Strikes at random until the faults end."""

    def __init__(
        self,
        loop: SimulatedLoop,
        chance: Chance,
        network: Network,
        disks: list[Disk],
        psps: list[Psp],
        keeper: Keeper,
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._network = network
        self._disks = disks
        self._psps = psps
        self._keeper = keeper
        self._machines = [m for some in network.machines.values() for m in some]

    async def strike(self) -> None:
        """Go on striking."""
        if self._chance.seed % LONG_EVERY == LONG_DARK:
            at = self._chance.between(5.0, 90.0)
            self._loop.later(at, self._go_dark, DARK_FOR_LONG_S, "psp_dark_for_long")
        if self._chance.seed % LONG_EVERY == TREACHEROUS:
            self._chance.one_of(self._psps).is_treacherous = True
        while self._chance.is_faulty:
            await asyncio.sleep(self._chance.between(0.0, 2 * _EVERY_S))
            if self._chance.is_faulty:
                self._strike_once()

    def _strike_once(self) -> None:
        word = self._chance.draw()
        if word < 0.6:
            self._kill()
        elif word < 0.79:
            self._pause()
        elif word < 0.88:
            self._part()
        elif word < 0.96:
            disk = self._chance.one_of(self._disks)
            disk.down_until = self._loop.time() + self._chance.between(1.0, 15.0)
            self._chance.struck("database_down")
        else:
            self._go_dark(self._chance.between(5.0, 60.0), "psp_dark")

    def _kill(self) -> None:
        machine = self._chance.one_of(self._machines)
        if machine.process is not None:
            self._chance.struck("killed")
            self._chance.note(f"kill {machine.name}")
            self._keeper.kill(machine, self._chance.between(0.2, 10.0))

    def _pause(self) -> None:
        process = self._chance.one_of(self._machines).process
        if process is not None:
            self._chance.struck("paused")
            self._chance.note(f"pause {process.name}")
            seconds = self._chance.one_of((2.0, 35.0, 70.0))
            process.paused_until = self._loop.time() + seconds

    def _part(self) -> None:
        name = self._chance.one_of(self._machines).name
        self._chance.struck("partitioned")
        self._network.cut_off.add(name)
        self._loop.later(self._chance.between(5.0, 40.0), self._network.cut_off.discard, name)

    def _go_dark(self, seconds: float, fault: str) -> None:
        psp = self._chance.one_of(self._psps)
        self._chance.struck(fault)
        psp.dark_until = max(psp.dark_until, self._loop.time() + seconds)


def wrong_clock(chance: Chance, machines: Sequence[str]) -> Mapping[str, timedelta]:
    """Draw how wrong clocks are: all a little; in some seeds one by more than a day."""
    skews = {name: timedelta(seconds=chance.between(-2.0, 2.0)) for name in machines}
    if chance.happens(0.08):
        chance.struck("clock_skewed")
        skews[chance.one_of(machines)] = timedelta(hours=chance.one_of((-26, 26)))
    return skews
