"""What the wallets' database says was changed of wallets, and its audit log does not tell.
Operations never change, and are held against the ledger.

The ids of `wallets` sort by byte, those of other tables as the database does: only an id that is
told to sort as they do is looked up by their indexes, and all of a table would be read for each.
"""

from typing import LiteralString

from audit_log.unlogged import BEGAN

_AS_THEY_SORT: LiteralString = 'COLLATE "default"'

UNLOGGED: LiteralString = f"""
SELECT 'wallet ' || c.wallet_id AS subject,
    c.what || ' ' || c.after || ' by ' || c.actor || ' is not in the audit log' AS how
FROM wallet_changes AS c
WHERE c.changed_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = c.wallet_id AND l.reason = c.reason
        AND l.after ->> lower(c.what) = c.after
)
UNION ALL
SELECT 'wallet ' || w.wallet_id, 'who opened it is not in the audit log' FROM wallets AS w
WHERE w.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = w.wallet_id AND l.object_kind = 'wallet'
        AND l.after ->> 'currency' = w.currency
)
UNION ALL
SELECT 'wallet ' || w.wallet_id, w.status || ' is not where its changes end' FROM wallets AS w
WHERE w.created_at > {BEGAN} AND w.status <> coalesce((
    SELECT c.after FROM wallet_changes AS c WHERE c.wallet_id = w.wallet_id {_AS_THEY_SORT}
        AND c.what = 'STATUS'
    ORDER BY c.version DESC LIMIT 1
), 'OPEN')
UNION ALL
SELECT 'wallet ' || w.wallet_id, 'its credit limit is not where its changes end'
FROM wallets AS w
WHERE w.created_at > {BEGAN} AND w.credit_limit <> coalesce((
    SELECT c.after::numeric FROM wallet_changes AS c
    WHERE c.wallet_id = w.wallet_id {_AS_THEY_SORT}
        AND c.what = 'CREDIT_LIMIT' ORDER BY c.version DESC LIMIT 1
), (
    SELECT (l.after ->> 'credit_limit')::numeric FROM audit_log AS l
    WHERE l.object_id = w.wallet_id {_AS_THEY_SORT} AND l.object_kind = 'wallet'
        AND l.after ->> 'currency' = w.currency
    ORDER BY l.sequence LIMIT 1
), 0)
"""
