"""What the payment database says was changed, and neither its audit log nor its history tells."""

from typing import LiteralString

from audit_log.unlogged import BEGAN

UNLOGGED: LiteralString = f"""
SELECT 'saga ' || a.saga_id AS subject,
    a.kind || ' by ' || a.actor || ' is not in the audit log' AS how
FROM operator_actions AS a
WHERE a.at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = a.saga_id AND l.object_kind = 'saga'
        AND l.actor_id = a.actor AND l.reason = a.reason
)
UNION ALL
SELECT CASE WHEN r.method IN ('CreateWebhookEndpoint', 'RotateWebhookSecret', 'RedeliverEvent')
        THEN 'webhook_endpoint ' ELSE 'payment ' END || r.payment_id,
    r.method || ' by ' || r.client_id || ' is not in the audit log'
FROM idempotency_records AS r
WHERE r.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = r.payment_id AND l.actor_id = r.client_id
        AND split_part(l.action, '/', 2) = r.method
)
UNION ALL
SELECT 'payment ' || p.payment_id, 'who asked for it is not in the audit log' FROM payments AS p
WHERE p.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = p.payment_id AND l.object_kind = 'payment'
        AND l.actor_id = p.client_id AND l.after ->> 'status' = 'PENDING'
)
UNION ALL
SELECT 'payment ' || p.payment_id, p.status || ' is not where its history ends' FROM payments AS p
WHERE p.created_at > {BEGAN} AND p.status IS DISTINCT FROM (
    SELECT h.to_status FROM status_history AS h
    WHERE h.payment_id = p.payment_id AND h.subject_id = p.payment_id
    ORDER BY h.change_id DESC LIMIT 1
)
UNION ALL
SELECT 'order ' || o.order_id, o.status || ' is not where its history ends' FROM orders AS o
WHERE o.created_at > {BEGAN} AND o.status IS DISTINCT FROM (
    SELECT h.to_status FROM status_history AS h
    WHERE h.payment_id = o.payment_id AND h.subject_id = o.order_id
    ORDER BY h.change_id DESC LIMIT 1
)
UNION ALL
SELECT 'webhook_endpoint ' || e.endpoint_id,
    'that ' || e.client_id || ' gave it up is not in the audit log'
FROM webhook_endpoints AS e
WHERE e.status = 'DELETED' AND e.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = e.endpoint_id
        AND l.after ->> 'status' = 'DELETED'
)
UNION ALL
SELECT 'webhook_endpoint ' || s.endpoint_id,
    'its secret of generation ' || s.generation || ' is not in the audit log'
FROM webhook_secrets AS s
WHERE s.created_at > {BEGAN} AND NOT EXISTS (
    SELECT FROM audit_log AS l WHERE l.object_id = s.endpoint_id
        AND l.after ->> 'secret_generation' = s.generation::text
)
"""
