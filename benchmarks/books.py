"""Measures books, the ledger or the wallets alike: every scenario, its costs, and an audit."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import grpc
import uvloop
from rich.console import Console

from benchmarks import books_report, machine, postgres_figures
from benchmarks.bookkeepers import Bookkeepers
from benchmarks.load import Load, open_channels, over_grpc
from benchmarks.processor import used_by_part_s
from benchmarks.results import Measure
from benchmarks.scenarios import Scenario, Way, every_scenario
from benchmarks.tally import Tally
from benchmarks.trial import Trial
from benchmarks.window import figures, measured
from benchmarks.workload import Workload, check
from chassis.settings import Environment
from devstack.health import serving
from devstack.ports import claimed_ports
from devstack.state import reachable_folder

_MEASURE_S = 8.0
_START_S = 60.0
_SETTLE_S = 0.5
_WIDTH = 190  # where nobody looks on: a row of the table is a line

Channels = Mapping[Way, list[grpc.aio.Channel]]


def measure(workload: Workload) -> list[Measure]:
    """Measure on processes of its own, each scenario for BENCH_SECONDS.

    Raises:
        BooksBroken: what is stored is not what was acknowledged.
        SettingsError: BENCH_SECONDS is no number.
        NotDurable: PostgreSQL does not wait for its disk.
    """
    seconds = Environment().number("BENCH_SECONDS", _MEASURE_S)
    with (
        reachable_folder("paymesh-bench-") as folder,
        claimed_ports("auto") as ports,
        asyncio.Runner() as runner,
    ):
        keepers = Bookkeepers(workload, folder, ports)
        console = Console(width=None if sys.stdout.isatty() else _WIDTH)
        try:
            runner.run(keepers.start())
            # The load generator has the faster loop; processes were started on asyncio's own.
            trials, told = uvloop.run(_Bench(workload, keepers, seconds, console).run())
            facts = machine.facts(folder)  # by now the disk is done with what was laid at the start
        finally:
            runner.run(keepers.stop())
    return books_report.report(workload.name, trials, {**facts, **told}, console)


class _Bench:
    def __init__(
        self, workload: Workload, keepers: Bookkeepers, seconds: float, console: Console
    ) -> None:
        self._workload = workload
        self._keepers = keepers
        self._seconds = seconds
        self._console = console
        self._sent: defaultdict[str, Tally] = defaultdict(Tally)  # by the database it went to

    async def run(self) -> tuple[list[Trial], dict[str, str]]:
        """Run every scenario, then audit the books of each bookkeeper."""
        told = dict(await postgres_figures.settings(self._url(Way.SERVICE)))
        self._console.print(", ".join(f"{name}={value}" for name, value in told.items()))
        channels = {
            way: open_channels(keeper.target)
            for way, keeper in self._keepers.keepers.items()
            if keeper.target
        }
        try:
            await self._open(channels)
            trials = []
            for scenario in every_scenario():
                trials.append(await self._try(scenario, channels.get(scenario.way, [])))
                self._console.print(books_report.line(trials[-1]))
            await self._audit(channels)
        finally:
            for channel in (channel for part in channels.values() for channel in part):
                await channel.close()
        return trials, told

    def _url(self, way: Way) -> str:
        return self._keepers.keepers[way].database_url

    async def _open(self, channels: Channels) -> None:
        for way, (channel, *_) in channels.items():
            with suppress(TimeoutError):
                async with asyncio.timeout(_START_S):
                    await serving(self._keepers.keepers[way].target)
                    if way.keeps_books:
                        await self._workload.open(channel)
                    continue
            raise RuntimeError(f"{way} does not serve: {self._keepers.last_words(way)}")

    async def _try(self, scenario: Scenario, channels: list[grpc.aio.Channel]) -> Trial:
        url = self._url(scenario.way)
        before = await postgres_figures.written(url)
        await asyncio.sleep(_SETTLE_S)
        if scenario.way is Way.BARE:
            trial, tally = await self._pgbench(scenario)
        else:
            trial, tally = await self._load(scenario, channels)
        after = await postgres_figures.written(url)
        sent, count = self._sent[url], max(tally.done, 1)
        sent.done += tally.done
        sent.unknown += tally.unknown
        trial.errors = tally.errors
        trial.disk_bytes = (after.database - before.database) / count
        trial.wal_bytes = (after.wal - before.wal) / count
        return trial

    async def _load(
        self, scenario: Scenario, channels: list[grpc.aio.Channel]
    ) -> tuple[Trial, Tally]:
        load = Load(self._workload, scenario, over_grpc(self._workload, channels))
        used_s = partial(self._cpu, scenario.way)
        return await measured(load, scenario, used_s, self._seconds), load.total

    async def _pgbench(self, scenario: Scenario) -> tuple[Trial, Tally]:
        script, url = self._workload.bare_script(scenario.shape), self._url(Way.BARE)
        cpu, seconds = self._cpu(Way.BARE), max(round(self._seconds), 1)
        tally = await postgres_figures.pgbench(
            url, script, clients=scenario.in_flight, seconds=seconds
        )
        used = {name: s - cpu[name] for name, s in self._cpu(Way.BARE).items()}
        trial = figures(scenario, tally, tally.done / seconds)
        trial.set_cpu(used, tally.done, seconds)
        return trial, tally

    def _cpu(self, way: Way) -> dict[str, float]:
        return used_by_part_s(self._keepers.keepers[way].pid, self._keepers.postgres_pid)

    async def _audit(self, channels: Channels) -> None:
        for way, (channel, *_) in channels.items():
            if not way.keeps_books:
                continue
            sent = self._sent[self._url(way)]
            stored = await self._workload.stored(channel, self._url(way))
            self._console.print(check(way, stored, sent.done, sent.unknown))
