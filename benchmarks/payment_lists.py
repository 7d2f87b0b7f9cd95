"""A page of 50 out of ROWS payments (10 million by default), by each filter, beside one payment
read by its id.

Needs about 7 GB of disk and 10 minutes for 10 million; `ROWS=1000000` is enough for a look.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Measure
from chassis.clock import utc_now
from chassis.database import Database
from chassis.money import Money
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.ports import Filters
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.list_payments import list_payments
from tests.servers import PostgresServer, ServiceDatabase

_CHUNK = 500_000
_TIMES = 40
_CLIENT = "client_1"  # a fifth of all payments are this client's
_START = datetime(2026, 1, 1, tzinfo=UTC)
_FILL = """
WITH numbers AS (
    SELECT n, 'pay_' || lpad(n::text, 26, '0') AS payment_id,
        timestamptz '2026-01-01 00:00+00' + n * interval '1 second' AS created_at
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), new AS (
    INSERT INTO payments (payment_id, client_id, checkout_id, status, version, buyer_id, created_at,
        executed_at, amount, currency)
    SELECT payment_id, 'client_' || n %% 5, 'checkout_' || n, CASE n %% 1000 WHEN 1 THEN 'FAILED'
        ELSE 'COMPLETED' END, 3, 'buyer_' || n %% 100003, created_at, created_at,
        n %% 9973 + 0.99, 'USD' FROM numbers
)
INSERT INTO orders (order_id, payment_id, position, client_id, payment_order_id, seller_account,
    amount, currency, status, created_at)
SELECT 'ord_' || n, payment_id, 0, 'client_' || n %% 5, n::text, 'seller_' || n %% 10007,
    n %% 9973 + 0.99, 'USD', CASE n %% 1000 WHEN 1 THEN 'FAILED' ELSE 'SUCCESS' END, created_at
FROM numbers
"""

Ask = Callable[[], Awaitable[object]]


async def run() -> list[Measure]:
    """Fill a database, then time each list."""
    rows = int(os.environ.get("ROWS", "10000000"))
    with tempfile.TemporaryDirectory() as folder, PostgresServer.start(Path(folder)) as server:
        where = server.fresh_database("payment_svc")
        database = Database(where.app_url, timeout_s=30.0, keyring=where.keyring())
        await database.open()
        console = Console()
        await _fill(where, rows, console)
        measures = await _measure(PostgresPaymentStore(database, utc_now), rows)
        await database.close()
    console.print(_table(measures, rows))
    return measures


async def _fill(where: ServiceDatabase, rows: int, console: Console) -> None:
    owner = Database(where.owner_url, connections=1, timeout_s=600.0)
    await owner.open()
    for first in range(1, rows + 1, _CHUNK):
        chunk = {"first": first, "last": min(first + _CHUNK - 1, rows)}
        await owner.run(lambda tx, chunk=chunk: tx.execute(_FILL, chunk))  # type: ignore[misc]
        console.print(f"filled {chunk['last']:,} of {rows:,}")
    await owner.run(lambda tx: tx.execute("VACUUM ANALYZE"), alone=True)
    await owner.close()


async def _measure(store: PostgresPaymentStore, rows: int) -> list[Measure]:
    mine = Filters(_CLIENT)
    middle = _START + timedelta(seconds=rows // 2)
    number = rows // 2 // 5 * 5 + 1
    lists = {
        "newest": mine,
        "buyer": replace(mine, buyer_id=f"buyer_{number % 100003}"),
        "checkout": replace(mine, checkout_id=f"checkout_{number}"),
        "seller": replace(mine, seller_account=f"seller_{number % 10007}"),
        "status": replace(mine, status=PaymentStatus.FAILED),
        "time": replace(mine, created_from=middle, created_before=middle + timedelta(hours=1)),
        "seller_and_status": replace(
            mine, seller_account=f"seller_{number % 10007}", status=PaymentStatus.COMPLETED
        ),
        "amount": replace(
            mine, currency="USD", amount_min=Money.parse("1.00", "USD"),
            amount_max=Money.parse("50.00", "USD"),
        ),
    }  # fmt: skip
    baseline = await _median_ms(lambda: store.find(f"pay_{number:026d}"))
    measures = [Measure("payment_by_id_p50_ms", baseline, "ms", _TIMES)]
    for name, filters in lists.items():
        value = await _median_ms(partial(list_payments, filters, 50, "", store=store))
        ratio = value / baseline
        measures.append(Measure(f"list_by_{name}_p50_ms", value, "ms", _TIMES, baseline, ratio))
    return measures


async def _median_ms(ask: Ask) -> float:
    times = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _table(measures: list[Measure], rows: int) -> Table:
    table = Table("list", "p50, ms", "x one payment", title=f"50 of {rows:,} payments")
    for measure in measures:
        ratio = "" if measure.ratio is None else f"{measure.ratio:.1f}"
        table.add_row(measure.name, f"{measure.value:.2f}", ratio)
    return table


if __name__ == "__main__":
    asyncio.run(run())
