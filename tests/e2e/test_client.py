"""The Python client against the edge of a running stack: what it promises, over every real part."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from paymesh.client import (
    FINAL,
    AlreadyExists,
    BlockingPaymesh,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Patience,
    Paymesh,
    Unauthenticated,
)
from paymesh.payment.v1 import payment_pb2 as noun
from paymesh.payment.v1 import payment_service_pb2 as service

HELD, COMPLETED = noun.Payment.REQUIRES_CAPTURE, noun.Payment.COMPLETED


@pytest.fixture
def target(stack: dict[str, Any]) -> str:
    """Where the edge listens."""
    url: str = stack["edge"]["url"]
    return url.removeprefix("http://")


@pytest.fixture
async def paymesh(stack: dict[str, Any], target: str) -> AsyncIterator[Paymesh]:
    """The client, as the demo client."""
    async with Paymesh(target, api_key=stack["client"]["api_key"]) as client:
        yield client


def request(amount: str = "99.99", buyer: str = "buyer_123") -> service.CreatePaymentRequest:
    """Write the specification's request with an order id of its own."""
    order = noun.NewPaymentOrder(
        seller_account="seller_456", amount=amount, currency="USD", payment_order_id=str(uuid4())
    )
    return service.CreatePaymentRequest(
        buyer_info=noun.BuyerInfo(id=buyer),
        checkout_id="checkout_abc",
        credit_card_info=noun.CreditCardInfo(token="psp_card_token_xyz"),
        payment_orders=[order],
    )


async def test_payment_is_made_waited_for_and_read(paymesh: Paymesh) -> None:
    """One call makes it and waits; reading it tells the same."""
    payment = await paymesh.create_payment(request(), wait_s=20)

    assert payment.status == COMPLETED
    assert await paymesh.get_payment(payment.payment_id) == payment


async def test_same_key_is_one_payment(paymesh: Paymesh) -> None:
    """Sent again, or twice at once, it is the first payment; another request is told so."""
    asked, key = request(), str(uuid4())

    made = await asyncio.gather(
        *(paymesh.create_payment(asked, idempotency_key=key) for _ in range(5))
    )
    with pytest.raises(AlreadyExists) as refused:
        await paymesh.create_payment(request("1.00"), idempotency_key=key)

    assert len({payment.payment_id for payment in made}) == 1
    assert refused.value.reason == "IDEMPOTENCY_KEY_REUSED"
    assert refused.value.idempotency_key == key


@pytest.mark.parametrize(
    ("amount", "buyer", "reason", "field"),
    [
        ("99.999", "b", "INVALID_AMOUNT", "payment_orders[0].amount"),
        ("1.00", "4242424242424242", "CARD_NUMBER_REFUSED", "buyer_info.id"),
    ],
    ids=["by the service", "by the door"],
)
async def test_refusal_tells_why_and_where(
    paymesh: Paymesh, amount: str, buyer: str, reason: str, field: str
) -> None:
    """Whoever refuses, the error has the reason and the path of the field."""
    with pytest.raises(InvalidRequest) as refused:
        await paymesh.create_payment(request(amount, buyer))

    assert refused.value.reason == reason
    assert set(refused.value.fields) == {field}
    assert refused.value.metadata["field"] == field


async def test_other_errors_are_of_their_kind(paymesh: Paymesh, target: str) -> None:
    """Nothing there, not now, not you."""
    payment = await paymesh.create_payment(request(), wait_s=20)

    with pytest.raises(NotFound):
        await paymesh.get_payment("pay_0")
    with pytest.raises(NotFound):
        await anext(paymesh.watch("pay_0"))
    with pytest.raises(FailedPrecondition, match="PAYMENT_NOT_CAPTURABLE"):
        await paymesh.capture_payment(payment.payment_id)
    async with Paymesh(target, api_key="pm_nobody") as stranger:  # pragma: allowlist secret
        with pytest.raises(Unauthenticated):
            await stranger.get_payment(payment.payment_id)


async def test_held_payment_is_watched_to_its_capture(paymesh: Paymesh) -> None:
    """A watch tells the hold and what comes of it, each state once; a part may be captured."""
    asked = request()
    asked.capture_method = noun.Payment.MANUAL
    held = await paymesh.create_payment(asked, wait_s=20)
    assert held.status == HELD

    told: list[int] = []
    async with asyncio.timeout(60):
        async for payment in paymesh.watch(held.payment_id):
            told.append(payment.status)
            if payment.status == HELD:
                await paymesh.capture_payment(held.payment_id, amount="60.00")

    captured = await paymesh.get_payment(held.payment_id)
    assert (told[0], told[-1], told.count(HELD)) == (HELD, COMPLETED, 1)
    assert captured.payment_orders[0].captured_amount == "60.00"


async def test_listing_turns_the_pages(paymesh: Paymesh) -> None:
    """Every payment of a buyer comes once, the newest first, whatever the size of a page."""
    buyer = f"buyer-{uuid4()}"
    made = [(await paymesh.create_payment(request(buyer=buyer))).payment_id for _ in range(5)]

    asked = service.ListPaymentsRequest(buyer_id=buyer, page_size=2)
    listed = [payment.payment_id async for payment in paymesh.list_payments(asked)]

    assert listed == made[::-1]


async def test_payment_comes_through_an_outage(stack: dict[str, Any], target: str) -> None:
    """While the door is shut the client tries again; the payment is then made, once."""
    asked, key = request(buyer=f"buyer-{uuid4()}"), stack["client"]["api_key"]
    patience = Patience(timeout_s=5, budget_s=60, backoff_s=0.1)
    pid = stack["services"]["edge_auth"]["pid"]

    async with Paymesh(target, api_key=key, patience=patience) as paymesh:
        os.kill(pid, signal.SIGSTOP)
        try:
            paying = asyncio.create_task(paymesh.create_payment(asked))
            done, _ = await asyncio.wait([paying], timeout=3)
        finally:
            os.kill(pid, signal.SIGCONT)
        async with asyncio.timeout(60):
            payment = await paymesh.until_final((await paying).payment_id)
        mine = service.ListPaymentsRequest(buyer_id=asked.buyer_info.id)
        listed = [one.payment_id async for one in paymesh.list_payments(mine)]

    assert not done
    assert payment.status == COMPLETED
    assert listed == [payment.payment_id]


async def test_blocking_client_does_it_all_without_a_loop(
    stack: dict[str, Any], target: str
) -> None:
    """In a thread that awaits nothing: pay, watch, list."""

    def use() -> tuple[noun.Payment, list[noun.Payment], noun.Payment]:
        with BlockingPaymesh(target, api_key=stack["client"]["api_key"]) as paymesh:
            made = paymesh.create_payment(request())
            return made, list(paymesh.watch(made.payment_id)), next(paymesh.list_payments())

    made, states, newest = await asyncio.to_thread(use)

    assert states[-1].status in FINAL
    assert {made.payment_id} == {state.payment_id for state in states}
    assert newest.payment_id == made.payment_id
