"""The ledger beside pgledger, Formance and TigerBeetle: `make bench ONLY=ledger_rivals`.

On the same machine, in one run, on one PostgreSQL, under the same load. Where the rivals are is
told by PGLEDGER_SQL, FORMANCE_LEDGER and TIGERBEETLE; see docs/reference/ledger-rivals.md.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import grpc
import uvloop
from rich.console import Console

from benchmarks import machine, postgres_figures
from benchmarks.ledger import LedgerWorkload
from benchmarks.load import Call, Load, open_channels, over_grpc
from benchmarks.processor import used_by_part_s
from benchmarks.results import Measure
from benchmarks.rivals import formance, given, pgledger, rivals_report, tigerbeetle
from benchmarks.rivals.bouts import Bout, Contender, every_bout
from benchmarks.rivals.given import Given
from benchmarks.rivals.processes import Contenders
from benchmarks.rivals.rivals_report import Outcome
from benchmarks.scenarios import Shape
from benchmarks.trial import Trial
from benchmarks.window import figures, measured
from benchmarks.workload import Asking, Stored, check
from chassis.settings import Environment, SettingsError
from devstack.health import serving
from devstack.ports import claimed_ports
from devstack.state import reachable_folder

_MEASURE_S = 8.0
_START_S = 60.0
_SETTLE_S = 0.5
_WIDTH = 190
# Where requests take so long that fewer are answered, the run is measured to its last answer.
_ANSWERS_MIN = 8


def run() -> list[Measure]:
    """Measure the ledger and the rivals that are given, each load for BENCH_SECONDS.

    RIVALS_SHAPES names the accounts' shapes, comma-separated: uniform and hot where it is not set.

    Raises:
        SettingsError: no rival is given, or one is not there.
        BooksBroken: what is stored is not what was acknowledged.
        NotDurable: PostgreSQL does not wait for its disk.
    """
    environment = Environment()
    there = given.read(environment)
    seconds = environment.number("BENCH_SECONDS", _MEASURE_S)
    shapes = _shapes(environment.text("RIVALS_SHAPES", ""))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    for line in there.missing:
        console.print(line)
    with (
        reachable_folder("paymesh-bench-") as folder,
        claimed_ports("auto") as ports,
        asyncio.Runner() as runner,
    ):
        stage = Contenders(there, folder, ports)
        try:
            runner.run(stage.start())
            outcome = uvloop.run(_Arena(there, stage, seconds, console).run(shapes))
            facts = machine.facts(folder)
        finally:
            runner.run(stage.stop())
    told = {**facts, **outcome.told, "seconds a load": f"{seconds:g}"}
    return rivals_report.report(outcome.bouts, told, there.missing, console)


def _shapes(names: str) -> list[Shape]:
    try:
        return [Shape(name.strip()) for name in names.split(",")] if names else list(Shape)
    except ValueError as error:
        raise SettingsError(f"RIVALS_SHAPES={names}: there are {', '.join(Shape)}") from error


class _Arena:
    """Runs every bout, then audits whoever keeps its books in PostgreSQL."""

    def __init__(self, there: Given, stage: Contenders, seconds: float, console: Console) -> None:
        self._given = there
        self._stage = stage
        self._seconds = seconds
        self._console = console
        self._done: Counter[str] = Counter()  # by whose books it is in
        self._unknown: Counter[str] = Counter()
        self._workload = LedgerWorkload()
        self._channels: dict[Contender, list[grpc.aio.Channel]] = {}
        self._ledgers: dict[Contender, formance.FormanceLedger] = {}

    async def run(self, shapes: Sequence[Shape]) -> "Outcome":
        told = dict(await postgres_figures.settings(self._url(Contender.PAYMESH)))
        contenders = [c for c in Contender if self._given.has(c)]
        async with AsyncExitStack() as stack:
            await self._open(contenders, stack)
            bouts = []
            for bout in every_bout(contenders, shapes):
                bouts.append((bout, await self._try(bout)))
                self._console.print(rivals_report.line(*bouts[-1]))
            await self._audit()
        return Outcome(bouts, told)

    def _url(self, contender: Contender) -> str:
        return self._stage.keepers[contender].database_url

    async def _open(self, contenders: Sequence[Contender], stack: AsyncExitStack) -> None:
        for contender in {Contender.PAYMESH, Contender.PGLEDGER} & set(contenders):
            target = self._stage.keepers[contender].target
            self._channels[contender] = open_channels(target)
            for channel in self._channels[contender]:
                stack.push_async_callback(channel.close)
            async with asyncio.timeout(_START_S):
                await serving(target)
        await self._workload.open(self._channels[Contender.PAYMESH][0])
        if not self._given.formance:
            return
        session = await stack.enter_async_context(formance.open_session())
        for contender in formance.CONTENDERS:
            base = self._stage.keepers[contender].target
            async with asyncio.timeout(_START_S):
                await formance.serving(session, base)
            is_minimal = contender is Contender.FORMANCE_MINIMAL
            ledger = formance.FormanceLedger(session, base, is_minimal=is_minimal)
            self._ledgers[contender] = ledger
            self._done[contender] += await ledger.open()
            await postgres_figures.analyze(self._url(contender))

    async def _try(self, bout: Bout) -> Trial:
        if bout.contender is Contender.TIGERBEETLE and self._given.tigerbeetle:
            return await tigerbeetle.measure(self._given.tigerbeetle, bout.scenario, self._seconds)
        url = self._url(bout.contender)
        before = await postgres_figures.written(url)
        await asyncio.sleep(_SETTLE_S)
        if bout.contender is Contender.PGLEDGER_BARE:
            trial, done = await self._pgbench(bout)
        else:
            trial, done = await self._load(bout)
        after = await postgres_figures.written(url)
        trial.disk_bytes = (after.database - before.database) / max(done, 1)
        trial.wal_bytes = (after.wal - before.wal) / max(done, 1)
        return trial

    async def _load(self, bout: Bout) -> tuple[Trial, int]:
        asking, calls = self._asked(bout)
        load = Load(asking, bout.scenario, calls)
        trial = await measured(
            load,
            bout.scenario,
            partial(self._cpu, bout.contender),
            self._seconds,
            answers_min=_ANSWERS_MIN,
        )
        self._done[_books(bout.contender)] += load.total.done
        self._unknown[_books(bout.contender)] += load.total.unknown
        return trial, load.total.done

    def _asked(self, bout: Bout) -> tuple[Asking, list[Call]]:
        if bout.contender in self._ledgers:
            call = self._ledgers[bout.contender].call(bout.scenario.batch)
            return formance.FormanceAsking(), [call]
        return self._workload, over_grpc(self._workload, self._channels[bout.contender])

    async def _pgbench(self, bout: Bout) -> tuple[Trial, int]:
        scenario, seconds = bout.scenario, max(round(self._seconds), 1)
        script, before = pgledger.script(scenario.shape, scenario.batch), self._cpu(bout.contender)
        url = self._url(bout.contender)
        tally = await postgres_figures.pgbench(
            url, script, clients=scenario.in_flight, seconds=seconds
        )
        await asyncio.sleep(_SETTLE_S)  # its connections' processes count once they have ended
        used = {name: s - before[name] for name, s in self._cpu(bout.contender).items()}
        tally.done *= scenario.batch  # it counts the calls
        trial = figures(scenario, tally, tally.done / seconds)
        trial.set_cpu(used, tally.done, seconds)
        self._done[_books(bout.contender)] += tally.done
        return trial, tally.done

    def _cpu(self, contender: Contender) -> dict[str, float]:
        return used_by_part_s(self._stage.keepers[contender].pid, self._stage.postgres_pid)

    async def _audit(self) -> None:
        channel, url = self._channels[Contender.PAYMESH][0], self._url(Contender.PAYMESH)
        self._check(Contender.PAYMESH, await self._workload.stored(channel, url))
        if self._given.pgledger:
            self._check(Contender.PGLEDGER, await pgledger.stored(self._url(Contender.PGLEDGER)))
        for contender, ledger in self._ledgers.items():
            self._check(contender, await ledger.stored())

    def _check(self, contender: Contender, stored: Stored) -> None:
        done, unknown = self._done[contender], self._unknown[contender]
        self._console.print(check(contender.called, stored, done, unknown))


def _books(contender: Contender) -> Contender:
    """Tell in whose books it is: pgbench fills those of pgledger."""
    return Contender.PGLEDGER if contender is Contender.PGLEDGER_BARE else contender
