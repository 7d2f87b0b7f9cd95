"""Webhooks through the whole stack: every event of a payment arrives, whatever fails meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import pytest
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as service
from paymesh.payment.v1.webhook_endpoint_service_pb2_grpc import WebhookEndpointServiceStub
from standardwebhooks import Webhook

from devstack.rest import Answer, RestClient, specification_request
from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from tests.conftest import whole
from tests.unit.payment_svc.receiver import Receiver, answering, ok, receiving

ENDPOINTS = "/v1/webhook_endpoints"
EVENTS_OF_A_PAYMENT = ["payment.pending", "payment.processing", "payment.completed"]
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own, whose courier tries again after a second."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-hooks-") as folder:
        patch.setenv("WEBHOOK_RETRY_AFTER_S", "1")
        with running_stack(folder) as stack:
            whole(stack.state)
            yield stack


@pytest.fixture
async def rest(stack: Stack) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


@asynccontextmanager
async def registered(
    rest: RestClient, receiver: Receiver, **request: Any
) -> AsyncIterator[dict[str, Any]]:
    """Register a receiver for the time of a `with`."""
    created = await rest.ask("POST", ENDPOINTS, {"url": receiver.url, **request})
    assert created.status == 200, created.body
    yield created.body
    deleted = await rest.ask("DELETE", f"{ENDPOINTS}/{created.body['endpoint_id']}")
    assert deleted.body["status"] == "DELETED"


async def pay(rest: RestClient) -> str:
    """Make a payment and wait until it is final."""
    created = await rest.create(specification_request(f"order-{uuid4()}"), wait_s=20)
    assert created.body["status"] == "COMPLETED", created.body
    return str(created.body["payment_id"])


def verified(receiver: Receiver, secret: str, payment_id: str) -> dict[int, dict[str, Any]]:
    """Verify what was taken by the reference library; tell a payment's events by their place."""
    events = [Webhook(secret).verify(body, headers) for headers, body in receiver.taken]
    return {e["sequence"]: e for e in events if e["data"]["payment_id"] == payment_id}


async def refused(answer: Answer, status: int, reason: str) -> None:
    """Hold an answer to be a refusal for a reason."""
    assert answer.status == status, answer.body
    assert answer.body["details"][0]["reason"] == reason, answer.body


async def test_a_receiver_that_fails_twice_is_told_everything(rest: RestClient) -> None:
    """Each event of a payment comes, signed, numbered without a gap, and says what it is about."""
    async with receiving(answering(500), answering(503), ok) as receiver:
        async with registered(rest, receiver) as endpoint:
            payment_id = await pay(rest)
            await receiver.until(
                lambda: len(verified(receiver, endpoint["secret"], payment_id)) == 3, DEADLINE_S
            )
            events = verified(receiver, endpoint["secret"], payment_id)
            ids = [headers["webhook-id"] for headers, _ in receiver.seen]

    assert sorted(events) == [1, 2, 3]
    assert [events[place]["type"] for place in (1, 2, 3)] == EVENTS_OF_A_PAYMENT
    assert events[3]["data"]["status"] == "COMPLETED"
    assert (events[3]["data"]["amount"], events[3]["data"]["currency"]) == ("99.99", "USD")
    assert events[3]["id"] == f"evt_{payment_id}s3"
    assert len(ids) == 5
    assert len(set(ids)) == 3


async def test_kill_9_of_the_service_loses_no_event(stack: Stack, rest: RestClient) -> None:
    """The payment goes on where it stood, and so do its events."""
    async with receiving() as receiver, registered(rest, receiver) as endpoint:
        created = [await rest.create(specification_request(f"order-{uuid4()}")) for _ in range(10)]
        pid = await asyncio.to_thread(stack.kill, "payment_svc")
        await asyncio.to_thread(stack.wait_healthy, "payment_svc", not_pid=pid)
        for answer in created:
            payment_id = answer.body["payment_id"]
            assert (await rest.until_final(payment_id))["status"] == "COMPLETED"
            await receiver.until(
                lambda: len(verified(receiver, endpoint["secret"], payment_id)) == 3,  # noqa: B023
                DEADLINE_S,
            )


async def test_killed_between_sending_and_writing_it_down(stack: Stack, rest: RestClient) -> None:
    """The event comes again under the same id, and all others come."""
    stack.state.plan_fault("payment_svc", "webhooks.sent=kill")
    pid = await asyncio.to_thread(stack.kill, "payment_svc")
    await asyncio.to_thread(stack.wait_healthy, "payment_svc", not_pid=pid)

    async with receiving() as receiver, registered(rest, receiver) as endpoint:
        created = await rest.create(specification_request(f"order-{uuid4()}"))
        payment_id = created.body["payment_id"]
        await receiver.until(lambda: len(receiver.seen) >= 4, DEADLINE_S)
        await receiver.until(
            lambda: len(verified(receiver, endpoint["secret"], payment_id)) == 3, DEADLINE_S
        )

    ids = [headers["webhook-id"] for headers, _ in receiver.seen]
    assert len(set(ids)) == 3
    assert max(Counter(ids).values()) > 1


async def test_redelivery_and_the_log_of_attempts(rest: RestClient) -> None:
    """An event is sent again on demand; each attempt is on record."""
    async with receiving() as receiver:
        filters = {"event_types": ["payment.completed"]}
        async with registered(rest, receiver, **filters) as endpoint:
            payment_id = await pay(rest)
            await receiver.until(lambda: len(receiver.seen) == 1, DEADLINE_S)
            path = f"{ENDPOINTS}/{endpoint['endpoint_id']}"
            event = {"event_id": f"evt_{payment_id}s3"}

            again = await rest.ask("POST", f"{path}/redeliver", event)
            await receiver.until(lambda: len(receiver.seen) == 2, DEADLINE_S)
            listed = await until_attempts(rest, path, 2)

    assert again.body == {"event_count": 1}
    assert receiver.seen[0][1] == receiver.seen[1][1]
    assert listed["event_id"] == event["event_id"]
    assert listed["status"] == "DELIVERED"
    assert [(a["attempt"], a["http_status"]) for a in listed["attempts"]] == [(1, 204), (2, 204)]


async def until_attempts(rest: RestClient, path: str, count: int) -> dict[str, Any]:
    """Wait until the only delivery has so many attempts on record."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            answer = await rest.ask("GET", f"{path}/deliveries?page_size=10")
            (delivery,) = answer.body["deliveries"]
            if len(delivery["attempts"]) >= count:
                return dict(delivery)
            await asyncio.sleep(0.1)


async def test_while_secrets_change_both_sign(rest: RestClient) -> None:
    """Holders of the old secret and of the new one accept what comes after the rotation."""
    async with receiving() as receiver, registered(rest, receiver) as endpoint:
        path = f"{ENDPOINTS}/{endpoint['endpoint_id']}/rotate_secret"
        rotated = await rest.ask("POST", path, {}, key="turn")
        replayed = await rest.ask("POST", path, {}, key="turn")
        payment_id = await pay(rest)
        for secret in (endpoint["secret"], rotated.body["secret"]):
            await receiver.until(
                lambda: len(verified(receiver, secret, payment_id)) == 3,  # noqa: B023
                DEADLINE_S,
            )

    assert rotated.body["secret"] not in ("", endpoint["secret"])
    assert replayed.body == rotated.body
    assert replayed.headers["idempotent-replayed"] == "true"


async def test_events_are_listed_too(rest: RestClient) -> None:
    """Who would rather ask sees the same events, of all payments or of one."""
    payment_id = await pay(rest)

    listed = await rest.ask("GET", f"/v1/events?object_id={payment_id}")
    first = await rest.ask("GET", "/v1/events?page_size=1")

    assert [event["type"] for event in listed.body["events"]] == EVENTS_OF_A_PAYMENT
    assert listed.body["events"][2]["data"]["status"] == "COMPLETED"
    assert listed.body["events"][2]["sequence"] == 3
    assert first.body["next_page_token"]
    assert len(first.body["events"]) == 1


async def test_registration_answers_as_the_contract_says(rest: RestClient) -> None:
    """The secret is shown once and on replay; a key belongs to one request."""
    request = {"url": "http://127.0.0.1:9/hook", "description": "d"}
    key = str(uuid4())

    created = await rest.ask("POST", ENDPOINTS, request, key=key)
    replayed = await rest.ask("POST", ENDPOINTS, request, key=key)
    other = await rest.ask("POST", ENDPOINTS, {**request, "description": "e"}, key=key)
    path = f"{ENDPOINTS}/{created.body['endpoint_id']}"
    read = await rest.ask("GET", path)
    listed = await rest.ask("GET", ENDPOINTS)
    await rest.ask("DELETE", path)
    gone = await rest.ask("GET", path)

    assert created.body["secret"].startswith("whsec_")
    assert replayed.body == created.body
    assert replayed.headers["idempotent-replayed"] == "true"
    await refused(other, 409, "IDEMPOTENCY_KEY_REUSED")
    assert other.body["details"][0]["metadata"]["fields"] == "description"
    assert "secret" not in read.body
    assert read.body["endpoint_id"] in [one["endpoint_id"] for one in listed.body["endpoints"]]
    await refused(gone, 404, "WEBHOOK_ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        ({}, "MISSING_FIELD", "url"),
        ({"url": "http://user@127.0.0.1/"}, "INVALID_FIELD", "url"),
        ({"url": "http://10.0.0.1/"}, "ADDRESS_REFUSED", "url"),
        (
            {"url": "http://127.0.0.1/", "event_types": ["x"]},
            "UNKNOWN_EVENT_TYPE",
            "event_types[0]",
        ),
        ({"url": "http://127.0.0.1/", "colour": "red"}, "UNKNOWN_FIELD", "colour"),
    ],
)
async def test_a_bad_registration_names_the_field(
    rest: RestClient, request_: dict[str, Any], reason: str, field: str
) -> None:
    """Nothing is stored."""
    answer = await rest.ask("POST", ENDPOINTS, request_)

    await refused(answer, 400, reason)
    assert answer.body["details"][0]["metadata"]["field"] == field


async def test_seventeen_are_too_many(rest: RestClient) -> None:
    """The limit has a reason of its own."""
    made = []
    while True:
        answer = await rest.ask("POST", ENDPOINTS, {"url": "http://127.0.0.1:9/"})
        if answer.status != 200:
            break
        made.append(answer.body["endpoint_id"])

    await refused(answer, 400, "WEBHOOK_ENDPOINT_LIMIT")
    assert len(made) == 16
    for endpoint_id in made:
        await rest.ask("DELETE", f"{ENDPOINTS}/{endpoint_id}")


async def test_the_same_over_native_grpc(stack: Stack, rest: RestClient) -> None:
    """The edge serves the RPCs to native callers, with the same credentials."""
    payment_id = await pay(rest)
    metadata = (("authorization", f"Bearer {stack['client']['api_key']}"),)
    async with grpc.aio.insecure_channel(stack["edge"]["url"].removeprefix("http://")) as channel:
        listed = await WebhookEndpointServiceStub(channel).ListEvents(
            service.ListEventsRequest(object_id=payment_id), metadata=metadata, timeout=60
        )

    assert [event.type for event in listed.events] == EVENTS_OF_A_PAYMENT


async def test_no_secret_is_logged(stack: Stack, rest: RestClient) -> None:
    """Neither what signs nor the key that it is derived from is in any log."""
    async with receiving(answering(500), ok) as receiver, registered(rest, receiver) as endpoint:
        payment_id = await pay(rest)
        await receiver.until(
            lambda: len(verified(receiver, endpoint["secret"], payment_id)) == 3, DEADLINE_S
        )

    logs = [log.read_text(errors="replace") for log in stack.state.logs.glob("*.log")]
    assert any("webhook_refused" in log for log in logs)
    for secret in (endpoint["secret"], stack.state.secret("webhook_secret"), receiver.url):
        assert not any(secret in log for log in logs)
