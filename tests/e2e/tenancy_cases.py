"""What one client may try with another's things, for every RPC of the public API.

A new RPC needs a case here, else `test_tenancy.py` fails: what of the other client's it could be
asked with, and what the answer has to be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from google.protobuf.message import Message
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as pay
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as hooks


class Must(Enum):
    """What has to become of a request with another client's things."""

    BE_UNKNOWN = "answered as an id that nobody has"
    BE_INVALID = "refused, INVALID_ARGUMENT"
    MAKE_ONES_OWN = "answered with something new, of the caller's own"
    BE_EMPTY = "answered, with nothing of the other's"


@dataclass(frozen=True, slots=True)
class Things:
    """Things of one client, or, of nobody, ids that are as well-formed.

    Attributes:
        payment: of a completed payment.
        held: of a payment that may be captured or cancelled.
        waiting: of a payment that waits for its buyer.
        tokens: of pages, by RPC.
    """

    payment: str
    held: str
    waiting: str
    session: str
    endpoint: str
    event: str
    buyer: str
    checkout: str
    seller: str
    tokens: Mapping[str, str] = field(default_factory=dict)

    def ids(self) -> list[str]:
        """List the ids in one order."""
        return [
            self.payment, self.held, self.waiting, self.session, self.endpoint, self.event,
            self.buyer, self.checkout, self.seller,
        ]  # fmt: skip


Ask = Callable[[Things], Message]


@dataclass(frozen=True, slots=True)
class Case:
    """One try.

    Attributes:
        rpc: `Service.Method`.
        ask: makes the request out of the other's things.
        must: what has to become of it.
    """

    rpc: str
    ask: Ask
    must: Must = Must.BE_UNKNOWN
    note: str = ""

    @property
    def title(self) -> str:
        """Name the try."""
        return f"{self.rpc} {self.note}".strip()


def payment_request(order_id: str, buyer: str, seller: str, checkout: str) -> Message:
    """Write a payment to be made."""
    return pay.CreatePaymentRequest(
        buyer_info=payment_pb2.BuyerInfo(id=buyer, email=f"{buyer}@example.com"),
        checkout_id=checkout,
        credit_card_info={"token": "psp_card_token_xyz"},
        payment_orders=[_order(order_id, seller)],
    )


def session_request(order_id: str, buyer: str, seller: str, checkout: str) -> Message:
    """Write a checkout session to be opened."""
    return pay.CreateCheckoutSessionRequest(
        buyer_info=payment_pb2.BuyerInfo(id=buyer),
        checkout_id=checkout,
        success_url="http://127.0.0.1:9/thanks",
        cancel_url="http://127.0.0.1:9/basket",
        payment_orders=[_order(order_id, seller)],
    )


def endpoint_request(name: str) -> Message:
    """Write an endpoint to be registered."""
    return hooks.CreateWebhookEndpointRequest(url=f"http://127.0.0.1:9/{name}", description=name)


def _order(order_id: str, seller: str) -> payment_pb2.NewPaymentOrder:
    return payment_pb2.NewPaymentOrder(
        seller_account=seller, amount="9.99", currency="EUR", payment_order_id=order_id
    )


def _by(things: Things) -> tuple[str, str, str]:
    return things.buyer, things.seller, things.checkout


PAYMENTS, HOOKS = "PaymentService.", "WebhookEndpointService."
LIST, EVENTS = PAYMENTS + "ListPayments", HOOKS + "ListEvents"
ENDPOINTS, DELIVERIES = HOOKS + "ListWebhookEndpoints", HOOKS + "ListWebhookDeliveries"
# The creating ones are sent under the other's idempotency key, which is the order's id.
CASES = [
    Case(PAYMENTS + "CreatePayment", lambda t: payment_request(f"order-{t.buyer}", *_by(t)),
         Must.MAKE_ONES_OWN),
    Case(PAYMENTS + "CreateCheckoutSession",
         lambda t: session_request(f"session-{t.buyer}", *_by(t)), Must.MAKE_ONES_OWN),
    Case(HOOKS + "CreateWebhookEndpoint", lambda t: endpoint_request(t.buyer), Must.MAKE_ONES_OWN),
    Case(PAYMENTS + "GetPayment", lambda t: pay.GetPaymentRequest(payment_id=t.payment)),
    Case(PAYMENTS + "GetPayment", lambda t: pay.GetPaymentRequest(payment_id=t.held), note="held"),
    Case(PAYMENTS + "WatchPayment", lambda t: pay.WatchPaymentRequest(payment_id=t.payment)),
    Case(PAYMENTS + "WatchPayment", lambda t: pay.WatchPaymentRequest(payment_id=t.waiting),
         note="waiting"),
    Case(PAYMENTS + "CapturePayment", lambda t: pay.CapturePaymentRequest(payment_id=t.held)),
    Case(PAYMENTS + "CapturePayment",
         lambda t: pay.CapturePaymentRequest(payment_id=t.payment, amount="1.00"), note="done"),
    Case(PAYMENTS + "CancelPayment", lambda t: pay.CancelPaymentRequest(payment_id=t.held)),
    Case(PAYMENTS + "CancelPayment", lambda t: pay.CancelPaymentRequest(payment_id=t.payment),
         note="done"),
    Case(PAYMENTS + "ResumePayment",
         lambda t: pay.ResumePaymentRequest(payment_id=t.waiting, return_query={"a": "b"})),
    Case(PAYMENTS + "GetCheckoutSession",
         lambda t: pay.GetCheckoutSessionRequest(checkout_session_id=t.session)),
    Case(PAYMENTS + "GetCheckoutSession",
         lambda t: pay.GetCheckoutSessionRequest(checkout_session_id="cks_" + t.payment[4:]),
         note="of a payment without one"),
    Case(LIST, lambda _: pay.ListPaymentsRequest(), Must.BE_EMPTY),
    Case(LIST, lambda t: pay.ListPaymentsRequest(buyer_id=t.buyer), Must.BE_EMPTY, "by buyer"),
    Case(LIST, lambda t: pay.ListPaymentsRequest(checkout_id=t.checkout), Must.BE_EMPTY,
         "by checkout"),
    Case(LIST, lambda t: pay.ListPaymentsRequest(seller_account=t.seller), Must.BE_EMPTY,
         "by seller"),
    Case(LIST, lambda t: pay.ListPaymentsRequest(buyer_id=t.buyer, seller_account=t.seller,
         currency="EUR", amount_min="1.00"), Must.BE_EMPTY, "by several"),
    Case(LIST, lambda t: pay.ListPaymentsRequest(page_size=1, page_token=t.tokens[LIST]),
         Must.BE_INVALID, "page token"),
    Case(HOOKS + "GetWebhookEndpoint",
         lambda t: hooks.GetWebhookEndpointRequest(endpoint_id=t.endpoint)),
    Case(ENDPOINTS, lambda _: hooks.ListWebhookEndpointsRequest(), Must.BE_EMPTY),
    Case(ENDPOINTS,
         lambda t: hooks.ListWebhookEndpointsRequest(page_size=1, page_token=t.tokens[ENDPOINTS]),
         Must.BE_INVALID, "page token"),
    Case(HOOKS + "DeleteWebhookEndpoint",
         lambda t: hooks.DeleteWebhookEndpointRequest(endpoint_id=t.endpoint)),
    Case(HOOKS + "RotateWebhookSecret",
         lambda t: hooks.RotateWebhookSecretRequest(endpoint_id=t.endpoint)),
    Case(DELIVERIES, lambda t: hooks.ListWebhookDeliveriesRequest(endpoint_id=t.endpoint)),
    Case(DELIVERIES, lambda t: hooks.ListWebhookDeliveriesRequest(endpoint_id=t.endpoint,
         page_token=t.tokens.get(DELIVERIES, "")), note="page token"),
    Case(EVENTS, lambda _: hooks.ListEventsRequest(), Must.BE_EMPTY),
    Case(EVENTS, lambda t: hooks.ListEventsRequest(object_id=t.payment), Must.BE_EMPTY,
         "by payment"),
    Case(EVENTS, lambda t: hooks.ListEventsRequest(page_token=t.tokens[EVENTS]), Must.BE_INVALID,
         "page token"),
    Case(HOOKS + "RedeliverEvent",
         lambda t: hooks.RedeliverEventRequest(endpoint_id=t.endpoint, event_id=t.event)),
    Case(HOOKS + "RedeliverEvent", lambda t: _since(t.endpoint), note="since"),
]  # fmt: skip
# A client's own endpoint, and another's event: what is asked with is the caller's and the other's.
MIXED = Case(
    HOOKS + "RedeliverEvent",
    lambda t: hooks.RedeliverEventRequest(endpoint_id=t.endpoint, event_id=t.event),
    note="to one's own endpoint",
)
NO_CLIENTS_OWN = {
    "WebhookService.ReceiveWebhook": "PSPs call it: their signature says who they are"
}


def _since(endpoint_id: str) -> Message:
    request = hooks.RedeliverEventRequest(endpoint_id=endpoint_id)
    request.since.FromJsonString("2020-01-01T00:00:00Z")
    return request
