"""The events that Stripe would send of a change: docs.stripe.com/api/events/types."""

import secrets
from collections.abc import Iterator
from typing import Any

from devstack.sandbox.jsonwire.messages import Event
from devstack.sandbox.stripe import bodies
from devstack.sandbox.stripe.changes import Answer, Change
from devstack.sandbox.stripe.objects import Dispute, Intent, Refund, Session, Transfer

API_VERSION = "2026-10-28.endive"

_INTENT_TYPES = {
    "requires_action": "payment_intent.requires_action",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "processing": "payment_intent.processing",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
}
_SESSION_TYPES = {
    "complete": "checkout.session.completed",
    "expired": "checkout.session.expired",
}
_REFUND_TYPES = {"failed": "refund.failed"}


def events_of(change: Change, at: float, base_url: str) -> Iterator[Event]:
    """Make the events of a change; a call that brought nothing about has none."""
    if change.kind in ("error", "refused"):
        return
    if change.dispute is not None:
        for each in change.events:
            yield _event(each, change.dispute, at, base_url)
    elif change.transfer is not None:
        for each in change.events:
            yield _event(each, change.transfer, at, base_url)
    elif change.refund is not None:
        kind = _REFUND_TYPES.get(change.refund.status, "refund.updated")
        yield _event(kind, change.refund, at, base_url)
    elif change.intent is not None and (kind := _kind_of(change)):
        yield _event(kind, change.intent, at, base_url)
    if change.session is not None and change.session.status in _SESSION_TYPES:
        yield _event(_SESSION_TYPES[change.session.status], change.session, at, base_url)


def _kind_of(change: Change) -> str:
    if change.kind == "decline":
        return "payment_intent.payment_failed"
    return _INTENT_TYPES.get(change.intent.status, "") if change.intent else ""


def _event(
    kind: str,
    subject: Intent | Refund | Session | Dispute | Transfer,
    at: float,
    base_url: str,
) -> Event:
    body: dict[str, Any] = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": API_VERSION,
        "created": int(at),
        "data": {"object": bodies.body_of(Answer(200, subject), base_url)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return Event("stripe", kind, body, at)
