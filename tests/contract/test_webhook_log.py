"""Events and deliveries as lists, and sending again, on real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest

from chassis.database import Database
from payment_svc.domain.errors import (
    EventNotFound,
    IdempotencyKeyReused,
    WebhookEndpointDisabled,
)
from payment_svc.domain.webhook_delivery import DeliveryStatus, Verdict
from payment_svc.use_cases.list_events import list_events
from payment_svc.use_cases.list_webhook_deliveries import list_webhook_deliveries
from payment_svc.use_cases.redeliver_event import redeliver_event
from payment_svc.webhooks.log import PostgresWebhookLog
from payment_svc.webhooks.store import PostgresWebhookStore
from tests.builders import make_asked
from tests.contract.test_webhook_queue import DELIVERED, TAKEN, event, make_queue, tell, waiting
from tests.contract.test_webhook_store import create
from tests.servers import ServiceDatabase

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def grow_old(database: ServiceDatabase, where: str = "true") -> None:
    """Have events happened a minute ago."""
    async with await psycopg.AsyncConnection.connect(database.owner_url) as owner:
        await owner.execute(
            f"UPDATE outbox SET created_at = created_at - interval '1 minute' WHERE {where}"
        )


async def test_a_reader_walks_through_all_events(
    payment_db: Database, payment_database: ServiceDatabase
) -> None:
    """In pages, the oldest first, each once; at the end the cursor stays, and goes on later."""
    log = PostgresWebhookLog(payment_db)
    await tell(payment_db, *(event(n) for n in range(1, 8)), event(1, "pay_2", client_id="other"))
    await grow_old(payment_database)

    seen, token = [], ""
    while True:
        page, token = await list_events("demo", "", 3, token, log=log)
        seen += [one.sequence for one in page]
        if not page:
            break
    await tell(payment_db, event(8))
    late, token = await list_events("demo", "", 3, token, log=log)

    assert seen == list(range(1, 8))
    assert [one.sequence for one in late] == [8]


async def test_the_cursor_does_not_pass_what_is_young(
    payment_db: Database, payment_database: ServiceDatabase
) -> None:
    """An older event that commits late is still seen; the young ones come again."""
    log = PostgresWebhookLog(payment_db)
    await tell(payment_db, event(1), event(3))
    await grow_old(payment_database, "sequence = 1")

    first, token = await list_events("demo", "", 10, "", log=log)
    await tell(payment_db, event(2))  # as if its transaction had begun before that of 3
    await grow_old(payment_database, "sequence = 2")
    second, _ = await list_events("demo", "", 10, token, log=log)

    assert [one.sequence for one in first] == [1, 3]
    assert [one.sequence for one in second] == [2, 3]


async def test_events_of_one_object_by_its_client_alone(payment_db: Database) -> None:
    """The filter is part of the cursor; a stranger sees nothing."""
    log = PostgresWebhookLog(payment_db)
    await tell(payment_db, event(1, "pay_1"), event(1, "pay_2"), event(2, "pay_1"))

    mine, token = await list_events("demo", "pay_1", 10, "", log=log)
    theirs, _ = await list_events("other", "pay_1", 10, "", log=log)

    assert [one.event_id for one in mine] == ["evt_pay_1s1", "evt_pay_1s2"]
    assert list(theirs) == []
    for client_id, object_id in (("demo", "pay_2"), ("other", "pay_1")):
        with pytest.raises(Exception, match="page_token"):
            await list_events(client_id, object_id, 10, token, log=log)


async def test_one_event_is_sent_again(payment_db: Database) -> None:
    """Delivered or not, wanted or not; the attempts of before are kept, the schedule is anew."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint = (await create(store, event_types=("payment.failed",))).endpoint
    await tell(payment_db, event(1, kind="payment.failed"), event(2))
    queue = make_queue(payment_db)
    (claimed,) = await queue.claim(10)
    await queue.record(claimed, TAKEN, DELIVERED)

    for name in ("evt_pay_1s1", "evt_pay_1s1", "evt_pay_1s2"):
        asked = ("demo", endpoint.endpoint_id, name)
        assert await redeliver_event(*asked, store=store, log=log) == (1, None)

    again = await queue.claim(10)
    assert sorted(d.event.sequence for d in again) == [1, 2]
    assert sorted((d.attempts, d.tries) for d in again) == [(0, 0), (1, 0)]
    with pytest.raises(EventNotFound):
        await redeliver_event("demo", endpoint.endpoint_id, "evt_pay_1s3", store=store, log=log)


async def test_under_one_key_it_is_sent_again_once(payment_db: Database) -> None:
    """Also two at once; the same answer, and nothing is due. Another request is another key's."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint_id = (await create(store)).endpoint.endpoint_id
    await tell(payment_db, event(1), event(2))
    queue = make_queue(payment_db)
    again = partial(redeliver_event, "demo", endpoint_id, store=store, log=log)

    for key, what in (("one", "evt_pay_1s1"), ("all", LONG_AGO)):
        for claimed in await queue.claim(10):
            await queue.record(claimed, TAKEN, DELIVERED)
        asked = make_asked("RedeliverEvent", key)
        first, second = await asyncio.gather(again(what, asked), again(what, asked))
        sent = await queue.claim(10)
        for claimed in sent:
            await queue.record(claimed, TAKEN, DELIVERED)
        assert first == second == await again(what, asked) == (len(sent), None)
        assert [row for row in await waiting(payment_db) if row["status"] == "PENDING"] == []

    other = replace(make_asked("RedeliverEvent", "one"), fingerprint={"event_id": "another"})
    for what in ("evt_pay_1s2", LONG_AGO):
        with pytest.raises(IdempotencyKeyReused):
            await again(what, other)
    with pytest.raises(EventNotFound):
        await again("evt_pay_1s3", make_asked("RedeliverEvent", "none"))
    assert [row for row in await waiting(payment_db) if row["status"] == "PENDING"] == []


async def test_what_is_being_sent_is_not_sent_twice(payment_db: Database) -> None:
    """A redelivery asked for meanwhile leaves the sender its lease."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint = (await create(store)).endpoint
    await tell(payment_db, event())
    queue = make_queue(payment_db)
    (claimed,) = await queue.claim(10)

    await redeliver_event("demo", endpoint.endpoint_id, "evt_pay_1s1", store=store, log=log)

    assert list(await queue.claim(10)) == []
    await queue.record(claimed, TAKEN, DELIVERED)


async def test_another_clients_event_is_not_sent(payment_db: Database) -> None:
    """It is not there."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint = (await create(store)).endpoint
    await tell(payment_db, event(client_id="other"))

    with pytest.raises(EventNotFound):
        await redeliver_event("demo", endpoint.endpoint_id, "evt_pay_1s1", store=store, log=log)
    assert await redeliver_event("demo", endpoint.endpoint_id, LONG_AGO, store=store, log=log) == (
        0,
        None,
    )
    assert await waiting(payment_db) == []


async def test_a_new_endpoint_is_told_what_was_before_it(payment_db: Database) -> None:
    """Since a moment, in steps; only what it wants to know."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    for n in range(1, 6):
        await tell(payment_db, event(n, kind="payment.failed"))
    await tell(payment_db, event(6))
    endpoint = (await create(store, event_types=("payment.failed",))).endpoint

    first, next_since = await log.redeliver_since(endpoint, LONG_AGO, 3)
    assert next_since is not None
    second, end = await log.redeliver_since(endpoint, next_since, 3)

    assert (first, second, end) == (3, 2, None)
    assert [row["sequence"] for row in await waiting(payment_db)] == [1, 2, 3, 4, 5]
    future = datetime.now(UTC) + timedelta(hours=1)
    assert await log.redeliver_since(endpoint, future, 3) == (0, None)


async def test_a_disabled_endpoint_is_sent_nothing(payment_db: Database) -> None:
    """The refusal says what to do."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint = (await create(store)).endpoint
    await tell(payment_db, event())
    queue = make_queue(payment_db)
    (claimed,) = await queue.claim(10)
    gone = Verdict(DeliveryStatus.FAILED, disables_endpoint=True)
    await queue.record(claimed, TAKEN, gone)

    with pytest.raises(WebhookEndpointDisabled):
        await redeliver_event("demo", endpoint.endpoint_id, LONG_AGO, store=store, log=log)


async def test_deliveries_are_listed_in_pages(payment_db: Database) -> None:
    """The newest first, each once."""
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint_id = (await create(store)).endpoint.endpoint_id
    await tell(payment_db, *(event(n) for n in range(1, 8)))

    seen, token = [], ""
    while True:
        page, token = await list_webhook_deliveries(
            "demo", endpoint_id, 3, token, store=store, log=log
        )
        seen += [view.event_id for view in page]
        if not token:
            break

    assert seen == [f"evt_pay_1s{n}" for n in range(7, 0, -1)]
