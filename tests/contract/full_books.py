"""Books with enough in them for a bad plan to show: 200,000 entries over four months, written by
one statement a table, as the ledger would have written them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

TRANSACTIONS, SELLERS, ACCOUNTS = 100_000, 500, 20_000
# Of which every tenth is of one object that has many, the others of objects that have two each.
FAT_SUBJECT = "batch_1"
PENDINGS, OPEN_PENDINGS, CHANGES, SEALS = 8_000, 4_000, 4_000, 3_000
CLEARING, CHANGED = "psp:stripe:clearing:USD", "seller:demo:s_7:USD"

# Ids as `chain.transaction_id` makes them, of the times and numbers of a stream.
_ID = """
(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || '8000' || '8001'
    || lpad(to_hex({number}::bigint), 12, '0'))::uuid
"""
_AT = "(%(start)s::timestamptz + n * %(step)s::interval)"
_FILL = (
    """
INSERT INTO accounts (account_id, account_key, type, currency, status, balance, pending_in,
    pending_out, entry_count, last_entry_at, created_at, metadata)
SELECT CASE WHEN n = 0 THEN 'psp:stripe:clearing:USD'
        WHEN n < 12000 THEN 'seller:demo:s_' || n || ':USD'
        ELSE 'buyer:demo:b_' || n || ':USD' END,
    n + 1, CASE WHEN n = 0 THEN 'ASSET' ELSE 'LIABILITY' END, 'USD', 'OPEN',
    CASE WHEN n = 0 THEN %(transactions)s
        WHEN n <= %(sellers)s THEN %(transactions)s / %(sellers)s ELSE 0 END,
    CASE WHEN n <= %(sellers)s THEN 1 ELSE 0 END, 0, CASE WHEN n = 0 THEN %(transactions)s
        WHEN n <= %(sellers)s THEN %(transactions)s / %(sellers)s ELSE 0 END,
    %(end)s, %(start)s, '{}'
FROM generate_series(0, %(accounts)s - 1) AS n
""",
    f"""
INSERT INTO transactions (transaction_id, created_at, effective_at, kind, reference, description,
    subject_id, template, hash)
SELECT {_ID.format(at=_AT, number="n")}, {_AT},
    {_AT} - CASE n %% 1000 WHEN 0 THEN interval '3 hours' ELSE interval '0' END,
    'POSTED', 'payment:' || n, 'Charged', CASE n %% 10 WHEN 0 THEN 'batch_1'
        ELSE 'pay_' || n / 2 END, 'captured/1', decode(repeat('00', 32), 'hex')
FROM generate_series(1, %(transactions)s) AS n
""",
    f"""
INSERT INTO entries (account_key, account_sequence, transaction_id, line, is_debit, amount,
    balance_after)
SELECT CASE line WHEN 1 THEN 1 ELSE (n - 1) %% %(sellers)s + 2 END,
    CASE line WHEN 1 THEN n ELSE (n - 1) / %(sellers)s + 1 END,
    {_ID.format(at=_AT, number="n")}, line, line = 1, 1,
    CASE line WHEN 1 THEN n ELSE (n - 1) / %(sellers)s + 1 END
FROM generate_series(1, %(transactions)s) AS n, generate_series(1, 2) AS line
""",
    "INSERT INTO claims SELECT reference, transaction_id FROM transactions",
    f"""
INSERT INTO transactions (transaction_id, created_at, effective_at, kind, reference, description,
    subject_id, expires_at, hash)
SELECT {_ID.format(at=_AT, number="%(transactions)s + n")}, {_AT}, {_AT}, 'PENDING', 'held:' || n,
    'Reserved', 'held_' || n / 2,
    CASE n %% 4 WHEN 0 THEN NULL ELSE %(end)s + n * interval '1 minute' END,
    decode(repeat('00', 32), 'hex')
FROM generate_series(1, %(pendings)s) AS n
""",
    f"""
INSERT INTO pending_lines (transaction_id, line, account_key, is_debit, amount)
SELECT {_ID.format(at=_AT, number="%(transactions)s + n")}, line,
    CASE line WHEN 1 THEN 1 ELSE n %% %(sellers)s + 2 END, line = 1, 1
FROM generate_series(1, %(pendings)s) AS n, generate_series(1, 2) AS line
""",
    "INSERT INTO claims SELECT reference, transaction_id FROM transactions WHERE kind = 'PENDING'",
    """
INSERT INTO account_changes
SELECT 8, n, 'OPEN', 'FROZEN', 'why', 'who', %(start)s::timestamptz
FROM generate_series(1, %(changes)s) AS n
""",
    """
INSERT INTO seals SELECT n, %(start)s::timestamptz + n * interval '1 minute', '[]',
    decode(repeat('00', 32), 'hex')
FROM generate_series(1, %(seals)s) AS n
""",
)
OPEN = """
INSERT INTO open_pendings (reference, expires_at, transaction_id)
SELECT reference, expires_at, transaction_id FROM transactions
WHERE kind = 'PENDING' ORDER BY transaction_id DESC LIMIT %(open)s
"""


@dataclass(frozen=True, slots=True)
class FullBooks:
    """When the books begin and end, and the first days of the months between."""

    start: datetime
    end: datetime
    months: tuple[datetime, ...]

    @property
    def step(self) -> timedelta:
        """How long after one transaction the next was written."""
        return (self.end - self.start) / TRANSACTIONS

    @property
    def middle(self) -> datetime:
        """When two fifths of the entries were written: well within a month."""
        return self.start + (self.end - self.start) * 2 / 5


def fill(owner_url: str, now: datetime) -> FullBooks:
    """Fill a fresh, migrated database: from the middle of this month on, for three months."""
    months = [now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
    for _ in range(3):
        months.append((months[-1] + timedelta(days=32)).replace(day=1))
    start, end = months[0] + timedelta(days=15), months[3] + timedelta(days=15)
    values = {
        "start": start,
        "end": end,
        "step": (end - start) / TRANSACTIONS,
        "transactions": TRANSACTIONS,
        "sellers": SELLERS,
        "accounts": ACCOUNTS,
        "pendings": PENDINGS,
        "open": OPEN_PENDINGS,
        "changes": CHANGES,
        "seals": SEALS,
    }
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for statement in (*_FILL, OPEN):
            owner.execute(statement, values)  # type: ignore[arg-type]
    return FullBooks(start, end, tuple(months[1:]))
