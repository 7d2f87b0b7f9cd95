"""What the edge's database says was changed of clients and their credentials, and its audit log
does not tell.
"""

from typing import LiteralString

from audit_log.unlogged import BEGAN

_LINE: LiteralString = """
SELECT FROM audit_log AS l WHERE l.object_kind = 'client' AND l.object_id = c.client_id
"""
_CHANGES: LiteralString = f"""
SELECT 'client ' || c.client_id AS subject,
    c.action || ' by ' || c.actor || ' is not in the audit log' AS how
FROM client_changes AS c
WHERE c.at > {BEGAN} AND NOT EXISTS ({_LINE}
    AND l.reason = c.reason
    AND split_part(l.action, '/', 2) IN (c.action, CASE c.action
        WHEN 'CREATED' THEN 'CreateClient' WHEN 'ROTATED' THEN 'RotateCredential'
        WHEN 'REVOKED' THEN 'RevokeClient' WHEN 'LIMITED' THEN 'SetClientLimit' END)
)
"""
_CLIENTS: LiteralString = f"""
SELECT 'client ' || c.client_id, 'who made it is not in the audit log' FROM clients AS c
WHERE c.created_at > {BEGAN}
    AND NOT EXISTS ({_LINE} AND l.after ->> 'scopes' IS NOT NULL)
UNION ALL
SELECT 'client ' || c.client_id, 'who revoked it is not in the audit log' FROM clients AS c
WHERE c.revoked_at > {BEGAN} AND NOT EXISTS ({_LINE} AND l.after ->> 'status' = 'revoked')
UNION ALL
SELECT 'client ' || c.client_id, 'its limit is not the last one in the audit log'
FROM clients AS c
WHERE c.created_at > {BEGAN} AND (
    coalesce(c.requests_per_second::text, 'default'), coalesce(c.burst::text, 'default')
) <> (
    coalesce((SELECT l.after ->> 'requests_per_second' FROM audit_log AS l
        WHERE l.object_id = c.client_id AND l.after ->> 'requests_per_second' IS NOT NULL
        ORDER BY l.sequence DESC LIMIT 1), 'default'),
    coalesce((SELECT l.after ->> 'burst' FROM audit_log AS l
        WHERE l.object_id = c.client_id AND l.after ->> 'burst' IS NOT NULL
        ORDER BY l.sequence DESC LIMIT 1), 'default')
)
"""
# A client's first secret is made with it, and its line names the key alone.
_CREDENTIALS: LiteralString = f"""
SELECT 'key ' || c.key_id, 'who made it for ' || c.client_id || ' is not in the audit log'
FROM api_keys AS c
WHERE c.created_at > {BEGAN} AND NOT EXISTS ({_LINE}
    AND c.key_id IN (l.after ->> 'key_id', l.after ->> 'credential_id'))
UNION ALL
SELECT 'secret ' || c.secret_id, 'who made it for ' || c.client_id || ' is not in the audit log'
FROM signing_secrets AS c JOIN clients AS o USING (client_id)
WHERE c.created_at > {BEGAN} AND c.created_at <> o.created_at
    AND NOT EXISTS ({_LINE} AND l.after ->> 'credential_id' = c.secret_id)
UNION ALL
SELECT 'key ' || c.key_id, 'who revoked it is not in the audit log' FROM api_keys AS c
WHERE c.revoked_at > {BEGAN}
    AND NOT EXISTS ({_LINE} AND l.after ->> ('API_KEY ' || c.key_id) = 'revoked')
UNION ALL
SELECT 'secret ' || c.secret_id, 'who revoked it is not in the audit log'
FROM signing_secrets AS c
WHERE c.revoked_at > {BEGAN}
    AND NOT EXISTS ({_LINE} AND l.after ->> ('SECRET ' || c.secret_id) = 'revoked')
"""

UNLOGGED: LiteralString = f"{_CHANGES} UNION ALL {_CLIENTS} UNION ALL {_CREDENTIALS}"
