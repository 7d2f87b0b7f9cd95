"""The SQL of the store: set statements, portable to CockroachDB.

Arrays go in binary (`%b`): writing them as text costs five times the CPU.
"""

BY_ID = "SELECT * FROM attempts WHERE attempt_id = ANY(%b::text[])"

# One order of locking for every batch, so that two of them cannot wait for each other.
LOCK = BY_ID + " ORDER BY attempt_id FOR UPDATE"

ABOUT = "SELECT * FROM attempts WHERE charge_attempt_id = ANY(%b::text[])"

OF_PAYMENT = "SELECT * FROM attempts WHERE payment_id = %s ORDER BY created_at, attempt_id"
OF_PAYMENTS = (
    "SELECT * FROM attempts WHERE payment_id = ANY(%s) ORDER BY payment_id, created_at, attempt_id"
)

# Only what a new attempt knows; the rest begins empty.
INSERT = """
INSERT INTO attempts
    (attempt_id, kind, payment_id, client_id, psp, amount, currency, fingerprint,
     charge_attempt_id, charge_reference, created_at, updated_at, stage, page_expires_at, method,
     is_final, captured_before,
     outcome, delivery, psp_reference, reason, psp_code, message, redirect_url,
     request_count, version)
SELECT *, 'PENDING', 'SENT_NO_ANSWER', '', '', '', '', '', 0, 1
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::numeric[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[],
    %b::text[], %b::timestamptz[], %b::text[], %b::boolean[], %b::numeric[])
ON CONFLICT (attempt_id) DO NOTHING
RETURNING attempt_id
"""

# Success is written by whoever learns it, anything else only by the holder of the newest version,
# and a final outcome is never written over. The trail is written in any case: one statement does
# both, so that it is a transaction by itself.
SAVE = """
WITH saved AS (
UPDATE attempts a
SET stage = new.stage, outcome = new.outcome, delivery = new.delivery,
    psp_reference = new.psp_reference, reason = new.reason, psp_code = new.psp_code,
    message = new.message, redirect_url = '',
    redirect_url_encrypted = new.redirect_url_encrypted, request_count = new.request_count,
    sent_at = new.sent_at, updated_at = new.updated_at, expires_at = new.expires_at,
    psp = new.psp, psps_tried = new.psps_tried, page_expires_at = new.page_expires_at,
    retry_at = new.retry_at,
    version = a.version + 1
FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::bytea[], %b::integer[], %b::timestamptz[], %b::timestamptz[],
    %b::timestamptz[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[])
    AS new (attempt_id, version, stage, outcome, delivery, psp_reference, reason,
        psp_code, message, redirect_url_encrypted, request_count, sent_at, updated_at, expires_at,
        psp, psps_tried, page_expires_at, retry_at)
WHERE a.attempt_id = new.attempt_id
    AND a.outcome NOT IN ('SUCCEEDED', 'DECLINED')
    AND (a.version = new.version
        OR (new.outcome = 'SUCCEEDED' AND a.psp = new.psp
            AND (a.psp_reference IN ('', new.psp_reference) OR a.stage IN ('OPEN', 'PAGE'))))
RETURNING a.attempt_id, a.version
), trail AS (
INSERT INTO attempt_events (attempt_id, operation, answer, trace, reason, psp_code, at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::timestamptz[])
)
SELECT attempt_id, version FROM saved
"""
