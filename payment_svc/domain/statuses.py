"""The statuses of payments and orders, and the only moves between them."""

from collections.abc import Mapping
from enum import StrEnum


class PaymentStatus(StrEnum):
    """Where a payment stands, as the public API spells it."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    REQUIRES_CAPTURE = "REQUIRES_CAPTURE"
    COMPLETED = "COMPLETED"
    PARTIALLY_COMPLETED = "PARTIALLY_COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


class OrderStatus(StrEnum):
    """Where an order stands, as the public API spells it."""

    PENDING = "PENDING"
    EXECUTING = "EXECUTING"
    AUTHORIZED = "AUTHORIZED"
    UNKNOWN = "UNKNOWN"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


class IllegalMove(AssertionError):
    """A status was to follow another that it cannot follow: a bug, never an outcome."""


_P = PaymentStatus
PAYMENT_MOVES: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    _P.PENDING: frozenset({_P.PROCESSING, _P.CANCELLED}),
    _P.PROCESSING: frozenset(
        {
            _P.REQUIRES_ACTION,
            _P.REQUIRES_CAPTURE,
            _P.COMPLETED,
            _P.PARTIALLY_COMPLETED,
            _P.FAILED,
            _P.CANCELLED,
        }
    ),
    _P.REQUIRES_ACTION: frozenset({_P.PROCESSING}),
    _P.REQUIRES_CAPTURE: frozenset({_P.PROCESSING, _P.CANCELLED}),
    _P.COMPLETED: frozenset({_P.PARTIALLY_REFUNDED, _P.REFUNDED}),
    _P.PARTIALLY_COMPLETED: frozenset({_P.PARTIALLY_REFUNDED, _P.REFUNDED}),
    _P.PARTIALLY_REFUNDED: frozenset({_P.REFUNDED}),
    _P.FAILED: frozenset(),
    _P.CANCELLED: frozenset(),
    _P.REFUNDED: frozenset(),
}

_O = OrderStatus
ORDER_MOVES: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    _O.PENDING: frozenset({_O.EXECUTING, _O.FAILED, _O.CANCELLED}),
    _O.EXECUTING: frozenset({_O.AUTHORIZED, _O.UNKNOWN, _O.SUCCESS, _O.FAILED, _O.CANCELLED}),
    _O.AUTHORIZED: frozenset({_O.EXECUTING, _O.UNKNOWN, _O.FAILED, _O.CANCELLED}),
    _O.UNKNOWN: frozenset({_O.EXECUTING, _O.AUTHORIZED, _O.FAILED}),
    _O.SUCCESS: frozenset({_O.PARTIALLY_REFUNDED, _O.REFUNDED}),
    _O.PARTIALLY_REFUNDED: frozenset({_O.REFUNDED}),
    _O.FAILED: frozenset(),
    _O.CANCELLED: frozenset(),
    _O.REFUNDED: frozenset(),
}

# Nothing moves these but a refund.
FINAL = frozenset(
    {_P.COMPLETED, _P.PARTIALLY_COMPLETED, _P.FAILED, _P.CANCELLED, _P.PARTIALLY_REFUNDED}
    | {_P.REFUNDED}
)
# What a caller who waits is waiting for: no further move comes without somebody else's doing.
SETTLED = FINAL | {_P.REQUIRES_ACTION, _P.REQUIRES_CAPTURE}
