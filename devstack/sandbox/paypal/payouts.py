"""Payouts: a batch is taken in, its items are paid a little later. Pure.

The receiver selects what becomes of an item: `failed@…`, `unclaimed@…` (returned 30 days later),
`returned@…`; any other is paid.
"""

from collections.abc import Sequence
from dataclasses import replace

from devstack.sandbox.jsonwire.messages import Answer, Change, Json, Refused
from devstack.sandbox.paypal import given as read
from devstack.sandbox.paypal.bodies import Bodies, moment, text_in
from devstack.sandbox.paypal.orders import Desk
from devstack.sandbox.paypal.things import Batch, Item

# Of `payout_sender_batch_header`: an id is not taken twice in so long.
BATCH_ID_S = 30 * 86_400.0
_SETTLES_S = 1.0
_RETURNED_S = {"unclaimed": 30 * 86_400.0, "returned": 86_400.0}
_EVENTS = {"SUCCESS": "SUCCEEDED", "RETURNED": "RETURNED", "FAILED": "FAILED"}


def create(given: Json, earlier: Sequence[Batch], desk: Desk) -> Change:
    """Take a batch in.

    Args:
        given: the request.
        earlier: the batches of the same sender_batch_id.
        desk: what to work with.

    Raises:
        Refused: it does not validate, or its sender_batch_id was used in the last 30 days.
    """
    header = read.object_of(given.get("sender_batch_header"), "/sender_batch_header")
    for batch in earlier:
        if desk.now - batch.created < BATCH_ID_S:
            raise _duplicate(batch, desk.bodies)
    items = given.get("items")
    if not isinstance(items, list) or not items:
        raise read.missing("/items")
    batch_id, name = desk.new_id(), batch_name_in(given)
    made = [
        _item(read.object_of(item, f"/items/{place}"), place, batch_id, name, desk)
        for place, item in enumerate(items)
    ]
    batch = Batch(batch_id, name, desk.now, header, [item.id for item in made])
    body = {"batch_header": _header(batch, "PENDING"), "links": [_self(batch, desk.bodies)]}
    return Change(
        "payout_received",
        batch.id,
        batch.id,
        metadata={"sender_batch_id": name} if name else {},
        answer=Answer(201, body),
        things=(batch, *made),
    )


def settle(item: Item, desk: Desk) -> Change:
    """Pay an item, or not; let one come back."""
    outcome = text_in(item.given, "receiver").partition("@")[0]
    if item.status in ("SUCCESS", "UNCLAIMED"):
        return _change("payout_failed", replace(item, status="RETURNED", settles_at=None), desk)
    if outcome == "failed":
        return _change("refused", replace(item, status="FAILED", settles_at=None), desk)
    wait = _RETURNED_S.get(outcome)
    paid = replace(
        item,
        status="UNCLAIMED" if outcome == "unclaimed" else "SUCCESS",
        settles_at=None if wait is None else desk.now + wait,
    )
    return _change("payout", paid, desk)


def batch_body(batch: Batch, items: Sequence[Item], bodies: Bodies) -> Json:
    """Write a batch and its items."""
    is_open = any(item.status == "PENDING" for item in items)
    return {
        "batch_header": _header(batch, "PENDING" if is_open else "SUCCESS"),
        "total_items": len(items),
        "total_pages": 1,
        "items": [item_body(item, bodies) for item in items],
        "links": [_self(batch, bodies)],
    }


def item_body(item: Item, bodies: Bodies) -> Json:
    """Write an item."""
    body: Json = {
        "payout_item_id": item.id,
        "transaction_status": item.status,
        "payout_batch_id": item.batch,
        "sender_batch_id": item.batch_name,
        "payout_item": item.given,
        "links": [
            bodies.link("self", f"/v1/payments/payouts-item/{item.id}"),
            bodies.link("batch", f"/v1/payments/payouts/{item.batch}"),
        ],
    }
    if item.status == "FAILED":
        body["errors"] = {
            "name": "RECEIVER_ACCOUNT_LOCKED",
            "message": "Receiver is locked or inactive",
            "debug_id": item.id,
        }
    return body


def batch_name_in(given: Json) -> str:
    """Read the sender_batch_id; "" without."""
    return text_in(given, "sender_batch_header", "sender_batch_id")


def _item(given: Json, place: int, batch: str, batch_name: str, desk: Desk) -> Item:
    field = f"/items/{place}/amount"
    amount = read.amount_of(read.object_of(given.get("amount"), field), field, "currency")
    if not text_in(given, "receiver"):
        raise read.missing(f"/items/{place}/receiver")
    return Item(
        id=desk.new_id(),
        batch=batch,
        batch_name=batch_name,
        amount=amount.value,
        currency=amount.currency,
        given=given,
        settles_at=desk.now + _SETTLES_S,
    )


def _change(kind: str, item: Item, desk: Desk) -> Change:
    name = f"PAYMENT.PAYOUTS-ITEM.{_EVENTS.get(item.status, item.status)}"
    reference = text_in(item.given, "sender_item_id")
    event = {
        "id": f"WH-{desk.new_id()}",
        "event_version": "1.0",
        "create_time": moment(desk.now),
        "resource_type": "payouts_item",
        "event_type": name,
        "summary": name.replace(".", " ").capitalize(),
        "resource": item_body(item, desk.bodies),
        "links": [],
    }
    return Change(
        kind=kind,
        reference=item.id,
        payment_reference=item.batch,
        amount=0 if kind == "refused" else item.amount,
        currency=item.currency,
        metadata={
            "sender_batch_id": item.batch_name,
            **({"attempt_id": reference} if reference else {}),
        },
        things=(item,),
        events=((name, event),),
    )


def _header(batch: Batch, status: str) -> Json:
    return {
        "payout_batch_id": batch.id,
        "batch_status": status,
        "time_created": moment(batch.created),
        "sender_batch_header": batch.header,
    }


def _self(batch: Batch, bodies: Bodies) -> Json:
    return bodies.link("self", f"/v1/payments/payouts/{batch.id}")


def _duplicate(batch: Batch, bodies: Bodies) -> Refused:
    body: Json = {
        "name": "USER_BUSINESS_ERROR",
        "message": "User business error.",
        "debug_id": "",
        "details": [
            {
                "field": "SENDER_BATCH_ID",
                "location": "body",
                "issue": "Batch with given sender_batch_id already exists",
            }
        ],
        "links": [_self(batch, bodies)],
    }
    return Refused(Answer(400, body))
