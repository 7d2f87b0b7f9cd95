"""PayPal's face: which call does what, and what is PayPal's own about keys, errors and headers."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from devstack.sandbox.jsonwire.face import JsonFace, Outcome
from devstack.sandbox.jsonwire.messages import Answer, Call, Change, Json, Refused, Thing
from devstack.sandbox.paypal import disputes, orders, payments, payouts
from devstack.sandbox.paypal import given as read
from devstack.sandbox.paypal.bodies import Bodies, minimal
from devstack.sandbox.paypal.credentials import is_bearer
from devstack.sandbox.paypal.orders import Desk
from devstack.sandbox.paypal.things import (
    Authorization,
    Batch,
    Capture,
    Dispute,
    Item,
    Order,
    Refund,
)

_LETTERS = string.ascii_uppercase + string.digits
_ORDER_KEY_MAX = 108
_HOUR_S, _DAY_S = 3_600.0, 86_400.0
# Operation as faults name it → for how long its keys are kept, as published per API.
_KEPT_S: Mapping[str, float] = MappingProxyType(
    {
        "create": 6 * _HOUR_S,
        "confirm": 6 * _HOUR_S,
        "confirm_hold": 6 * _HOUR_S,
        "capture": 45 * _DAY_S,
        "void": 45 * _DAY_S,
        "reauthorize": 45 * _DAY_S,
        "refund": 45 * _DAY_S,
        "payout": 30 * _DAY_S,
        "provide_evidence": 30 * _DAY_S,
        "accept_claim": 30 * _DAY_S,
    }
)
_READS: Mapping[str, type] = MappingProxyType(
    {
        "retrieve": Order,
        "retrieve_hold": Authorization,
        "retrieve_capture": Capture,
        "retrieve_refund": Refund,
        "retrieve_payout": Batch,
        "retrieve_payout_item": Item,
        "retrieve_dispute": Dispute,
    }
)

Found = TypeVar("Found")


class PayPalFace(JsonFace):
    """PayPal as callers see it. A replay shows the latest state; no server error is kept."""

    psp = "paypal"
    operations = frozenset(_KEPT_S.keys() | _READS.keys()) - {"confirm_hold"}
    things = MappingProxyType(
        {
            kind.__name__: kind
            for kind in (Order, Authorization, Capture, Refund, Batch, Item, Dispute)
        }
    )
    keeps_server_errors = False
    aliases = MappingProxyType({"confirm_hold": "confirm"})

    def authorize(self, call: Call) -> None:
        """Let in who shows an access token."""
        if not is_bearer(call.credentials, self.world.clock.now()):
            raise Refused(read.failure(401))

    def operate(self, call: Call, given: Json, now: float) -> Change | Answer:
        """Carry a call out."""
        desk = self._desk(now)
        match call.operation:
            case "create":
                return orders.create(given, desk, has_key=call.key is not None)
            case "confirm":
                return orders.pay(self._find(call, Order), "CAPTURE", given, desk)
            case "confirm_hold":
                return orders.pay(self._find(call, Order), "AUTHORIZE", given, desk)
            case "capture":
                own = self._find(call, Authorization)
                return payments.capture(own, self._root(own), given, desk)
            case "void":
                return payments.void(self._find(call, Authorization), desk)
            case "reauthorize":
                own = self._find(call, Authorization)
                return payments.reauthorize(own, self._root(own), given, desk)
            case "refund":
                over = self.world.over_refund
                return payments.refund(self._find(call, Capture), given, desk, over_refund=over)
            case "provide_evidence":
                return disputes.provide_evidence(self._find(call, Dispute), given, desk)
            case "accept_claim":
                return disputes.accept(self._find(call, Dispute), given, desk)
            case "payout":
                name = payouts.batch_name_in(given)
                return payouts.create(given, self.shelf.named(name, Batch), desk)
        self._find(call, _READS[call.operation])
        return Answer(200, self._latest(call.target))

    def settle(self, thing: Thing, now: float) -> Change:
        """Decide an object whose time has come."""
        desk = self._desk(now)
        if isinstance(thing, Capture):
            return orders.settle(thing, desk)
        if isinstance(thing, Authorization):
            return payments.expire(thing, desk)
        if isinstance(thing, Item):
            return payouts.settle(thing, desk)
        taken = self.shelf.find(thing.capture, Capture) if isinstance(thing, Refund) else None
        if not isinstance(thing, Refund) or taken is None:
            raise TypeError(f"{thing.id} never falls due")
        return payments.settle_refund(thing, taken, desk)

    def metadata_of(self, call: Call, given: Json) -> Mapping[str, str]:
        """Find the caller's ids: those of the object, and those of the request."""
        thing = self.shelf.find(call.target, object)
        unit = thing.unit if isinstance(thing, Order | Authorization | Capture | Refund) else {}
        units = given.get("purchase_units")
        asked = units[0] if isinstance(units, list) and units else given
        own = asked if isinstance(asked, dict) else {}
        return read.ids_of({**unit, **read.texts_of(own, "custom_id", "invoice_id")})

    def scope_of(self, call: Call) -> str | None:
        """Keep under the key, for each operation on each object apart."""
        if call.key is None or call.operation in _READS:
            return None
        if _KEPT_S[call.operation] == _KEPT_S["create"] and len(call.key) > _ORDER_KEY_MAX:
            text = "The value of a field is too long."
            raise read.refused("INVALID_STRING_MAX_LENGTH", text, "PayPal-Request-Id", 400)
        return f"{call.operation}:{call.target}:{call.key}"

    def lifetime_of(self, call: Call) -> float:
        """Keep for as long as the API at hand does."""
        return _KEPT_S[call.operation]

    def finish(self, call: Call, outcome: Outcome) -> Answer:
        """Show a replay with 200 and the latest state; put the debug id on every answer."""
        answer = outcome.answer
        body, debug_id = answer.body, secrets.token_hex(7)
        if outcome.replayed and answer.status == 201:
            body = self._latest(answer.subject) if answer.subject else body
            answer = replace(answer, status=200)
        if body is not None and "debug_id" in body:
            body = {**body, "debug_id": debug_id}
        if answer.status < 300 and self._is_minimal(call):
            answer = replace(answer, status=204) if call.operation == "void" else answer
            body = minimal(body or {}) if answer.status != 204 else None
        return replace(answer, body=body, headers={**answer.headers, "PayPal-Debug-Id": debug_id})

    def server_error(self, *, kept: bool) -> Answer:
        """Make a 500; it is never kept, PayPal asks for a retry with the same id."""
        return read.failure(500)

    def rate_limited(self) -> Answer:
        """Make a 429."""
        return read.failure(429)

    def malformed_body(self) -> Answer:
        """Make the answer to a body that is no JSON object."""
        text = "The request JSON is not well formed."
        return read.failure(400, "MALFORMED_REQUEST_JSON", text)

    def in_progress(self) -> Answer:
        """Make the answer to a concurrent duplicate."""
        text = "A previous request on this resource is currently in progress."
        return read.failure(409, "PREVIOUS_REQUEST_IN_PROGRESS", text)

    def falsify(self, node: Json, off_by: int) -> None:
        """Put a money object off."""
        for code in ("currency_code", "currency"):
            if isinstance(node.get(code), str) and isinstance(node.get("value"), str):
                decimals = read.decimals_of(node[code])
                node["value"] = f"{Decimal(node['value']) + Decimal(off_by).scaleb(-decimals):f}"

    def dispute(self, reference: str, reason: str, step: str) -> str:
        """See `world.Face.dispute`; a charge goes by its order or its capture."""
        desk = self._desk(self.world.clock.now())
        found = self.shelf.find(reference, Dispute)
        if found is not None:
            self.commit(disputes.step(found, step, desk))
            return found.id
        order = self.shelf.find(reference, Order)
        capture = self.shelf.find(order.payment if order else reference, Capture)
        if capture is None or capture.status != "COMPLETED":
            raise ValueError("reference: there is no such capture, or it is not completed")
        change = disputes.opened(capture, reason, desk)
        self.commit(change)
        return change.reference

    def approvable(self, reference: str) -> Order | None:
        """Find an order that its buyer can approve; None when it cannot be."""
        order = self.shelf.find(reference, Order)
        is_open = order is not None and order.status in ("CREATED", "PAYER_ACTION_REQUIRED")
        return order if is_open else None

    async def approve(self, order: Order) -> None:
        """Approve an order, as its buyer does."""
        self.commit(orders.approve(order, self._desk(self.world.clock.now())))
        await self.world.record.durable()

    @property
    def _bodies(self) -> Bodies:
        return Bodies(self.world.base_url)

    def _desk(self, now: float) -> Desk:
        return Desk(self._bodies, new_id, now)

    def _find(self, call: Call, kind: type[Found]) -> Found:
        thing = self.shelf.find(call.target, kind)
        if thing is None:
            raise read.not_found()
        return thing

    def _root(self, own: Authorization) -> Authorization:
        return self.shelf.find(own.parent, Authorization) or own

    def _latest(self, reference: str) -> Json:
        thing = self.shelf.find(reference, object)
        if isinstance(thing, Order):
            parts = self.shelf.parts(thing.id)
            kinds = Authorization | Capture | Refund
            return self._bodies.order(thing, [p for p in parts if isinstance(p, kinds)])
        if isinstance(thing, Authorization):
            status = self._root(thing).status
            return self._bodies.payment(replace(thing, status=status))
        if isinstance(thing, Capture | Refund):
            return self._bodies.payment(thing)
        if isinstance(thing, Dispute):
            return disputes.body_of(thing, self._desk(self.world.clock.now()))
        if isinstance(thing, Batch):
            found = (self.shelf.find(each, Item) for each in thing.items)
            items = [item for item in found if item is not None]
            return payouts.batch_body(thing, items, self._bodies)
        if isinstance(thing, Item):
            return payouts.item_body(thing, self._bodies)
        raise read.not_found()

    def _is_minimal(self, call: Call) -> bool:
        can_be = call.operation in ("create", "capture", "void", "reauthorize", "refund")
        return can_be and "return=representation" not in call.prefer


def new_id() -> str:
    """Make an id such as PayPal's."""
    return "".join(secrets.choice(_LETTERS) for _ in range(17))
