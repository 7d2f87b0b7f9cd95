"""Manual capture through the edge: held, then taken whole, in part, let go, or expired."""

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest

from devstack.demo import settled_trail
from devstack.invariants import check
from devstack.rest import Answer, RestClient, specification_request
from devstack.trail import Operator, Trail


def manual_request(*amounts: str, token: str = "pm_card_visa") -> dict[str, Any]:
    """Write a request of orders with these amounts in EUR, to be captured later."""
    orders = [
        {"seller_account": f"seller_{place}", "amount": amount, "currency": "EUR"}
        | {"payment_order_id": str(uuid4())}
        for place, amount in enumerate(amounts)
    ]
    return specification_request() | {
        "payment_orders": orders,
        "capture_method": "MANUAL",
        "credit_card_info": {"token": token},
    }


async def held(rest: RestClient, *amounts: str) -> dict[str, Any]:
    """Make a payment and wait until its amount is held."""
    created = await rest.create(manual_request(*amounts or ("10.00",)), wait_s=20)
    assert created.body["status"] == "REQUIRES_CAPTURE", created.body
    return dict(created.body)


async def story(operator: Operator, payment_id: str) -> Trail:
    """Gather the trail once all sagas are done; every invariant holds there."""
    trail = await settled_trail(operator, payment_id)
    assert [verdict for verdict in check(trail) if not verdict.holds] == []
    return trail


def moved(trail: Trail) -> list[tuple[str, int]]:
    """List what the PSP's own record says moved."""
    return [(record["kind"], record["amount"]) for record in trail.psp_record]


def refusal(answer: Answer) -> tuple[int, str]:
    """Read the status and reason of an error."""
    return answer.status, answer.body["details"][0]["reason"]


async def test_held_then_captured_whole(rest: RestClient, operator: Operator) -> None:
    """Nothing is booked while it is held; captured it is a payment like any other."""
    payment = await held(rest, "10.00", "5.50")
    before = await story(operator, payment["payment_id"])

    captured = await rest.act(payment["payment_id"], "capture", {}, wait_s=20)
    trail = await story(operator, payment["payment_id"])

    assert {order["status"] for order in payment["payment_orders"]} == {"AUTHORIZED"}
    assert payment["capture_before"] > payment["created_at"]
    assert (before.entries, before.operations) == ([], [])
    assert captured.body["status"] == "COMPLETED"
    assert moved(trail) == [("authorization", 1550), ("capture", 1550)]
    changes = [c["to_status"] for c in trail.status_changes if c["subject_id"].startswith("pay_")]
    assert changes == ["PENDING", "PROCESSING", "REQUIRES_CAPTURE", "PROCESSING", "COMPLETED"]


async def test_part_is_captured_and_the_rest_let_go(rest: RestClient, operator: Operator) -> None:
    """An amount for a single order: the order succeeds with what was captured of it."""
    payment = await held(rest)

    answer = await rest.act(payment["payment_id"], "capture", {"amount": "4.00"}, wait_s=20)
    trail = await story(operator, payment["payment_id"])

    (order,) = answer.body["payment_orders"]
    assert answer.body["status"] == "COMPLETED"
    assert (order["amount"], order["captured_amount"]) == ("10.00", "4.00")
    assert moved(trail) == [("authorization", 1000), ("capture", 400)]
    assert [e["amount"] for e in trail.entries] == ["4.00", "4.00"]


async def test_order_that_is_not_named_is_cancelled(rest: RestClient, operator: Operator) -> None:
    """Of three orders one is captured in part and one whole; the third ends CANCELLED."""
    payment = await held(rest, "10.00", "20.00", "30.00")
    ids = [order["payment_order_id"] for order in payment["payment_orders"]]
    wanted = [{"payment_order_id": ids[0], "amount": "1.00"}, {"payment_order_id": ids[2]}]

    answer = await rest.act(payment["payment_id"], "capture", {"payment_orders": wanted}, wait_s=20)
    trail = await story(operator, payment["payment_id"])

    assert answer.body["status"] == "PARTIALLY_COMPLETED"
    assert [(o["status"], o["captured_amount"]) for o in answer.body["payment_orders"]] == [
        ("SUCCESS", "1.00"),
        ("CANCELLED", "0.00"),
        ("SUCCESS", "30.00"),
    ]
    assert moved(trail)[-1] == ("capture", 3100)


async def test_cancelled_lets_go(rest: RestClient, operator: Operator) -> None:
    """Nothing is taken or booked, and nothing can be captured after it."""
    payment = await held(rest)

    cancelled = await rest.act(payment["payment_id"], "cancel", {}, wait_s=20)
    late = await rest.act(payment["payment_id"], "capture", {})
    trail = await story(operator, payment["payment_id"])

    assert cancelled.body["status"] == "CANCELLED"
    assert {order["status"] for order in cancelled.body["payment_orders"]} == {"CANCELLED"}
    assert refusal(late) == (400, "PAYMENT_NOT_CAPTURABLE")
    assert moved(trail) == [("authorization", 1000), ("void", 1000)]
    assert trail.entries == []


async def test_same_key_captures_once(rest: RestClient, operator: Operator) -> None:
    """A double click on capture, eight times: one capture, all answered alike."""
    payment = await held(rest)
    key = str(uuid4())

    answers = await asyncio.gather(
        *(rest.act(payment["payment_id"], "capture", {}, key=key) for _ in range(8))
    )
    other = await rest.act(payment["payment_id"], "capture", {"amount": "1.00"}, key=key)
    trail = await story(operator, payment["payment_id"])

    assert [answer.body for answer in answers] == [answers[0].body] * 8
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
    assert refusal(other) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert moved(trail) == [("authorization", 1000), ("capture", 1000)]


WRONG = [
    ({"amount": "10.01"}, "amount", "AMOUNT_ABOVE_AUTHORIZED"),
    ({"amount": "0"}, "amount", "INVALID_AMOUNT"),
    ({"amount": "1.001"}, "amount", "INVALID_AMOUNT"),
    (
        {"payment_orders": [{"payment_order_id": "nobody", "amount": "1.00"}]},
        "payment_orders[0].payment_order_id",
        "INVALID_FIELD",
    ),
    ({"amount": "1.00", "payment_orders": [{"payment_order_id": "x"}]}, "amount", "INVALID_FIELD"),
    ({"colour": "red"}, "colour", "UNKNOWN_FIELD"),
]


@pytest.mark.parametrize(("body", "field", "reason"), WRONG, ids=[str(b) for b, _, _ in WRONG])
async def test_wrong_capture_is_refused_by_field(
    rest: RestClient, body: dict[str, Any], field: str, reason: str
) -> None:
    """The amount is held still, and the key is free."""
    payment, key = await held(rest), str(uuid4())

    refused = await rest.act(payment["payment_id"], "capture", body, key=key)

    assert refusal(refused) == (400, reason)
    assert refused.body["details"][0]["metadata"]["field"] == field
    found = await rest.get(payment["payment_id"])
    assert found.body == payment
    assert (await rest.act(payment["payment_id"], "cancel", {}, key=key)).status == 200


async def test_automatic_payment_is_neither_captured_nor_cancelled(rest: RestClient) -> None:
    """Only what is held can be."""
    created = await rest.create(specification_request(f"order-{uuid4()}"), wait_s=20)
    payment_id = created.body["payment_id"]

    assert refusal(await rest.act(payment_id, "capture", {})) == (400, "PAYMENT_NOT_CAPTURABLE")
    assert refusal(await rest.act(payment_id, "cancel", {})) == (400, "PAYMENT_NOT_CANCELLABLE")
    assert refusal(await rest.act("pay_0", "cancel", {})) == (404, "PAYMENT_NOT_FOUND")


async def test_nobody_captured_in_time(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """When the hold runs out the payment ends CANCELLED by itself, and says why."""
    payment = await held(rest)
    async with await psycopg.AsyncConnection.connect(stack["databases"]["payment"]) as database:
        await database.execute(
            "UPDATE sagas SET due_at = now() WHERE kind = 'expire' AND payment_id = %s",
            [payment["payment_id"]],
        )

    ended = await rest.until_final(payment["payment_id"])
    trail = await story(operator, payment["payment_id"])

    assert ended["status"] == "CANCELLED"
    assert ended["failure"]["reason"] == "AUTHORIZATION_EXPIRED"
    assert moved(trail) == [("authorization", 1000), ("void", 1000)]


async def test_wallet_frozen_after_the_capture_gives_the_money_back(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """The capture is refunded, not voided, and the order tells the reason."""
    request = manual_request("10.00")
    request["payment_orders"][0]["seller_account"] = seller = f"seller_{uuid4()}"
    payment = (await rest.create(request, wait_s=20)).body
    async with await psycopg.AsyncConnection.connect(stack["databases"]["wallet"]) as database:
        await database.execute(
            "UPDATE wallets SET status = 'FROZEN', version = version + 1 WHERE wallet_id = %s",
            [f"seller:demo:{seller}:EUR"],
        )

    failed = await rest.act(payment["payment_id"], "capture", {}, wait_s=20)
    trail = await story(operator, payment["payment_id"])

    assert failed.body["status"] == "FAILED"
    assert failed.body["failure"]["reason"] == "WALLET_FROZEN"
    assert moved(trail) == [("authorization", 1000), ("capture", 1000), ("refund", 1000)]


async def test_capture_whose_answer_is_lost_is_found(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """UNKNOWN while nobody knows, then COMPLETED with one capture at the PSP."""
    payment = await held(rest)
    fault = {"kind": "connection_reset_after", "match": {"operation": "capture"}}
    async with aiohttp.ClientSession() as http:
        async with http.post(stack["psp_sandbox"]["url"] + "/control/faults", json=fault) as put:
            assert put.status < 300

    answer = await rest.act(payment["payment_id"], "capture", {}, wait_s=20)
    trail = await story(operator, payment["payment_id"])

    assert answer.body["status"] == "COMPLETED"
    assert moved(trail) == [("authorization", 1000), ("capture", 1000)]
