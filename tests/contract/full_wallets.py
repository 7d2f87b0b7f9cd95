"""Wallets with enough in them for a bad plan to show: 200,000 operations over three months, half of
them of one wallet, written by one statement a table.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

OPERATIONS, SELLERS, WALLETS = 200_000, 500, 20_000
HOLDS, OPEN_HOLDS, CHANGES = 20_000, 10_000, 4_000
HOT, SELLER = "platform:demo:USD", "seller:demo:s_100:USD"

# Every second operation is of the hot wallet; one in 20,000 is a rare one.
_WALLET = f"""
CASE n %% 2 WHEN 0 THEN '{HOT}' ELSE 'seller:demo:s_' || (n / 2) %% {SELLERS} || ':USD' END
"""
_SEQUENCE = f"CASE n %% 2 WHEN 0 THEN n / 2 ELSE n / 2 / {SELLERS} + 1 END"
_FILL = (
    f"""
INSERT INTO wallets (wallet_id, client_id, owner, currency, status, pending, available, held,
    operation_count, created_at, account_type, credit_limit, version)
SELECT CASE WHEN n = 0 THEN '{HOT}'
        WHEN n < 12000 THEN 'seller:demo:s_' || n - 1 || ':USD'
        ELSE 'buyer:demo:b_' || n || ':USD' END,
    'demo', 'o', 'USD', 'OPEN', 0, 0, 0,
    CASE WHEN n = 0 THEN %(count)s / 2 WHEN n <= {SELLERS} THEN %(count)s / 2 / {SELLERS}
        ELSE 0 END,
    %(start)s, 'SELLER', 0,
    CASE WHEN n = 0 THEN %(count)s / 2 WHEN n <= {SELLERS} THEN %(count)s / 2 / {SELLERS}
        ELSE 0 END + 1
FROM generate_series(0, {WALLETS} - 1) AS n
""",
    f"""
INSERT INTO operations (operation_id, wallet_id, kind, amount, currency, subject_id,
    pending_change, available_change, held_change, pending_after, available_after, held_after,
    wallet_sequence, wallet_version, created_at, refers_to, releases_rest)
SELECT 'op:' || n, {_WALLET},
    CASE WHEN n %% 20000 < 2 THEN 'CHARGEBACK' WHEN n %% 3 = 0 THEN 'SETTLE' ELSE 'CREDIT' END,
    1, 'USD', 'pay_' || n / 4,
    CASE WHEN n %% 20000 < 2 OR n %% 3 = 0 THEN -1 ELSE 1 END,
    CASE WHEN n %% 20000 < 2 THEN 0 WHEN n %% 3 = 0 THEN 1 ELSE 0 END, 0, 1, 1, 0,
    {_SEQUENCE}, {_SEQUENCE} + 1, %(start)s::timestamptz + n * %(step)s::interval, '', false
FROM generate_series(1, %(count)s) AS n
""",
    "INSERT INTO claims SELECT operation_id, wallet_id, wallet_sequence FROM operations",
    f"""
INSERT INTO holds (hold_id, wallet_id, subject_id, currency, amount, open_amount, captured_amount,
    released_amount, status, expires_at, created_at)
SELECT 'h:' || n, '{HOT}', 'pay_' || n, 'USD', 1, CASE WHEN n > {OPEN_HOLDS} THEN 1 ELSE 0 END,
    CASE WHEN n > {OPEN_HOLDS} THEN 0 ELSE 1 END, 0,
    CASE WHEN n > {OPEN_HOLDS} THEN 'OPEN' ELSE 'CAPTURED' END,
    %(end)s::timestamptz + n * interval '1 minute',
    %(start)s::timestamptz + n * interval '1 minute'
FROM generate_series(1, {HOLDS}) AS n
""",
    f"""
INSERT INTO wallet_changes (wallet_id, version, what, before, after, reason, actor, changed_at)
SELECT '{SELLER}', n + 1, 'CREDIT_LIMIT', n, n + 1, 'why', 'who', %(start)s::timestamptz
FROM generate_series(1, {CHANGES}) AS n
""",
)


@dataclass(frozen=True, slots=True)
class FullWallets:
    """When the first operation was done, and the last."""

    start: datetime
    end: datetime

    @property
    def middle(self) -> datetime:
        """When half of the operations were done."""
        return self.start + (self.end - self.start) / 2


def fill(owner_url: str, now: datetime) -> FullWallets:
    """Fill a fresh, migrated database: the last three months."""
    made = FullWallets(now - timedelta(days=90), now)
    step = (made.end - made.start) / OPERATIONS
    values = {"start": made.start, "end": made.end, "step": step, "count": OPERATIONS}
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for statement in _FILL:
            owner.execute(statement.encode(), values)
    return made
