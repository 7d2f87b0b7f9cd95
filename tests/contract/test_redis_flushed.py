"""Redis has forgotten which nonces were used, while it answers as ever: what was signed once and is
sent again does nothing again.
"""

from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from paymesh.payment.v1.webhook_endpoint_service_pb2_grpc import (
    add_WebhookEndpointServiceServicer_to_server,
)
from redis.asyncio import Redis

from chassis.clock import utc_now
from chassis.database import Database
from edge_auth.domain.scopes import Scope
from edge_auth.turnstile import LocalTurnstile, RedisTurnstile
from edge_auth.use_cases.create_client import NewClient
from payment_svc.domain.webhook_url import TargetRules
from payment_svc.webhooks.log import PostgresWebhookLog
from payment_svc.webhooks.servicer import PublicWebhookService
from payment_svc.webhooks.store import PostgresWebhookStore
from tests.builders import make_id
from tests.contract.test_edge_door import reasons
from tests.contract.test_webhook_queue import DELIVERED, TAKEN, event, make_queue, tell, waiting
from tests.contract.test_webhook_store import create
from tests.own_edge import own_edge
from tests.servers import RedisServer
from tests.signed import signed
from tests.unit.payment_svc.webhook_builders import KEYS

SIGNER = f"signer-{uuid4()}"
ASKED = {
    "one event": b'{"event_id": "evt_pay_1s1"}',
    "all since": b'{"since": "2020-01-01T00:00:00Z"}',
}


def webhooks(database: Database) -> PublicWebhookService:
    """Make the service that stands behind the edge."""
    return PublicWebhookService(
        PostgresWebhookStore(database),
        PostgresWebhookLog(database),
        rules=TargetRules(),
        keys=KEYS,
        clock=utc_now,
        new_id=make_id,
        fingerprint_key=b"a key of the tests",
        due=lambda: None,
    )


async def send_all(database: Database) -> int:
    """Deliver what is due, as the courier does; tell how many."""
    queue = make_queue(database)
    claimed = await queue.claim(10)
    for each in claimed:
        await queue.record(each, TAKEN, DELIVERED)
    return len(claimed)


@pytest.mark.parametrize("what", ASKED)
async def test_a_used_nonce_changes_nothing_after_a_flush(
    tmp_path: Path, payment_db: Database, what: str
) -> None:
    """The captured bytes pass the edge, which cannot know; the key's record answers them."""
    endpoint = (await create(PostgresWebhookStore(payment_db), client_id=SIGNER)).endpoint
    await tell(payment_db, event(client_id=SIGNER))
    assert await send_all(payment_db) == 1
    path, body = f"/v1/webhook_endpoints/{endpoint.endpoint_id}/redeliver", ASKED[what]
    also = partial(add_WebhookEndpointServiceServicer_to_server, webhooks(payment_db))
    wanted = NewClient(SIGNER, scopes=tuple(Scope), signing=True)

    with RedisServer.start(tmp_path) as server:
        async with Redis.from_url(server.url) as redis:
            turnstile = RedisTurnstile(redis, LocalTurnstile(lambda: 0.0), lambda: 0.0)
            async with own_edge(tmp_path, wanted=wanted, turnstile=turnstile, also=also) as door:
                headers = {
                    "content-type": "application/json",
                    **signed(door.secret, "POST", path, body, key="again"),
                }
                replay = partial(door.rest, path, "POST", data=body, headers=headers)

                done, answer, _ = await replay()
                assert (done, answer["event_count"], await send_all(payment_db)) == (200, 1, 1)
                refused, told, _ = await replay()
                assert (refused, reasons(told)[1]) == (401, "NONCE_USED")
                await redis.flushall()
                known, replayed, _ = await replay()

    assert (known, replayed) == (200, answer)
    assert await send_all(payment_db) == 0
    assert [row["status"] for row in await waiting(payment_db)] == ["DELIVERED"]
