"""Checkout sessions on the real payment store: accepted as payments, read by their own id."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chassis.database import Database
from chassis.errors import InvalidRequest
from chassis.interceptors import validate
from chassis.money import Money
from payment_svc.checkout_presenter import STATUSES, checkout_session
from payment_svc.domain.checkout_page import CheckoutPage, payment_of, session_of
from payment_svc.domain.errors import CheckoutSessionNotFound, IdempotencyKeyReused
from payment_svc.domain.payment import Buyer, Failure, Payment
from payment_svc.domain.return_url import ReturnUrls
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.messages import charge
from payment_svc.ports import Accepted
from payment_svc.sagas.charging import charge_orders, name_charge
from payment_svc.sellers import AnySeller
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.create_checkout_session import (
    CreateCheckoutSession,
    create_checkout_session,
)
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder
from payment_svc.use_cases.get_checkout_session import get_checkout_session
from privacy.masked import Personal
from tests.builders import NOW, make_asked, make_id, make_journey, make_payment

SHOP = ReturnUrls.parse("https://shop.example", is_production=True)
PAGE = CheckoutPage(
    "https://shop.example/ok?order=7", "https://shop.example/no", NOW + timedelta(hours=2)
)


def command(**changes: object) -> CreateCheckoutSession:
    """Write a checkout session as it is asked."""
    orders = [NewOrder("seller", Money.parse("10.00", "EUR"), "order-1")]
    asked = make_asked("CreateCheckoutSession")
    paying = CreatePayment(asked, "checkout", Buyer("b", Personal("b@example.com")), None, orders)
    usual = CreateCheckoutSession(paying, PAGE.success_url, PAGE.cancel_url)
    return replace(usual, **changes)  # type: ignore[arg-type]


async def create(database: Database, asked: CreateCheckoutSession, now: datetime = NOW) -> Accepted:
    """Ask for a checkout session."""
    return await create_checkout_session(
        asked,
        store=PostgresPaymentStore(database, lambda: now),
        sellers=AnySeller(),
        return_urls=SHOP,
        clock=lambda: now,
        new_id=make_id,
        render=lambda payment: payment.payment_id.encode(),
    )


async def test_a_session_is_a_payment_with_a_page(payment_db: Database) -> None:
    """It is read by its own id, by its own client, as it was stored."""
    accepted = await create(payment_db, command(preferred_psp="paypal", locale="de"))
    store = PostgresPaymentStore(payment_db, lambda: NOW)
    session_id = session_of(accepted.payment_id)

    found = await get_checkout_session("demo", session_id, store=store)

    assert found.page == CheckoutPage(
        PAGE.success_url, PAGE.cancel_url, NOW + timedelta(hours=1), "paypal", "", "de"
    )
    assert found.payment_token is None
    assert payment_of(session_id) == found.payment_id
    with pytest.raises(CheckoutSessionNotFound):
        await get_checkout_session("another", session_id, store=store)
    with pytest.raises(CheckoutSessionNotFound):
        await get_checkout_session("demo", "cks_0", store=store)


async def test_a_payment_by_token_is_no_session(payment_db: Database) -> None:
    """Its id leads to no session."""
    store = PostgresPaymentStore(payment_db, lambda: NOW)
    accepted = await create(payment_db, command())
    (row,) = await payment_db.read("UPDATE payments SET page_encrypted = NULL RETURNING payment_id")

    assert row["payment_id"] == accepted.payment_id
    with pytest.raises(CheckoutSessionNotFound):
        await get_checkout_session("demo", session_of(accepted.payment_id), store=store)


async def test_asked_twice_it_is_one_session(payment_db: Database) -> None:
    """The usual expiry is that of the first; another request under the key is refused."""
    first = await create(payment_db, command())
    again = await create(payment_db, command(), NOW + timedelta(minutes=5))
    other = command()
    other = replace(
        other, payment=replace(other.payment, asked=replace(other.payment.asked, fingerprint={}))
    )

    assert (again.payment_id, again.replayed) == (first.payment_id, True)
    with pytest.raises(IdempotencyKeyReused):
        await create(payment_db, other)


async def test_asked_again_too_late_for_its_page_it_is_the_same_session(
    payment_db: Database,
) -> None:
    """What closes in 40 minutes is told again after ten; what is new, or another's, is not."""
    asked = command(expires_at=NOW + timedelta(minutes=40))
    late = NOW + timedelta(minutes=10)
    first = await create(payment_db, asked)
    other = replace(asked.payment.asked, fingerprint={})
    free = replace(asked.payment.asked, idempotency_key="free")

    again = await create(payment_db, asked, late)

    assert (again.payment_id, again.replayed) == (first.payment_id, True)
    with pytest.raises(IdempotencyKeyReused):
        await create(payment_db, replace(asked, payment=replace(asked.payment, asked=other)), late)
    with pytest.raises(InvalidRequest, match="expires_at"):
        await create(payment_db, replace(asked, payment=replace(asked.payment, asked=free)), late)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"success_url": "https://evil.example/"}, "success_url"),
        ({"cancel_url": "javascript:alert(1)"}, "cancel_url"),
        ({"expires_at": NOW + timedelta(minutes=34)}, "expires_at"),
        ({"expires_at": NOW + timedelta(hours=23, seconds=1)}, "expires_at"),
        ({"expires_at": NOW - timedelta(days=1)}, "expires_at"),
    ],
)
async def test_what_cannot_be_is_refused_by_field(
    payment_db: Database, changes: dict[str, object], field: str
) -> None:
    """Nothing is stored, and the key stays free."""
    with pytest.raises(InvalidRequest) as refused:
        await create(payment_db, command(**changes))

    assert refused.value.violations[0].field == field
    assert await payment_db.read("SELECT 1 FROM payments") == []
    assert not (await create(payment_db, command())).replayed


def test_the_gateway_is_told_the_page_and_no_token() -> None:
    """The client's site learns which session the buyer comes from."""
    payment = replace(make_payment(), payment_token=None, page=PAGE)
    message = charge(charge_orders(name_charge(make_journey(payment))))

    session_id = session_of(payment.payment_id)
    assert message.payment_token == ""
    assert message.hosted_page.success_url == (
        f"https://shop.example/ok?order=7&checkout_session_id={session_id}"
    )
    assert message.hosted_page.cancel_url == (
        f"https://shop.example/no?checkout_session_id={session_id}"
    )
    assert message.hosted_page.buyer_email == "buyer@example.com"
    assert message.hosted_page.expires_at.ToDatetime(NOW.tzinfo) == PAGE.expires_at


def _at(status: PaymentStatus, version: int, **more: object) -> Payment:
    payment = replace(make_payment(), payment_token=None, page=PAGE)
    return replace(payment, status=status, version=version, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("payment", "status"),
    [
        (_at(PaymentStatus.PENDING, 1), "PREPARING"),
        (_at(PaymentStatus.PROCESSING, 2), "PREPARING"),
        (_at(PaymentStatus.REQUIRES_ACTION, 3), "OPEN"),
        (_at(PaymentStatus.PROCESSING, 4), "PROCESSING"),
        (_at(PaymentStatus.COMPLETED, 4), "COMPLETE"),
        (_at(PaymentStatus.REQUIRES_CAPTURE, 4), "COMPLETE"),
        (_at(PaymentStatus.FAILED, 4, failure=Failure("PAGE_EXPIRED", "…")), "EXPIRED"),
        (_at(PaymentStatus.FAILED, 4, failure=Failure("RISK_REFUSED", "…")), "FAILED"),
    ],
)
def test_a_session_stands_as_its_payment(payment: Payment, status: str) -> None:
    """Each status of a payment is one of its session."""
    message = checkout_session(payment)

    assert message.Status.Name(message.status) == status
    assert message.checkout_session_id == session_of(payment.payment_id)
    assert message.HasField("failure") == (payment.failure is not None)


def test_every_status_is_told() -> None:
    """A status that is added fails here."""
    assert set(STATUSES) == set(PaymentStatus)


_PRINTABLE = st.text("".join(map(chr, range(33, 127))), max_size=30)


@given(_PRINTABLE, st.sampled_from(["", "?", "?a=%"]), _PRINTABLE)
@example("100%", "", "")
@example("", "?q=", "50%&x=%zz")
@settings(max_examples=300, deadline=None)
def test_what_passes_here_passes_at_the_gateway(path: str, joint: str, query: str) -> None:
    """A return URL that is taken from a client is taken by psp_gateway, with the session added:
    else the payment would be accepted, and a dead letter.
    """
    page = replace(PAGE, success_url=f"https://shop.example/{path}{joint}{query}")
    try:
        SHOP.check("success_url", page.success_url)
    except InvalidRequest:
        return

    journey = name_charge(make_journey(replace(make_payment(), payment_token=None, page=page)))

    validate(charge(charge_orders(journey)))
