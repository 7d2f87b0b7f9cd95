"""Watching and listing payments through the edge, as REST and as native gRPC."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from devstack.rest import FINAL, RestClient, specification_request
from devstack.trail import Operator
from tests.e2e.test_compensation import standing_still


@pytest.fixture
async def http(stack: dict[str, Any]) -> AsyncIterator[aiohttp.ClientSession]:
    """The edge with the demo client's key."""
    headers = {"Authorization": f"Bearer {stack['client']['api_key']}"}
    async with aiohttp.ClientSession(stack["edge"]["url"], headers=headers) as session:
        yield session


@pytest.fixture
async def native(stack: dict[str, Any]) -> AsyncIterator[PaymentServiceStub]:
    """The edge's port, spoken to in gRPC."""
    async with grpc.aio.insecure_channel(stack["edge"]["url"].removeprefix("http://")) as channel:
        yield PaymentServiceStub(channel)


def credentials(stack: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Write the demo client's key as metadata."""
    return (("authorization", f"Bearer {stack['client']['api_key']}"),)


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Read server-sent events until the stream ends."""
    assert answer.status == 200
    assert answer.content_type == "text/event-stream"
    async for line in answer.content:
        if line.startswith(b"data:"):
            yield json.loads(line.removeprefix(b"data: "))


async def test_watching_tells_each_state_until_the_final_one(
    rest: RestClient, http: aiohttp.ClientSession, stack: dict[str, Any]
) -> None:
    """The first event is the present state, sequences rise, the last state is final."""
    with standing_still(stack["processes"]["sandbox"]["pid"]):
        created = await rest.create(specification_request(f"order-{uuid4()}"))
        answer = await http.get(f"/v1/payments/{created.body['payment_id']}/events")
        reading = events(answer)
        told = [await anext(reading)]
    told += [event async for event in reading]

    sequences = [event["sequence"] for event in told]
    assert len(told) >= 2
    assert sequences == sorted(set(sequences))
    assert told[0]["payment"]["status"] in ("PENDING", "PROCESSING")
    assert [event["payment"]["status"] in FINAL for event in told] == [False] * (len(told) - 1) + [
        True
    ]
    assert told[-1]["payment"] == (await rest.get(created.body["payment_id"])).body


async def test_watching_over_grpc_tells_the_same(
    rest: RestClient, native: PaymentServiceStub, stack: dict[str, Any]
) -> None:
    """The native stream ends with the final state; another client's payment is not there."""
    created = await rest.create(specification_request(f"order-{uuid4()}"))
    request = service.WatchPaymentRequest(payment_id=created.body["payment_id"])

    async with asyncio.timeout(60):
        told = [e async for e in native.WatchPayment(request, metadata=credentials(stack))]
    nobody = native.WatchPayment(
        service.WatchPaymentRequest(payment_id="pay_0"), metadata=credentials(stack)
    )
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await nobody.read()

    assert told[-1].payment.status == payment_pb2.Payment.COMPLETED
    assert told[-1].sequence == 3
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


async def test_watcher_who_leaves_is_forgotten(
    rest: RestClient, http: aiohttp.ClientSession, stack: dict[str, Any], operator: Operator
) -> None:
    """A stream broken off in the middle harms nobody: the payment goes on and can be watched."""
    request = specification_request(f"order-{uuid4()}")
    request["credit_card_info"]["token"] = "pm_card_threeDSecure2Required"
    created = await rest.create(request, wait_s=20)
    path = f"/v1/payments/{created.body['payment_id']}/events"

    for _ in range(2):
        async with http.get(path) as answer:
            line = await answer.content.readline()
            assert json.loads(line.removeprefix(b"data: "))["payment"]["status"] == (
                "REQUIRES_ACTION"
            )

    trail = await operator.trail(created.body["payment_id"])
    page = f"{stack['psp_sandbox']['url']}/stripe/3ds/{trail.attempts[0]['psp_reference']}"
    async with aiohttp.ClientSession() as browser:
        async with browser.post(page, data={"result": "complete"}, allow_redirects=False) as answer:
            assert answer.status < 400
    assert (await rest.until_final(created.body["payment_id"]))["status"] == "COMPLETED"


async def test_listing_walks_all_that_fit(rest: RestClient, http: aiohttp.ClientSession) -> None:
    """Pages of two over five payments of one buyer: each once, the newest first."""
    buyer = f"buyer-{uuid4()}"
    made = []
    for place in range(5):
        request = specification_request(f"order-{uuid4()}")
        request["buyer_info"]["id"] = buyer
        request["payment_orders"][0]["amount"] = f"{place + 1}.00"
        made.append((await rest.create(request, wait_s=20)).body["payment_id"])

    async def walk(**filters: str) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            query = {"buyer_id": buyer, "page_size": "2", "page_token": token, **filters}
            async with http.get("/v1/payments", params=query) as answer:
                body = await answer.json()
            assert answer.status == 200, body
            found += [payment["payment_id"] for payment in body["payments"]]
            token = body["next_page_token"]
            if not token:
                return found

    assert await walk() == made[::-1]
    assert (
        await walk(status="COMPLETED", currency="USD", amount_min="2.00", amount_max="4")
        == (made[3:0:-1])
    )
    assert await walk(status="FAILED") == []


BAD_QUERIES = [
    ({"amount_min": "1.00"}, "currency"),
    ({"amount_min": "1.001", "currency": "USD"}, "amount_min"),
    ({"amount_max": "x", "currency": "USD"}, "amount_max"),
    ({"amount_min": "2", "amount_max": "1", "currency": "USD"}, "amount_max"),
    ({"currency": "usd"}, "currency"),
    ({"page_size": "-1"}, "page_size"),
    ({"page_token": "x"}, "page_token"),
    (
        {"created_from": "2026-01-02T00:00:00Z", "created_before": "2026-01-01T00:00:00Z"},
        "created_before",
    ),
]


@pytest.mark.parametrize(("query", "field"), BAD_QUERIES, ids=[str(q) for q, _ in BAD_QUERIES])
async def test_wrong_filter_is_named(
    http: aiohttp.ClientSession, query: dict[str, str], field: str
) -> None:
    """What cannot be listed is 400, by the filter's name."""
    async with http.get("/v1/payments", params=query) as answer:
        body = await answer.json()

    assert answer.status == 400, body
    assert body["details"][0]["metadata"]["field"] == field
