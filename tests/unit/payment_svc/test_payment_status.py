"""A payment's status follows from its orders, by legal moves alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from payment_svc.domain.payment import Failure, Order, Payment
from payment_svc.domain.statuses import IllegalMove
from payment_svc.domain.statuses import OrderStatus as O
from payment_svc.domain.statuses import PaymentStatus as P
from payment_svc.events import status_events
from tests.builders import NOW, make_order, make_payment

WHY = Failure("CARD_DECLINED", "Declined.")


def payment_with(*statuses: O, status: P = P.PROCESSING, url: str | None = None) -> Payment:
    """Make a payment under way that has a pending order for each of `statuses`, then move them."""
    payment = replace(make_payment(*(make_order() for _ in statuses)), status=status)
    moved: list[Order] = [
        replace(order, status=to, redirect_url=url if to is O.EXECUTING else None)
        for order, to in zip(payment.orders, statuses, strict=True)
    ]
    return payment.with_orders(moved, NOW)


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ((O.PENDING,), P.PROCESSING),
        ((O.SUCCESS, O.PENDING), P.PROCESSING),
        ((O.SUCCESS, O.UNKNOWN), P.PROCESSING),
        ((O.AUTHORIZED, O.EXECUTING), P.PROCESSING),
        ((O.AUTHORIZED, O.AUTHORIZED), P.REQUIRES_CAPTURE),
        ((O.SUCCESS, O.SUCCESS), P.COMPLETED),
        ((O.SUCCESS, O.FAILED), P.PARTIALLY_COMPLETED),
        ((O.SUCCESS, O.CANCELLED), P.PARTIALLY_COMPLETED),
        ((O.FAILED, O.FAILED), P.FAILED),
        ((O.FAILED, O.CANCELLED), P.FAILED),
        ((O.CANCELLED, O.CANCELLED), P.CANCELLED),
    ],
)
def test_status_follows_from_the_orders(orders: tuple[O, ...], expected: P) -> None:
    """Each mixture of orders is one status of the payment."""
    assert payment_with(*orders).status is expected


@pytest.mark.parametrize("url", ["", "https://psp.example/3ds"])
def test_buyer_who_must_act_is_told_unless_money_may_have_moved(url: str) -> None:
    """One order that waits for the buyer is enough, with or without a page to go to; an UNKNOWN
    one keeps the payment PROCESSING.
    """
    assert payment_with(O.EXECUTING, O.SUCCESS, url=url).status is P.REQUIRES_ACTION
    assert payment_with(O.EXECUTING, O.UNKNOWN, url=url).status is P.PROCESSING


def test_no_status_is_skipped_on_the_way() -> None:
    """From REQUIRES_ACTION to FAILED goes by PROCESSING, and each is an event of its own."""
    acting = payment_with(O.EXECUTING, status=P.REQUIRES_ACTION, url="")
    failed = acting.with_orders([order.move(O.FAILED, WHY) for order in acting.orders], NOW)

    assert failed.trail == (P.PROCESSING, P.FAILED)
    events = [(event.sequence, event.type) for event in status_events(failed)]
    assert events == [(2, "payment.processing"), (3, "payment.failed")]
    assert failed.failure == WHY


def test_end_drops_what_nobody_needs() -> None:
    """The token goes with the last charge, the time of execution comes with success alone."""
    done, failed = payment_with(O.SUCCESS), payment_with(O.FAILED)
    held = payment_with(O.AUTHORIZED)

    assert (done.payment_token, failed.payment_token, held.payment_token) == (None, None, None)
    assert (done.executed_at, failed.executed_at) == (NOW, None)


@pytest.mark.parametrize("status", [P.FAILED, P.CANCELLED, P.REFUNDED, P.COMPLETED])
def test_what_is_final_is_not_moved(status: P) -> None:
    """A payment that is over does not begin again."""
    with pytest.raises(IllegalMove):
        payment_with(O.EXECUTING, status=status)


def test_hold_ends_with_the_capture() -> None:
    """`capture_before` is told while the amount is held, and no longer."""
    held = replace(payment_with(O.AUTHORIZED), capture_before=NOW + timedelta(days=7))

    begun = held.with_orders([order.move(O.EXECUTING) for order in held.orders])

    assert begun.capture_before is None
