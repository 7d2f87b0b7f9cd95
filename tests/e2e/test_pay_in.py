"""A pay-in through the real edge, over every real part, to the balanced books."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from devstack.demo import settled_trail
from devstack.invariants import check
from devstack.rest import RestClient, specification_request
from devstack.trail import Operator


def new_request(**order: Any) -> dict[str, Any]:
    """Write the specification's request with an order id of its own."""
    request = specification_request(f"order-{uuid4()}")
    request["payment_orders"][0] |= order
    return request


def payments_stored(stack: dict[str, Any]) -> int:
    """Count the payments in the database."""
    with psycopg.connect(stack["databases"]["payment"]) as connection:
        row = connection.execute("SELECT count(*) FROM payments").fetchone()
    assert row is not None
    return int(row[0])


async def test_specifications_payment_completes(rest: RestClient, operator: Operator) -> None:
    """The answers are the specification's to the letter, and every invariant holds."""
    seller = f"seller-{uuid4()}"  # whom nobody else pays meanwhile
    request = new_request(seller_account=seller)

    created = await rest.create(request)
    payment = await rest.until_final(created.body["payment_id"])
    trail = await settled_trail(operator, payment["payment_id"])

    order = request["payment_orders"][0]
    shown = {"payment_order_id": order["payment_order_id"], "amount": "99.99", "currency": "USD"}
    assert created.status == 200
    assert set(created.body) == {"payment_id", "status", "created_at", "payment_orders"}
    assert created.body["status"] == "PENDING"
    assert created.body["payment_orders"] == [{**shown, "status": "PENDING"}]
    assert payment["status"] == "COMPLETED"
    assert payment["payment_orders"] == [{**shown, "status": "SUCCESS", "seller_account": seller}]
    assert payment["executed_at"].endswith("Z")
    assert [verdict for verdict in check(trail) if not verdict.holds] == []
    assert [(w["pending"], w["held"]) for w in trail.wallets] == [("0.00", "0.00")]


async def test_orders_of_several_sellers_share_one_charge(
    rest: RestClient, operator: Operator
) -> None:
    """Three sellers, one charge, one transaction of four entries that balances."""
    request = new_request()
    request["payment_orders"] = [
        {
            "seller_account": f"s{i}",
            "amount": amount,
            "currency": "JPY",
            "payment_order_id": str(uuid4()),
        }
        for i, amount in enumerate(("100", "250", "1"))
    ]

    created = await rest.create(request, wait_s=20)
    trail = await settled_trail(operator, created.body["payment_id"])

    assert created.body["status"] == "COMPLETED"
    assert [e["amount"] for e in trail.entries if e["side"] == "SIDE_DEBIT"] == ["351"]
    assert len(trail.entries) == 4
    assert [r["amount"] for r in trail.psp_record] == [351]
    assert [verdict for verdict in check(trail) if not verdict.holds] == []


async def test_declined_card_books_nothing(rest: RestClient, operator: Operator) -> None:
    """A decline ends FAILED with the PSP's own code, and no service has booked anything."""
    request = new_request()
    request["credit_card_info"]["token"] = "pm_card_chargeDeclinedInsufficientFunds"

    created = await rest.create(request, wait_s=20)
    trail = await settled_trail(operator, created.body["payment_id"])

    assert created.body["status"] == "FAILED"
    assert created.body["failure"]["reason"] == "INSUFFICIENT_FUNDS"
    assert created.body["failure"]["psp_code"] == "insufficient_funds"
    assert created.body["payment_orders"][0]["status"] == "FAILED"
    assert trail.entries == []
    assert trail.operations == []
    assert [verdict for verdict in check(trail) if not verdict.holds] == []


async def test_same_key_answers_as_the_first_time(rest: RestClient) -> None:
    """A replay is the first answer verbatim and says so; with Prefer it is today's state."""
    request, key = new_request(), str(uuid4())
    first = await rest.create(request, key)
    await rest.until_final(first.body["payment_id"])

    again = await rest.create(request, key)
    today = await rest.create(request, key, wait_s=20)

    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert today.body["status"] == "COMPLETED"
    assert today.body["payment_id"] == first.body["payment_id"]


async def test_same_key_with_another_body_is_refused(rest: RestClient) -> None:
    """The refusal names the fields that differ and gives nothing of the first request away."""
    request, key = new_request(), str(uuid4())
    await rest.create(request, key)
    request["payment_orders"][0]["amount"] = "98.99"

    refused = await rest.create(request, key)

    info = refused.body["details"][0]
    assert refused.status == 409
    assert info["reason"] == "IDEMPOTENCY_KEY_REUSED"
    assert info["metadata"]["fields"] == "payment_orders[0].amount"


async def test_sixteen_at_once_make_one_payment(rest: RestClient, operator: Operator) -> None:
    """A double click, sixteen times: one payment, one charge, all answered with it."""
    request, key = new_request(), str(uuid4())

    answers = await asyncio.gather(*(rest.create(request, key) for _ in range(16)))

    ids = {answer.body["payment_id"] for answer in answers}
    assert len(ids) == 1
    payment = await rest.until_final(ids.pop())
    trail = await settled_trail(operator, payment["payment_id"])
    assert len(trail.psp_record) == 1


async def test_order_id_is_free_again_after_a_failure(rest: RestClient) -> None:
    """An id in use is 409; once its order has failed, the id may be tried again."""
    request = new_request()
    request["credit_card_info"]["token"] = "pm_card_chargeDeclined"
    failed = await rest.create(request, wait_s=20)
    request["credit_card_info"]["token"] = "pm_card_visa"

    second = await rest.create(request, wait_s=20)
    third = await rest.create(request)

    assert failed.body["status"] == "FAILED"
    assert second.body["status"] == "COMPLETED"
    assert third.status == 409
    assert third.body["details"][0]["reason"] == "PAYMENT_ORDER_ID_IN_USE"


BAD_ORDERS = [
    ({"amount": "99.999"}, "payment_orders[0].amount"),
    ({"amount": "-1"}, "payment_orders[0].amount"),
    ({"amount": "1e3"}, "payment_orders[0].amount"),
    ({"amount": "NaN"}, "payment_orders[0].amount"),
    ({"amount": "0.00"}, "payment_orders[0].amount"),
    ({"amount": ""}, "payment_orders[0].amount"),
    ({"amount": 99.99}, "payment_orders[0].amount"),
    ({"amount": "1", "currency": "ZZZ"}, "payment_orders[0].currency"),
    ({"amount": "1", "currency": "usd"}, "payment_orders[0].currency"),
    ({"amount": "1.0", "currency": "JPY"}, "payment_orders[0].amount"),
    ({"seller_account": ""}, "payment_orders[0].seller_account"),
    ({"payment_order_id": "4242 4242 4242 4242"}, "payment_orders[0].payment_order_id"),
    ({"color": "red"}, "payment_orders[0].color"),
]


@pytest.mark.parametrize(("order", "field"), BAD_ORDERS, ids=[str(o) for o, _ in BAD_ORDERS])
async def test_wrong_input_names_its_field_and_stores_nothing(
    rest: RestClient, stack: dict[str, Any], order: dict[str, Any], field: str
) -> None:
    """Each wrong input is 400 with the field's path, and the key is not consumed."""
    before, key = payments_stored(stack), str(uuid4())

    refused = await rest.create(new_request(**order), key)

    assert refused.status == 400
    assert refused.body["details"][0]["metadata"]["field"] == field
    assert payments_stored(stack) == before
    assert (await rest.create(new_request(), key)).status == 200


async def test_two_currencies_are_refused(rest: RestClient) -> None:
    """All orders of a payment share one currency."""
    request = new_request()
    other = {**request["payment_orders"][0], "currency": "EUR", "payment_order_id": str(uuid4())}
    request["payment_orders"].append(other)

    refused = await rest.create(request)

    assert refused.status == 400
    assert refused.body["details"][0]["reason"] == "MIXED_CURRENCIES"


async def test_nobody_enters_without_a_key(stack: dict[str, Any]) -> None:
    """Wrong credentials are 401 in the shape of every error."""
    async with RestClient(stack["edge"]["url"], "pm_wrong") as stranger:
        refused = await stranger.create(new_request())

    assert refused.status == 401
    assert refused.body["code"] == grpc.StatusCode.UNAUTHENTICATED.value[0]


async def test_another_clients_payment_is_not_there(
    rest: RestClient, stack: dict[str, Any]
) -> None:
    """What belongs to another client is 404, like what does not exist."""
    created = await rest.create(new_request())
    target = stack["services"]["payment_svc"]["grpc"]
    request = service.GetPaymentRequest(payment_id=created.body["payment_id"])

    async with grpc.aio.insecure_channel(target) as channel:
        get = PaymentServiceStub(channel).GetPayment
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await get(request, metadata=(("x-paymesh-client-id", "other"),))
    missing = await rest.get("pay_0000")

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert missing.status == 404


async def test_native_grpc_enters_by_the_same_door(stack: dict[str, Any]) -> None:
    """The same RPC, the same credentials, the same port; a forged identity is overwritten."""
    target = stack["edge"]["url"].removeprefix("http://")
    body = json.dumps(new_request())
    from google.protobuf.json_format import Parse

    request = Parse(body, service.CreatePaymentRequest())
    metadata = (
        ("authorization", f"Bearer {stack['client']['api_key']}"),
        ("idempotency-key", str(uuid4())),
        ("prefer", "wait=20"),
        ("x-paymesh-client-id", "somebody-else"),
    )

    async with grpc.aio.insecure_channel(target) as channel:
        stub = PaymentServiceStub(channel)
        payment = await stub.CreatePayment(request, metadata=metadata, timeout=30)
        read = service.GetPaymentRequest(payment_id=payment.payment_id)
        found = await stub.GetPayment(read, metadata=metadata[:1], timeout=30)

    assert payment.status == payment_pb2.Payment.COMPLETED
    assert found == payment
