"""What the gateway's database says was changed, and neither its audit log nor a trail tells.

A circuit that was reset, and a bank statement that was taken in, leave a line and nothing to hold
it against: circuits are no rows, and what a statement changed is in the payouts' trail.
"""

from typing import LiteralString

from audit_log.unlogged import BEGAN

UNLOGGED: LiteralString = f"""
SELECT 'attempt ' || e.attempt_id AS subject,
    e.answer || ', said by persons, is not in the audit log' AS how
FROM attempt_events AS e
WHERE e.operation = 'RESOLVED_BY_HAND' AND e.at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = e.attempt_id AND l.object_kind = 'attempt'
        AND l.reason = e.trace
)
UNION ALL
SELECT 'dispute ' || r.dispute_id, r.kind || ' (' || r.request_id || ') is not in the audit log'
FROM dispute_requests AS r
WHERE r.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = r.dispute_id AND l.object_kind = 'dispute'
        AND l.after ->> 'request_id' = r.request_id
)
UNION ALL
SELECT 'attempt ' || a.attempt_id,
    'its trail has fewer than its ' || a.version - 1 || ' changes, which made it ' || a.outcome
FROM attempts AS a
WHERE a.created_at > {BEGAN} AND a.version - 1 > (
    SELECT count(*) FROM attempt_events AS e WHERE e.attempt_id = a.attempt_id
)
UNION ALL
SELECT 'payout ' || p.attempt_id, p.state || ' is not in its trail' FROM payouts AS p
WHERE p.created_at > {BEGAN} AND p.state <> 'PENDING' AND NOT EXISTS (
    SELECT FROM payout_events AS e WHERE e.attempt_id = p.attempt_id AND e.state = p.state
)
UNION ALL
SELECT 'dispute ' || d.dispute_id, d.status || ' is not among its facts' FROM disputes AS d
WHERE d.opened_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM dispute_facts AS f WHERE f.dispute_id = d.dispute_id AND f.status = d.status
)
"""
