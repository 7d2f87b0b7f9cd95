"""Public requests as commands and filters. Pure; what is wrong is told by its field."""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service

from audit_log.origin import current_origin
from chassis.errors import InvalidRequest
from chassis.interceptors import RequestContext
from chassis.money import Money, parse_field
from payment_svc import presenter
from payment_svc.domain.payment import Buyer, CaptureMethod, PartialFailurePolicy, PaymentMethod
from payment_svc.idempotency import fingerprint, require_key
from payment_svc.ports import Asked, Filters
from payment_svc.use_cases.capture_payment import CapturePayment
from payment_svc.use_cases.create_checkout_session import CreateCheckoutSession
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder
from privacy.masked import Secret, personal

_CAPTURE_METHODS = {value: method for method, value in presenter.CAPTURE_METHODS.items()}
_PAYMENT_METHODS = {value: method for method, value in presenter.PAYMENT_METHODS.items()}
_POLICIES = {value: policy for policy, value in presenter.POLICIES.items()}
_STATUSES = {value: status for status, value in presenter.PAYMENT_STATUSES.items()}


def asked(method: str, request: Message, caller: RequestContext, key: bytes) -> Asked:
    """Tell who asks for what under which key; `key` hashes the fields of the request.

    Raises:
        Unauthenticated: no client.
        InvalidRequest: no idempotency key.
    """
    return Asked(
        client_id=caller.require_client(),
        method=method,
        idempotency_key=require_key(caller),
        fingerprint=fingerprint(request, key),
        origin=current_origin(),
    )


def new_payment(asked: Asked, request: service.CreatePaymentRequest) -> CreatePayment:
    """Read a payment to be made.

    Raises:
        InvalidRequest: an amount or currency that is none.
    """
    return CreatePayment(
        asked=asked,
        checkout_id=request.checkout_id,
        buyer=_buyer(request.buyer_info),
        payment_token=Secret(request.credit_card_info.token),
        orders=_orders(request.payment_orders),
        capture_method=_CAPTURE_METHODS.get(request.capture_method, CaptureMethod.AUTOMATIC),
        partial_failure_policy=_POLICIES.get(
            request.partial_failure_policy, PartialFailurePolicy.ALL_OR_NOTHING
        ),
        method=_PAYMENT_METHODS.get(request.payment_method, PaymentMethod.CARD),
    )


def checkout_session(
    asked: Asked, request: service.CreateCheckoutSessionRequest
) -> CreateCheckoutSession:
    """Read a checkout session to be opened.

    Raises:
        InvalidRequest: an amount, currency or moment that is none.
    """
    return CreateCheckoutSession(
        payment=CreatePayment(
            asked=asked,
            checkout_id=request.checkout_id,
            buyer=_buyer(request.buyer_info),
            payment_token=None,
            orders=_orders(request.payment_orders),
            capture_method=_CAPTURE_METHODS.get(request.capture_method, CaptureMethod.AUTOMATIC),
        ),
        success_url=request.success_url,
        cancel_url=request.cancel_url,
        expires_at=_moment(request, "expires_at", request.expires_at),
        preferred_psp=request.preferred_psp,
        description=request.description,
        locale=request.locale,
    )


def _buyer(info: payment_pb2.BuyerInfo) -> Buyer:
    return Buyer(
        buyer_id=info.id,
        email=personal(info.email or None),
        ip_address=personal(info.ip_address if info.HasField("ip_address") else None),
        country_code=info.country_code if info.HasField("country_code") else None,
    )


def _orders(asked: Sequence[payment_pb2.NewPaymentOrder]) -> list[NewOrder]:
    return [
        NewOrder(
            order.seller_account,
            parse_field(f"payment_orders[{index}]", order.amount, order.currency),
            order.payment_order_id,
        )
        for index, order in enumerate(asked)
    ]


def capture(asked: Asked, request: service.CapturePaymentRequest) -> CapturePayment:
    """Read a capture.

    Raises:
        InvalidRequest: both forms at once, or an order twice.
    """
    if request.amount and request.payment_orders:
        raise InvalidRequest.field("amount", "give either amount or payment_orders")
    by_order: dict[str, str] = {}
    for index, order in enumerate(request.payment_orders):
        if order.payment_order_id in by_order:
            raise InvalidRequest.field(
                f"payment_orders[{index}].payment_order_id",
                "occurs twice",
                "DUPLICATE_PAYMENT_ORDER_ID",
            )
        by_order[order.payment_order_id] = order.amount
    return CapturePayment(asked, request.payment_id, request.amount, by_order)


def filters(client_id: str, request: service.ListPaymentsRequest) -> Filters:
    """Read which payments to list.

    Raises:
        InvalidRequest: an amount without a currency, or one that is none; a moment that is none.
    """
    return Filters(
        client_id=client_id,
        buyer_id=request.buyer_id or None,
        checkout_id=request.checkout_id or None,
        seller_account=request.seller_account or None,
        status=_STATUSES.get(request.status),
        created_from=_moment(request, "created_from", request.created_from),
        created_before=_moment(request, "created_before", request.created_before),
        currency=request.currency or None,
        amount_min=_bound("amount_min", request.amount_min, request.currency),
        amount_max=_bound("amount_max", request.amount_max, request.currency),
    )


def _moment(request: Message, name: str, value: Timestamp) -> datetime | None:
    if not request.HasField(name):
        return None
    try:
        return value.ToDatetime(UTC)
    except ValueError as error:
        raise InvalidRequest.field(name, "is out of range") from error


def _bound(name: str, text: str, currency: str) -> Money | None:
    if not text:
        return None
    if not currency:
        raise InvalidRequest.field("currency", f"{name} needs a currency", "MISSING_FIELD")
    try:
        return parse_field("", text, currency)
    except InvalidRequest as error:
        field = error.violations[0]
        path = name if field.field == "amount" else field.field
        raise InvalidRequest.field(path, field.description, field.reason) from error
