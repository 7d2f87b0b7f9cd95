"""Bytes that ENTRIES entries (10 million by default) take, table by table and index by index.

Filled by set-based SQL in the form that the ledger writes: transactions of two entries, ids in the
order of time, 10,000 accounts. Needs about 5 GB of disk and five minutes for 10 million.
"""

import asyncio
import os
import tempfile
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.results import Measure
from tests.servers import PostgresServer

_CHUNK = 250_000
_ACCOUNTS = 10_000
_YEAR_BYTES = 10**12

_OPEN = """
INSERT INTO accounts (account_id, type, currency, status, balance, pending_in, pending_out,
    entry_count, last_entry_at, created_at, metadata)
SELECT 'seller:demo:seller_' || lpad(n::text, 6, '0') || ':USD', 'LIABILITY', 'USD', 'OPEN', 0, 0,
    0, 0, now(), now(), '{}'
FROM generate_series(1, %(accounts)s) AS n
"""
_FILL = """
WITH numbers AS (
    SELECT n, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '8'
        || lpad(to_hex(n %% 1000), 3, '0') || '8001' || lpad(to_hex(n), 12, '0'))::uuid AS id,
        'payment:pay_' || lpad(n::text, 26, '0') || ':captured' AS reference
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), claimed AS (
    INSERT INTO claims (reference, transaction_id) SELECT reference, id FROM numbers
), written AS (
    INSERT INTO transactions (transaction_id, created_at, effective_at, kind, reference,
        description, subject_id, template, hash)
    SELECT id, now(), now(), 'POSTED', reference, 'charged by stripe',
        'pay_' || lpad(n::text, 26, '0'), 'captured/1', sha256(n::text::bytea)
    FROM numbers
)
INSERT INTO entries (account_key, account_sequence, transaction_id, line, is_debit, amount,
    balance_after)
SELECT 1 + (n * (1 + side * 7919)) %% %(accounts)s, n, id, side + 1, side = 0, n %% 9973 + 0.99,
    n %% 999983 + 0.99
FROM numbers, generate_series(0, 1) AS side
"""
_SIZES = """
SELECT coalesce(parent.relname, own.relname) AS name, own.relkind::text AS kind,
    sum(pg_relation_size(own.oid)) AS bytes
FROM pg_class own LEFT JOIN pg_inherits ON inhrelid = own.oid
    LEFT JOIN pg_class parent ON parent.oid = inhparent
WHERE own.relkind IN ('r', 'i') AND own.relnamespace = 'public'::regnamespace
GROUP BY 1, 2 HAVING sum(pg_relation_size(own.oid)) > 1000000 ORDER BY 3 DESC
"""


def run() -> list[Measure]:
    """Fill a database, then ask it how large everything is."""
    return asyncio.run(_run(int(os.environ.get("ENTRIES", "10000000"))))


async def _run(entries: int) -> list[Measure]:
    transactions = entries // 2
    with tempfile.TemporaryDirectory() as folder, PostgresServer.start(Path(folder)) as server:
        url = server.fresh_database("ledger_svc").owner_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
            await owner.execute(_OPEN, {"accounts": _ACCOUNTS})
            for first in range(1, transactions + 1, _CHUNK):
                last = min(first + _CHUNK - 1, transactions)
                await owner.execute(_FILL, {"first": first, "last": last, "accounts": _ACCOUNTS})
                print(f"{2 * last:,} entries")
            sizes = await (await owner.execute(_SIZES)).fetchall()
    return _told(entries, [(name, kind, int(size)) for name, kind, size in sizes])


def _told(entries: int, sizes: list[tuple[str, str, int]]) -> list[Measure]:
    table = Table("", "", "MB", "bytes per transaction", title=f"{entries:,} entries")
    for name, kind, size in sizes:
        what = "table" if kind == "r" else "index"
        table.add_row(name, what, f"{size / 1e6:,.0f}", f"{size / (entries / 2):.0f}")
    whole = sum(size for _, _, size in sizes)
    each = whole / (entries / 2)
    table.add_row("all", "", f"{whole / 1e6:,.0f}", f"{each:.0f}", style="bold")
    console = Console()
    console.print(table)
    console.print(f"1 TB holds {_YEAR_BYTES / each / 1e9:.2f} billion transactions of two entries")
    return [
        Measure("ledger_bytes_per_transaction", round(each, 1), "bytes", entries // 2),
        *(Measure(f"ledger_bytes_{name}", size, "bytes", entries // 2) for name, _, size in sizes),
    ]
