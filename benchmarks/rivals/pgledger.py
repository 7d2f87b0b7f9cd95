"""pgledger in a database of its own: its SQL, accounts, pgbench's scripts, an audit.

Only its functions are called, as its documentation shows them. The accounts' ids are set to
numbers of the same form and length, so that nobody has to look them up: it is spared that.
"""

from collections.abc import Sequence
from pathlib import Path

import psycopg

from benchmarks import postgres_figures
from benchmarks.ledger import PLATFORM, seller
from benchmarks.scenarios import Shape
from benchmarks.workload import ACCOUNTS, Stored

# Its documentation has these run first.
_BEFORE = ("ulid-to-uuid.sql", "uuid-to-ulid.sql")
_ID_DIGITS = 26

_OPEN = """
SELECT count(made.id) FROM unnest(%s::text[]) AS names (named),
    LATERAL pgledger_create_account(named, 'USD') AS made
"""
_NUMBER = """
UPDATE pgledger_accounts SET id = 'pgla_' || lpad(number::text, 26, '0')
FROM unnest(%s::text[]) WITH ORDINALITY AS names (named, number) WHERE name = named
"""
_AUDIT = """
SELECT (SELECT count(*) FROM pgledger_transfers), (SELECT count(*) FROM pgledger_entries),
    (SELECT coalesce(sum(amount), 0) FROM pgledger_entries),
    (SELECT count(*) FROM pgledger_accounts AS a LEFT JOIN (
        SELECT account_id, sum(amount) AS amount, count(*) AS entries
        FROM pgledger_entries GROUP BY account_id
    ) AS e ON e.account_id = a.id
    WHERE (a.balance, a.version) IS DISTINCT FROM (coalesce(amount, 0), coalesce(entries, 0)))
"""

_SINGLE = """
\\set debit random(1, {accounts})
\\set credit 1 + (:debit + random(0, {accounts} - 2)) % {accounts}
SELECT id FROM pgledger_create_transfer({debit}, {credit}, 10.99);
"""
_BATCH = """
SELECT id FROM pgledger_create_transfers((
    SELECT array_agg(({debit}, {credit}, 10.99)::transfer_request)
    FROM (
        SELECT debit, 1 + (debit + floor(random() * ({accounts} - 1))::integer) % {accounts}
        FROM (
            SELECT 1 + floor(random() * {accounts})::integer
            FROM generate_series(1, {size})
        ) AS debits (debit)
    ) AS pairs (debit, credit)
));
"""


def account(number: int) -> str:
    """Name an account by its number, from 1: the sellers, the platform's last."""
    return f"pgla_{number:0{_ID_DIGITS}d}"


def names() -> list[str]:
    """List the accounts' names, by which our load knows them, in the order of their numbers."""
    return [*(seller(number) for number in range(ACCOUNTS)), PLATFORM]


async def install(admin_url: str, sql: Path) -> str:
    """Make its database as its documentation says, and its accounts; answer the URL.

    Raises:
        FileNotFoundError: the vendored SQL is not beside pgledger.sql.
    """
    vendored = sql.parent / "vendor" / "scoville-pgsql-ulid"
    files: Sequence[Path] = [*(vendored / name for name in _BEFORE), sql]
    schema = [file.read_text() for file in files]
    url = await postgres_figures.make_database(admin_url, "pgledger", schema)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_OPEN, (names(),))
        await connection.execute(_NUMBER, (names(),))
        await connection.execute("VACUUM ANALYZE")
    return url


def script(shape: Shape, size: int) -> str:
    """Write pgbench's script of a request of `size` transfers.

    A batch is put together in the server, which is cheaper for both than sending it.
    """
    hot = f"'{account(ACCOUNTS + 1)}'"
    if size == 1:
        debit, credit = (f"'pgla_' || lpad(:{side}::text, 26, '0')" for side in ("debit", "credit"))
        chosen = hot if shape is Shape.HOT else debit
        return _SINGLE.format(accounts=ACCOUNTS, debit=chosen, credit=credit)
    debit, credit = (f"'pgla_' || lpad({side}::text, 26, '0')" for side in ("debit", "credit"))
    chosen = hot if shape is Shape.HOT else debit
    return _BATCH.format(accounts=ACCOUNTS, debit=chosen, credit=credit, size=size)


async def stored(url: str) -> Stored:
    """Count its transfers, and hold its entries and balances against each other."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        ((transfers, entries, total, wrong),) = await (await connection.execute(_AUDIT)).fetchall()
    faults = []
    if entries != 2 * transfers:
        faults.append(f"{transfers:,} transfers have {entries:,} entries")
    if total != 0:
        faults.append(f"its entries sum to {total}")
    if wrong:
        faults.append(f"{wrong:,} accounts disagree with their entries")
    return Stored(int(transfers), faults)
