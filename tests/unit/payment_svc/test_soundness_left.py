"""What two persons left with a PSP is sound as long as the books say that the PSP owes it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from payment_svc.audit_ports import Audited
from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from tests.builders import make_order, make_payment
from tests.unit.payment_svc.test_soundness import (
    Mesh,
    audit,
    found,
    make_attempt,
    make_completed,
    make_standing,
)


def make_failed(amount: str = "10.00") -> Payment:
    """Make a failed payment of one order."""
    order = replace(make_order(amount), status=OrderStatus.FAILED)
    return replace(make_payment(order), status=PaymentStatus.FAILED)


def leave(mesh: Mesh) -> Payment:
    """Fail a payment whose charge two persons left with its PSP, booked."""
    payment = make_failed()
    left = make_attempt(payment)
    standing = make_standing(left_at_psp=left.attempt_id)
    mesh.payments[payment.payment_id] = Audited(payment, (standing,))
    mesh.tried[payment.payment_id] = [left]
    mesh.books[payment.payment_id] = Decimal(10)
    return payment


@pytest.mark.parametrize("end", ["c1", "c1l1"], ids=["charged", "charged late"])
def test_what_two_persons_left_with_a_psp_is_known(end: str) -> None:
    """It is no order's; another charge than the one they left there offends."""
    failed, paid = make_failed(), make_completed()
    left, other = make_attempt(failed, end=end), make_attempt(failed, end="c2l1")
    standing = make_standing(left_at_psp=left.attempt_id)
    beside = make_attempt(paid, end="c1l1")

    assert found(failed, [left], standing) == []
    assert set(found(failed, [left, other], standing)) == {"I5", "I8"}
    assert "I8" in found(failed, [left], make_standing(left_at_psp=other.attempt_id))
    assert (
        found(paid, [make_attempt(paid), beside], make_standing(left_at_psp=beside.attempt_id))
        == []
    )


def test_what_was_left_and_came_back_is_no_charge() -> None:
    """Then the PSP keeps nothing, and nothing is taken off."""
    failed = make_failed()
    left, back = make_attempt(failed), make_attempt(failed, "REFUND", end="c1r1")

    assert found(failed, [left, back], make_standing(left_at_psp=left.attempt_id)) == []


async def test_what_was_left_with_a_psp_is_known_if_it_is_booked() -> None:
    """The books have to say that the PSP owes it to us: whole, and at all."""
    mesh = Mesh()
    sound, missing, other = (leave(mesh) for _ in range(3))
    del mesh.books[missing.payment_id]
    mesh.books[other.payment_id] = Decimal(9)

    told, _ = await audit(mesh)

    assert sound.payment_id not in {v.payment_id for v in told}
    assert {(v.invariant, v.payment_id) for v in told} == {
        ("I4", missing.payment_id),
        ("I4", other.payment_id),
    }
