"""What the ledger's database says was changed of accounts and months, and its audit log does not
tell. Transactions have their own proof.
"""

from typing import LiteralString

from audit_log.unlogged import BEGAN

UNLOGGED: LiteralString = f"""
SELECT 'account ' || a.account_id AS subject,
    c.to_status || ' by ' || c.actor || ' is not in the audit log' AS how
FROM account_changes AS c JOIN accounts AS a USING (account_key)
WHERE c.changed_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = a.account_id AND l.reason = c.reason
        AND l.after ->> 'status' = c.to_status
)
UNION ALL
SELECT 'account ' || a.account_id, 'who opened it is not in the audit log' FROM accounts AS a
WHERE a.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = a.account_id AND l.object_kind = 'account'
        AND l.after ->> 'currency' = a.currency
)
UNION ALL
SELECT 'account ' || a.account_id, a.status || ' is not where its changes end' FROM accounts AS a
WHERE a.created_at > {BEGAN} AND a.status <> coalesce((
    SELECT c.to_status FROM account_changes AS c WHERE c.account_key = a.account_key
    ORDER BY c.number DESC LIMIT 1
), 'OPEN')
UNION ALL
SELECT 'checkpoint ' || c.number, 'who closed the month is not in the audit log'
FROM checkpoints AS c
WHERE c.made_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_kind = 'month'
        AND l.after ->> 'checkpoint' = c.number::text
)
"""
