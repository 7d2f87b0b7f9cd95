"""What was done under a client's idempotency keys, as the webhooks' transactions keep it."""

import json

from chassis.database import Transaction
from payment_svc.idempotency import differing
from payment_svc.ports import Asked, KeyReused

_FIND = """
SELECT fingerprint, payment_id AS endpoint_id, answer FROM idempotency_records
WHERE client_id = %s AND method = %s AND idempotency_key = %s
"""
_ADD = """
INSERT INTO idempotency_records
    (client_id, method, idempotency_key, fingerprint, payment_id, answer, created_at)
VALUES (%s, %s, %s, %s, %s, %s, now())
"""


async def find(asked: Asked, tx: Transaction) -> tuple[str, str] | KeyReused | None:
    """Tell what a key did before: to which endpoint, and the answer that was kept."""
    found = await tx.all(_FIND, [asked.client_id, asked.method, asked.idempotency_key])
    if not found:
        return None
    fields = differing(found[0]["fingerprint"], asked.fingerprint)
    if fields:
        return KeyReused(tuple(fields))
    return found[0]["endpoint_id"], found[0]["answer"].decode()


async def keep(asked: Asked, endpoint_id: str, answer: str, tx: Transaction) -> None:
    """Keep what a key did. Of two at once the second one's transaction is run again."""
    record = (
        asked.client_id, asked.method, asked.idempotency_key, json.dumps(asked.fingerprint),
        endpoint_id, answer.encode(),
    )  # fmt: skip
    await tx.execute(_ADD, record)
