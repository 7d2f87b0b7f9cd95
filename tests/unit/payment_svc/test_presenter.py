"""Every status has its word on the wire, and Prefer is read as RFC 7240 has it."""

import pytest
from paymesh.payment.v1 import operations_service_pb2 as operations
from paymesh.payment.v1 import payment_pb2
from paymesh.psp.v1 import attempt_pb2

from chassis.interceptors import read_context
from payment_svc.domain.statuses import ORDER_MOVES, PAYMENT_MOVES, OrderStatus, PaymentStatus
from payment_svc.messages import _ATTEMPT_OUTCOMES
from payment_svc.presenter import ORDER_STATUSES, PAYMENT_STATUSES, QUEUES
from payment_svc.servicer import preferred_wait


def test_every_status_of_the_wire_is_ours_and_the_reverse() -> None:
    """A status that is added to a proto without a mapping fails here."""
    assert set(PAYMENT_STATUSES.values()) == set(payment_pb2.Payment.Status.values()) - {0}
    assert set(ORDER_STATUSES.values()) == set(payment_pb2.PaymentOrder.Status.values()) - {0}
    assert set(QUEUES.values()) == set(operations.Saga.Queue.values()) - {0}
    assert set(_ATTEMPT_OUTCOMES) == set(attempt_pb2.Attempt.Outcome.values()) - {0}


def test_nothing_leaves_a_final_status() -> None:
    """FAILED, CANCELLED and REFUNDED are the end, and every status has its moves written down."""
    assert set(PAYMENT_MOVES) == set(PaymentStatus)
    assert set(ORDER_MOVES) == set(OrderStatus)
    for name in ("FAILED", "CANCELLED", "REFUNDED"):
        assert not PAYMENT_MOVES[PaymentStatus(name)]
        assert not ORDER_MOVES[OrderStatus(name)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("wait=5", 5.0),
        ("respond-async, wait=10", 10.0),
        ("Wait=7; x=1", 7.0),
        ("wait=9999", 30.0),
        ("wait=0", 0.0),
        ("wait=-1", None),
        ("wait=abc", None),
        ("await=5", None),
        ("", None),
    ],
)
def test_prefer_wait_is_read(value: str, expected: float | None) -> None:
    """Seconds are read, lowered to 30, and nonsense is ignored."""
    assert preferred_wait(read_context([("prefer", value)])) == expected
