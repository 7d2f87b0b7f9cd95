"""What the owner's hand makes wrong in the databases of a running stack, and right again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from devstack.stack import Stack


def owner(stack: Stack, context: str) -> Any:
    """Connect with the rights of a database's owner."""
    secret = stack.state.secret(f"{context}_owner")
    place = stack["databases"][context].rpartition("@")[2]
    url = f"postgresql://{context}_owner:{secret}@{place}"
    return psycopg.connect(url, autocommit=True)


@contextmanager
def made_wrong(stack: Stack, context: str, wrong: str, right: str) -> Iterator[None]:
    """Make something wrong by the owner's hand for the time of a `with`."""
    with owner(stack, context) as database:
        assert database.execute(wrong).rowcount == 1
        try:
            yield
        finally:
            database.execute(right)


ONE_COMPLETED = (
    "(SELECT min(payment_id) FROM payments WHERE status = 'COMPLETED'"
    " AND capture_method = 'AUTOMATIC')"
)
# What is made wrong by the owner's hand: invariant, database, the wrong, the right again.
WRONGS = [
    (
        "I1",
        "ledger",
        "UPDATE entries SET amount = amount + 1 WHERE account_sequence = 1 AND account_key = 1",
        "UPDATE entries SET amount = amount - 1 WHERE account_sequence = 1 AND account_key = 1",
    ),
    (
        "I2",
        "ledger",
        "UPDATE entries SET balance_after = balance_after + 1 WHERE account_key = 1"
        " AND account_sequence = 1",
        "UPDATE entries SET balance_after = balance_after - 1 WHERE account_key = 1"
        " AND account_sequence = 1",
    ),
    (
        "I3",
        "wallet",
        "UPDATE wallets SET available = available + 1 WHERE wallet_id = 'seller:demo:s0:EUR'",
        "UPDATE wallets SET available = available - 1 WHERE wallet_id = 'seller:demo:s0:EUR'",
    ),
    (
        "I4",
        "psp",
        "UPDATE attempts SET amount = amount + 1"
        " WHERE attempt_id = (SELECT min(attempt_id) FROM attempts)",
        "UPDATE attempts SET amount = amount - 1"
        " WHERE attempt_id = (SELECT min(attempt_id) FROM attempts)",
    ),
    (
        "I5",
        "payment",
        f"UPDATE payments SET amount = amount - 1 WHERE payment_id = {ONE_COMPLETED}",
        f"UPDATE payments SET amount = amount + 1 WHERE payment_id = {ONE_COMPLETED}",
    ),
    (
        "I6",
        "psp",
        "UPDATE attempts SET amount = amount + 100 WHERE kind = 'REFUND'",
        "UPDATE attempts SET amount = amount - 100 WHERE kind = 'REFUND'",
    ),
    (
        "I7",
        "payment",
        f"UPDATE sagas SET queue = 'RETRY' WHERE kind = 'settle' AND payment_id = {ONE_COMPLETED}",
        f"UPDATE sagas SET queue = 'DONE' WHERE kind = 'settle' AND payment_id = {ONE_COMPLETED}",
    ),
    (
        "I8",
        "payment",
        f"UPDATE orders SET status = 'CANCELLED' WHERE payment_id = {ONE_COMPLETED}",
        f"UPDATE orders SET status = 'SUCCESS' WHERE payment_id = {ONE_COMPLETED}",
    ),
]
# What no audit log tells, or tells otherwise than it was sealed: one in each service that has one.
_ENDPOINT = "'audit', 'demo', 16, 'https://x', '{}', '', 'DELETED', now()"
_SAID = "WHERE sequence = (SELECT max(sequence) FROM audit_log)"
UNLOGGED = [
    (
        "payment",
        f"INSERT INTO webhook_endpoints VALUES ({_ENDPOINT})",
        "DELETE FROM webhook_endpoints WHERE endpoint_id = 'audit'",
        "payment_svc webhook_endpoint audit",
    ),
    (
        "ledger",
        f"UPDATE audit_log SET actor_id = actor_id || '!' {_SAID}",
        f"UPDATE audit_log SET actor_id = rtrim(actor_id, '!') {_SAID}",
        "ledger_svc line ",
    ),
    (
        "wallet",
        "UPDATE wallets SET status = 'FROZEN' WHERE wallet_id = 'seller:demo:s0:EUR'",
        "UPDATE wallets SET status = 'OPEN' WHERE wallet_id = 'seller:demo:s0:EUR'",
        "wallet_svc wallet seller:demo:s0:EUR",
    ),
    (
        "psp",
        "INSERT INTO attempt_events (attempt_id, operation, answer, trace, reason, psp_code, at)"
        " SELECT min(attempt_id), 'RESOLVED_BY_HAND', 'DECLINED', 'eve', '', '', now()"
        " FROM attempts",
        "DELETE FROM attempt_events WHERE trace = 'eve'",
        "psp_gateway attempt ",
    ),
    (
        "edge_auth",
        "INSERT INTO api_keys SELECT 'eve', client_id, '', now() FROM clients LIMIT 1",
        "DELETE FROM api_keys WHERE key_id = 'eve'",
        "edge_auth key eve",
    ),
]


# What payment_svc and the ledger find themselves, by the gateway's word in the PSPs' place.
RPC_WRONGS = [
    *(wrong for wrong in WRONGS if wrong[0] in ("I2", "I4", "I6", "I7", "I8")),
    (
        "I5",
        "psp",
        "INSERT INTO attempts SELECT (jsonb_populate_record(a, jsonb_build_object('attempt_id',"
        " a.attempt_id || 'x'))).* FROM attempts AS a WHERE kind = 'CHARGE'"
        " AND outcome = 'SUCCEEDED' ORDER BY attempt_id LIMIT 1",
        "DELETE FROM attempts WHERE attempt_id LIKE '%c1x'",
    ),
]
