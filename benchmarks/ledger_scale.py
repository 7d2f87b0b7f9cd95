"""Months of books at full size: are they proved, closed and told in time, and in how much memory?

`make bench ONLY=ledger_scale`: a million transactions of 126,000 accounts that all have entries,
over four months of which two are closed. TRANSACTIONS=100000 is enough for a look. About six
minutes on two cores, and 3 GB of disk.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Mapping
from typing import Any, LiteralString

import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import scale_books, scale_load, scale_reports
from benchmarks.results import Measure
from benchmarks.scale_books import Business
from benchmarks.scale_load import Pace
from benchmarks.scale_stage import Stage
from chassis.clock import utc_now
from chassis.database import Database
from chassis.telemetry import configure_logging
from devstack.ports import claimed_ports
from devstack.state import reachable_folder

_SELLERS_MAX = 100_000
_WALLETS: LiteralString = """
COPY wallets (wallet_id, client_id, owner, currency, status, pending, available, held,
    operation_count, created_at, account_type, credit_limit, version) FROM STDIN
"""
_SELLERS: LiteralString = """
SELECT account_id, currency, balance, created_at FROM accounts WHERE account_id LIKE 'seller:%'
"""
_STEPS = {
    "verify": "VerifyLedger, whole",
    "close_1": "CloseMonth, the first",
    "close_2": "CloseMonth, the second",
    "verify_since": "VerifyLedger since the last checkpoint",
    "seal_log": "audit log: seal the openings of all accounts",
    "audit_log": "audit log: VerifyAuditLog, whole",
    "compare": "wallets compared with the ledger",
}


def run() -> list[Measure]:
    """Fill a ledger, then look at it in every way that goes through all of it.

    Raises:
        RuntimeError: something is found to be wrong with the books.
    """
    configure_logging("benchmark", "warning")
    transactions = int(os.environ.get("TRANSACTIONS", "1000000"))
    sellers = min(_SELLERS_MAX, transactions // 10)
    business = Business(transactions, sellers, scale_books.first_month_ahead(utc_now()))
    with (
        reachable_folder("paymesh-scale-") as folder,
        claimed_ports("auto") as ports,
        asyncio.Runner() as runner,
    ):
        stage = Stage(folder, ports)
        try:
            runner.run(stage.start())
            return _Scale(stage, runner, business).run()
        finally:
            runner.run(stage.stop())


class _Scale:
    def __init__(self, stage: Stage, runner: asyncio.Runner, business: Business) -> None:
        self._stage = stage
        self._runner = runner
        self._business = business
        self._taken: dict[str, dict[str, float]] = {}

    def run(self) -> list[Measure]:
        began = time.perf_counter()
        self._with_ledger(lambda database: scale_books.fill(database, self._business))
        seals = scale_books.seal_each_minute(self._stage.url("ledger", "owner"), self._business)
        self._settle("ledger")
        print(f"filled in {time.perf_counter() - began:.0f} s, {seals:,} seals")
        self._step("verify")
        self._close(0, "close_1")
        self._close(1, "close_2")
        self._step("verify_since")
        self._step("seal_log")
        self._step("audit_log")
        reports = self._with_ledger(lambda db: scale_reports.measure(db, self._business))
        exported = self._with_ledger(lambda db: scale_reports.export(db, self._business))
        self._fill_wallets()
        target, pid = self._runner.run(self._stage.serve_ledger())
        self._step("compare", "wallet", LEDGER_TARGET=target)
        paces = uvloop.run(scale_load.paces(target, pid))
        return _told(self._taken, reports, exported.entries / exported.seconds, paces)

    def _with_ledger(self, work: Any) -> Any:
        async def opened() -> Any:
            database = Database(self._stage.url("ledger"), connections=4, timeout_s=60.0)
            await database.open()
            try:
                return await work(database)
            finally:
                await database.close()

        return uvloop.run(opened())

    def _step(self, step: str, context: str = "ledger", name: str = "", **told: str) -> None:
        work: Awaitable[bytes] = self._stage.take(
            step, {"SCALE_DATABASE_URL": self._stage.url(context), **told}
        )
        taken = json.loads(self._runner.run(work))  # type: ignore[arg-type]
        self._taken[name or step] = taken
        print(f"{_STEPS[name or step]}: {taken}")
        if taken["offences"]:
            raise RuntimeError(f"{step}: {taken['offences']} things are wrong")

    def _close(self, number: int, name: str) -> None:
        month = f"{self._business.month(number):%Y-%m}"
        now = self._business.end.isoformat()
        self._step("close", name=name, SCALE_MONTH=month, SCALE_NOW=now)

    def _settle(self, context: str) -> None:
        """Have done what is done by itself in the months that this was filled for."""
        with psycopg.connect(self._stage.url(context, "owner"), autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")

    def _fill_wallets(self) -> None:
        """Give each seller's account a wallet that has the same."""
        source = self._stage.url("ledger", "owner")
        with (
            psycopg.connect(source) as ledger,
            psycopg.connect(self._stage.url("wallet", "owner")) as wallets,
            wallets.cursor() as cursor,
            cursor.copy(_WALLETS) as copy,
        ):
            for name, currency, balance, created_at in ledger.execute(_SELLERS):
                owner = name.split(":")[2]
                standing = (0, balance, 0, 1, created_at, "SELLER", 0, 2)
                copy.write_row((name, "scale", owner, currency, "OPEN", *standing))
        self._settle("wallet")


def _told(
    taken: Mapping[str, Mapping[str, float]],
    reports: Mapping[str, float],
    exported_per_s: float,
    paces: Mapping[str, Pace],
) -> list[Measure]:
    console, made = Console(width=150), list[Measure]()
    table = Table("", "gone through", "s", "per s", "CPU s", "own MB", "stood still, ms")
    for step, one in taken.items():
        rate = one["count"] / one["seconds"]
        figures = [f"{one['count']:,}", f"{one['seconds']:.1f}", f"{rate:,.0f}"]
        figures += [f"{one['cpu_s']:.1f}", f"{one['own_mb']:.0f}", f"{one['still_ms']:.0f}"]
        table.add_row(_STEPS[step], *figures)
        n = int(one["count"])
        made += [
            Measure(f"ledger_scale_{step}_per_s", round(rate, 1), "1/s", n),
            Measure(f"ledger_scale_{step}_own_mb", round(one["own_mb"], 1), "MB", n),
            Measure(f"ledger_scale_{step}_still_ms", round(one["still_ms"], 1), "ms", n),
        ]
    console.print(table)
    table = Table("report", "ms")
    for name, seconds in reports.items():
        table.add_row(name, f"{seconds * 1000:,.1f}")
        key = name.replace(",", "").replace(" ", "_")
        made.append(Measure(f"ledger_scale_{key}", round(seconds * 1000, 2), "ms", 3))
    console.print(table)
    console.print(f"ExportEntries: {exported_per_s:,.0f} entries per second")
    made.append(Measure("ledger_scale_export_per_s", round(exported_per_s, 1), "1/s"))
    columns = ("p50 ms", "p99 ms", "longest ms", "errors", "beside per s", "MB")
    table = Table(f"{scale_load.PER_S} single postings per s", *columns)
    for name, pace in paces.items():
        times = [f"{ms:.1f}" for ms in (pace.p50_ms, pace.p99_ms, pace.longest_ms)]
        more = [str(pace.errors), f"{pace.beside_per_s:,.0f}", f"{pace.memory_mb:.0f}"]
        table.add_row(name, *times, *more)
        key = name.replace(" ", "_").lower()
        made += [
            Measure(f"ledger_scale_p99_{key}", round(pace.p99_ms, 2), "ms"),
            Measure(f"ledger_scale_per_s_{key}", round(pace.beside_per_s, 1), "1/s"),
        ]
    console.print(table)
    return made
