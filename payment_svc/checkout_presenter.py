"""Checkout sessions as messages: a payment, seen from its page."""

from paymesh.payment.v1 import checkout_session_pb2

from payment_svc.domain.checkout_page import session_of
from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.presenter import failure, timestamp

_Status = checkout_session_pb2.CheckoutSession
_P = PaymentStatus

STATUSES = {
    _P.PENDING: _Status.PREPARING,
    _P.PROCESSING: _Status.PROCESSING,
    _P.REQUIRES_ACTION: _Status.OPEN,
    _P.REQUIRES_CAPTURE: _Status.COMPLETE,
    _P.COMPLETED: _Status.COMPLETE,
    _P.PARTIALLY_COMPLETED: _Status.COMPLETE,
    _P.FAILED: _Status.FAILED,
    _P.CANCELLED: _Status.COMPLETE,  # held, and let go by the client
    _P.PARTIALLY_REFUNDED: _Status.COMPLETE,
    _P.REFUNDED: _Status.COMPLETE,
}
_EXPIRED = "PAGE_EXPIRED"
_VERSION_BEFORE_THE_PAGE = 2  # PENDING, PROCESSING; open, it has been REQUIRES_ACTION


def checkout_session(found: Payment) -> checkout_session_pb2.CheckoutSession:
    """Write the checkout session of a payment, which has a page."""
    if found.page is None:
        raise AssertionError(f"{found.payment_id} has no page")
    message = checkout_session_pb2.CheckoutSession(
        checkout_session_id=session_of(found.payment_id),
        payment_id=found.payment_id,
        status=_status(found),
        expires_at=timestamp(found.page.expires_at),
        created_at=timestamp(found.created_at),
        amount=str(found.amount),
        currency=found.currency,
        checkout_id=found.checkout_id,
    )
    if found.redirect_url:
        message.url = found.redirect_url
    if found.failure is not None:
        message.failure.CopyFrom(failure(found.failure))
    return message


def _status(found: Payment) -> "checkout_session_pb2.CheckoutSession.Status.ValueType":
    if found.failure is not None and found.failure.reason == _EXPIRED:
        return _Status.EXPIRED
    if found.status is PaymentStatus.PROCESSING and found.version <= _VERSION_BEFORE_THE_PAGE:
        return _Status.PREPARING
    return STATUSES[found.status]
