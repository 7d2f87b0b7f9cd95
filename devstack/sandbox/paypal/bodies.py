"""PayPal's objects as JSON, with their links, and its webhooks before they are signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from devstack.sandbox.jsonwire.messages import Json
from devstack.sandbox.paypal.given import written
from devstack.sandbox.paypal.things import Authorization, Capture, Order, Refund

Payment = Authorization | Capture | Refund
_COLLECTIONS = {"authorizations": Authorization, "captures": Capture, "refunds": Refund}


def moment(at: float) -> str:
    """Write a time as PayPal does."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def money(amount: int, currency: str) -> Json:
    """Write a `money` object."""
    return {"currency_code": currency, "value": written(amount, currency)}


def minimal(body: Json) -> Json:
    """Keep what `Prefer: return=minimal` gives: id, status and links."""
    return {name: body[name] for name in ("id", "status", "links")}


@dataclass(frozen=True, slots=True)
class Bodies:
    """Writes the objects; links begin with `url`, the sandbox's."""

    url: str

    def link(self, rel: str, path: str, method: str = "GET") -> Json:
        """Make a link."""
        return {"href": f"{self.url}/paypal{path}", "rel": rel, "method": method}

    def payer_action(self, order: Order) -> Json:
        """Make the link to where the buyer goes."""
        rel = "payer-action" if order.source else "approve"
        return self.link(rel, f"/approve/{order.id}")

    def order(self, order: Order, payments: Sequence[Payment]) -> Json:
        """Write an order with all that came of it."""
        unit: Json = {"reference_id": "default", **order.unit}
        unit["amount"] = money(order.amount, order.currency)
        collected = {
            name: [self.payment(each) for each in payments if isinstance(each, kind)]
            for name, kind in _COLLECTIONS.items()
        }
        if payments:
            unit["payments"] = {name: some for name, some in collected.items() if some}
        path = f"/v2/checkout/orders/{order.id}"
        links = [self.link("self", path)]
        if order.status in ("CREATED", "PAYER_ACTION_REQUIRED"):
            links.append(self.payer_action(order))
        if order.status in ("CREATED", "APPROVED"):
            verb = order.intent.lower()
            links.append(self.link(verb, f"{path}/{verb}", "POST"))
        body = {
            "id": order.id,
            "intent": order.intent,
            "status": order.status,
            "purchase_units": [unit],
            "create_time": moment(order.created),
            "links": links,
        }
        return {**body, "payment_source": {order.source: {}}} if order.source else body

    def payment(self, payment: Payment) -> Json:
        """Write an authorization, a capture or a refund."""
        body: Json = {
            "id": payment.id,
            "status": payment.status,
            "amount": money(payment.amount, payment.currency),
            "create_time": moment(payment.created),
            "update_time": moment(payment.created),
            **{name: payment.unit[name] for name in payment.unit if name != "reference_id"},
        }
        if isinstance(payment, Refund):
            return {**body, "links": self._refund_links(payment)}
        if payment.response_code:
            body["processor_response"] = {"response_code": payment.response_code}
        body["supplementary_data"] = {"related_ids": {"order_id": payment.order}}
        if isinstance(payment, Authorization):
            if payment.settles_at is not None:
                body["expiration_time"] = moment(payment.settles_at)
            return {**body, "links": self._authorization_links(payment)}
        if payment.reason:
            body["status_details"] = {"reason": payment.reason}
        body["final_capture"] = payment.is_final
        return {**body, "links": self._capture_links(payment)}

    def event(self, event_type: str, about: Order | Payment, event_id: str, now: float) -> Json:
        """Write a webhook: `event` of Webhooks v1."""
        is_order = isinstance(about, Order)
        return {
            "id": f"WH-{event_id}",
            "event_version": "1.0",
            "create_time": moment(now),
            "resource_type": "checkout-order" if is_order else type(about).__name__.lower(),
            "resource_version": "2.0",
            "event_type": event_type,
            "summary": event_type.replace(".", " ").capitalize(),
            "resource": self.order(about, ()) if isinstance(about, Order) else self.payment(about),
            "links": [self.link("self", f"/v1/notifications/webhooks-events/WH-{event_id}")],
        }

    def _authorization_links(self, authorization: Authorization) -> list[Json]:
        path = f"/v2/payments/authorizations/{authorization.id}"
        links = [self.link("self", path)]
        if authorization.status in ("CREATED", "PARTIALLY_CAPTURED"):
            verbs = ("capture", "void", "reauthorize")
            links += [self.link(verb, f"{path}/{verb}", "POST") for verb in verbs]
        return [*links, self._order_link(authorization.order)]

    def _capture_links(self, capture: Capture) -> list[Json]:
        path = f"/v2/payments/captures/{capture.id}"
        links = [self.link("self", path), self.link("refund", f"{path}/refund", "POST")]
        if capture.authorization:
            up = f"/v2/payments/authorizations/{capture.authorization}"
            return [*links, self.link("up", up)]
        return [*links, self._order_link(capture.order)]

    def _refund_links(self, refund: Refund) -> list[Json]:
        own = self.link("self", f"/v2/payments/refunds/{refund.id}")
        return [own, self.link("up", f"/v2/payments/captures/{refund.capture}")]

    def _order_link(self, order: str) -> Json:
        return self.link("up", f"/v2/checkout/orders/{order}")


def text_in(given: Mapping[str, object], *path: str) -> str:
    """Read a text deep in a request; "" when there is none."""
    node: object = given
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, str) else ""
