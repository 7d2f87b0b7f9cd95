"""Webhook endpoints on real PostgreSQL: keys, the limit, secrets, deletion."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.database import Database
from payment_svc.domain.errors import WebhookEndpointNotFound
from payment_svc.domain.webhook_endpoint import (
    ENDPOINTS_MAX,
    EndpointStatus,
    ShownEndpoint,
    WebhookEndpoint,
)
from payment_svc.ports import KeyReused
from payment_svc.use_cases.get_webhook_endpoint import get_webhook_endpoint
from payment_svc.use_cases.list_webhook_endpoints import list_webhook_endpoints
from payment_svc.webhooks.ports import NoSlotLeft
from payment_svc.webhooks.store import PostgresWebhookStore
from tests.builders import NOW, make_asked, make_id
from tests.unit.payment_svc.webhook_builders import KEYS

DAY = timedelta(hours=24)
CREATE, ROTATE = "CreateWebhookEndpoint", "RotateWebhookSecret"


def make_endpoint(client_id: str = "demo", **changed: Any) -> WebhookEndpoint:
    """Make an endpoint to be registered."""
    fields = {"url": "http://127.0.0.1:1/", "event_types": (), "description": "d", **changed}
    return WebhookEndpoint(
        endpoint_id=make_id("whe"),
        client_id=client_id,
        status=EndpointStatus.ENABLED,
        created_at=NOW,
        **fields,
    )


async def create(
    store: PostgresWebhookStore, key: str | None = None, **changed: Any
) -> ShownEndpoint:
    """Register an endpoint, under a key of its own when none is given."""
    endpoint = make_endpoint(**changed)
    asked = make_asked(CREATE, key or endpoint.endpoint_id, endpoint.client_id)
    created = await store.create(asked, endpoint, KEYS.newest)
    assert isinstance(created, ShownEndpoint)
    return created


async def test_created_it_is_found_by_its_client_alone(payment_db: Database) -> None:
    """What is read equals what was stored; a stranger is told that there is nothing."""
    store = PostgresWebhookStore(payment_db)
    created = await create(store, event_types=("payment.failed", "payment.completed"))

    endpoint = created.endpoint
    assert await store.find("demo", endpoint.endpoint_id) == endpoint
    assert await store.find("other", endpoint.endpoint_id) is None
    assert await store.delete("other", endpoint.endpoint_id) is None
    asked = make_asked(ROTATE, client_id="other")
    assert await store.rotate(asked, endpoint.endpoint_id, KEYS.newest, DAY) is None
    assert list(await store.list("other", 10, None)) == []


async def test_a_key_registers_once(payment_db: Database) -> None:
    """Twenty calls at once under one key make one endpoint with one secret."""
    store = PostgresWebhookStore(payment_db)

    answers = await asyncio.gather(*(create(store, "k") for _ in range(20)))

    assert len({answer.endpoint.endpoint_id for answer in answers}) == 1
    assert {answer.name for answer in answers} == {answers[0].name}
    assert sum(not answer.replayed for answer in answers) == 1


async def test_a_key_belongs_to_one_request(payment_db: Database) -> None:
    """The fields that differ are named."""
    store = PostgresWebhookStore(payment_db)
    await create(store, "k")
    asked = make_asked(CREATE, "k")
    other = type(asked)(asked.client_id, asked.method, asked.idempotency_key, {"url": "x"})

    refused = await store.create(other, make_endpoint(), KEYS.newest)

    assert refused == KeyReused(("payment_id", "url"))


async def test_a_replay_answers_as_it_was(payment_db: Database) -> None:
    """Neither a later secret nor a later status changes the first answer."""
    store = PostgresWebhookStore(payment_db)
    first = await create(store, "k")
    endpoint_id = first.endpoint.endpoint_id
    await store.rotate(make_asked(ROTATE), endpoint_id, KEYS.newest, DAY)
    await store.delete("demo", endpoint_id)

    replay = await create(store, "k")

    assert replay == ShownEndpoint(first.endpoint, first.name, replayed=True)


async def test_sixteen_and_no_more_however_many_ask_at_once(payment_db: Database) -> None:
    """The limit holds under concurrency; deleting makes room, and each client has its own."""
    store = PostgresWebhookStore(payment_db)

    answers = await asyncio.gather(
        *(create(store) for _ in range(ENDPOINTS_MAX + 8)), return_exceptions=True
    )
    created = [answer for answer in answers if isinstance(answer, ShownEndpoint)]

    assert len(created) == ENDPOINTS_MAX
    assert sum(isinstance(answer, NoSlotLeft) for answer in answers) == 8
    await create(store, client_id="other")
    await store.delete("demo", created[3].endpoint.endpoint_id)
    await create(store, "again")
    with pytest.raises(NoSlotLeft):
        await create(store)


async def test_rotation_adds_a_secret_and_lets_the_old_one_expire(payment_db: Database) -> None:
    """Once per key; a second rotation does not lengthen the life of the first secret."""
    store = PostgresWebhookStore(payment_db)
    endpoint_id = (await create(store)).endpoint.endpoint_id

    rotated = await store.rotate(make_asked(ROTATE, "r"), endpoint_id, KEYS.newest, DAY)
    replay = await store.rotate(make_asked(ROTATE, "r"), endpoint_id, KEYS.newest, DAY)
    again = await store.rotate(make_asked(ROTATE, "s"), endpoint_id, KEYS.newest, 2 * DAY)

    assert isinstance(rotated, ShownEndpoint)
    assert isinstance(again, ShownEndpoint)
    assert replay == ShownEndpoint(rotated.endpoint, rotated.name, replayed=True)
    assert (rotated.name.generation, again.name.generation) == (2, 3)
    names = await payment_db.read(
        "SELECT generation, extract(epoch FROM expires_at - now()) / 3600 AS hours"
        " FROM webhook_secrets ORDER BY generation"
    )
    assert [row["hours"] and round(row["hours"]) for row in names] == [24, 48, None]


async def test_what_is_deleted_is_not_there(payment_db: Database) -> None:
    """It may be deleted again; it is neither read nor listed nor given a new secret."""
    store = PostgresWebhookStore(payment_db)
    endpoint_id = (await create(store)).endpoint.endpoint_id

    deleted = [await store.delete("demo", endpoint_id) for _ in range(2)]

    assert [one and one.status for one in deleted] == [EndpointStatus.DELETED] * 2
    assert list(await store.list("demo", 10, None)) == []
    assert await store.rotate(make_asked(ROTATE), endpoint_id, KEYS.newest, DAY) is None
    with pytest.raises(WebhookEndpointNotFound):
        await get_webhook_endpoint("demo", endpoint_id, store=store)


async def test_pages_show_each_endpoint_once(payment_db: Database) -> None:
    """Also those that were registered in the same instant."""
    store = PostgresWebhookStore(payment_db)
    made = {(await create(store)).endpoint.endpoint_id for _ in range(7)}

    seen, token = [], ""
    while True:
        page, token = await list_webhook_endpoints("demo", 3, token, store=store)
        seen += [endpoint.endpoint_id for endpoint in page]
        if not token:
            break

    assert seen == sorted(made, reverse=True)


async def test_nothing_at_rest_signs(payment_db: Database) -> None:
    """No table holds a secret, the idempotency records neither."""
    store = PostgresWebhookStore(payment_db)
    shown = await create(store)
    secret = KEYS.secret(shown.endpoint.endpoint_id, shown.name)

    tables = ("webhook_endpoints", "webhook_secrets", "idempotency_records")
    rows = [await payment_db.read(f"SELECT t::text AS line FROM {name} AS t") for name in tables]

    held = " ".join(row["line"] for table in rows for row in table)
    assert secret.hex() not in held
    assert held.count(shown.endpoint.endpoint_id) >= 3
