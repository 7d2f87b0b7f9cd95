"""Refunds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.sandbox.stripe import refunds
from devstack.sandbox.stripe.changes import Change
from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.objects import Charge, Intent, Refund
from devstack.sandbox.stripe.requests import RefundRequest
from tests.unit.sandbox.test_payment_intents import NOW, charge_of, create, intent_of, new_id


def request(amount: int | None = None) -> RefundRequest:
    """Ask for money back."""
    return RefundRequest("pi", None, amount, {"attempt_id": "att_1"}, None)


def refund(intent: Intent, charge: Charge | None, amount: int | None = None) -> Change:
    """Give money back."""
    return refunds.refund(request(amount), intent, charge, new_id, NOW)


def refund_of(change: Change) -> Refund:
    """Take the refund out of a change that has one."""
    assert change.refund is not None
    return change.refund


@given(st.lists(st.one_of(st.none(), st.integers(1, 1_200)), max_size=6))
def test_never_more_than_was_captured(amounts: list[int | None]) -> None:
    """Whatever is asked, the refunds sum to at most the charge."""
    change = create()
    intent, charge = intent_of(change), charge_of(change)
    given_back = 0
    for amount in amounts:
        try:
            done = refund(intent, charge, amount)
        except StripeError:
            continue
        given_back += done.amount
        charge = charge_of(done)

    assert given_back <= 1_000
    assert charge.amount_refunded == given_back


def test_refusals() -> None:
    """Too much, once too often, and nothing to give back are told apart."""
    change = create()
    intent, whole = intent_of(change), refund(intent_of(change), change.charge)

    with pytest.raises(StripeError, match="greater than unrefunded amount"):
        refund(intent, change.charge, 1_001)
    with pytest.raises(StripeError) as twice:
        refund(intent, whole.charge)
    with pytest.raises(StripeError, match="does not have a successful charge"):
        refund(intent_of(create(confirm=False)), None)
    authorized = create(capture_method="manual")
    with pytest.raises(StripeError, match="does not have a successful charge"):
        refund(intent_of(authorized), authorized.charge)
    assert twice.value.executed
    assert twice.value.error["code"] == "charge_already_refunded"


def test_the_switch_lets_too_much_through() -> None:
    """With over-refund on, a named amount above the charge goes through."""
    change = create()
    asked = request(2_500)
    done = refunds.refund(asked, intent_of(change), change.charge, new_id, NOW, over_refund=True)

    assert done.amount == 2_500
    assert charge_of(done).amount_refunded == 2_500


def test_a_pending_refund_settles() -> None:
    """A pending refund becomes succeeded at its time, moving nothing more."""
    change = create("pm_card_pendingRefund")
    pending = refund(intent_of(change), change.charge)
    settled = refunds.settle(refund_of(pending), charge_of(pending))

    assert (refund_of(pending).status, refund_of(pending).settles_at) == ("pending", NOW + 60)
    assert (refund_of(settled).status, settled.amount) == ("succeeded", 0)


def test_a_failing_refund_gives_back() -> None:
    """A refund that fails days later leaves its amount to be refunded again."""
    change = create("pm_card_refundFail")
    done = refund(intent_of(change), change.charge)
    failed = refunds.settle(refund_of(done), charge_of(done))

    assert refund_of(done).status == "succeeded"
    assert (failed.kind, refund_of(failed).status) == ("refund_failed", "failed")
    assert charge_of(failed).amount_refunded == 0
