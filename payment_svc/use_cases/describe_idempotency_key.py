"""DescribeIdempotencyKey: what is kept under a client's key, never what was sent."""

from payment_svc.domain.errors import IdempotencyKeyNotFound
from payment_svc.operations.ports import KeptKey, OperatorStore


async def describe_idempotency_key(
    client_id: str, method: str, key: str, *, store: OperatorStore
) -> KeptKey:
    """Tell which payment a key stands for, since when, and which fields were set.

    Raises:
        IdempotencyKeyNotFound: no such request was accepted.
    """
    found = await store.find_key(client_id, method, key)
    if found is None:
        raise IdempotencyKeyNotFound(client_id, method)
    return found
