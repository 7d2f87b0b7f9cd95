"""The order's state machine: created, approved by its buyer, captured or authorized. Pure."""

from dataclasses import dataclass, replace

from devstack.sandbox.jsonwire.messages import Answer, Change, Json
from devstack.sandbox.paypal import given as read
from devstack.sandbox.paypal.bodies import Bodies, text_in
from devstack.sandbox.paypal.things import Authorization, Capture, NewId, Order
from devstack.sandbox.paypal.tokens import (
    ACTION_REQUIRED,
    DECLINES,
    PENDING_S,
    Behaviour,
    behaviour_of,
)

# developer.paypal.com/docs/checkout/standard/customize/authorization: valid for 29 days.
AUTHORIZED_S = 29 * 86_400.0
_SOURCES = ("card", "paypal", "token")
_NOT_APPROVED = (
    "Payer has not yet approved the Order for payment. Please redirect the payer to the "
    "'rel':'approve' url returned as part of the HATEOAS links within the Create Order call or "
    "provide a valid `payment_source` in the request."
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a call works with: how objects are written, new ids, the sandbox's Unix time."""

    bodies: Bodies
    new_id: NewId
    now: float


def create(given: Json, desk: Desk, *, has_key: bool) -> Change:
    """Make an order; one with a vaulted source is paid at once.

    Raises:
        Refused: the request does not validate.
    """
    if given.get("intent") not in ("CAPTURE", "AUTHORIZE"):
        raise read.missing("/intent")
    unit = _unit_of(given)
    field = "/purchase_units/@reference_id=='default'/amount"
    amount = read.amount_of(read.object_of(unit.get("amount"), field), field)
    source, token = _source_of(given)
    texts = read.texts_of(unit, "reference_id", "custom_id", "invoice_id")
    order = Order(
        id=desk.new_id(),
        name=texts.get("custom_id", ""),
        intent=given["intent"],
        amount=amount.value,
        currency=amount.currency,
        created=desk.now,
        unit=texts,
        source=source,
        token=token,
        return_url=_url_of(given, source, "return_url"),
        cancel_url=_url_of(given, source, "cancel_url"),
    )
    if token and not has_key:
        text = "A PayPal-Request-Id is required if you are trying to process payment for an Order."
        raise read.refused("PAYPAL_REQUEST_ID_REQUIRED", text, status=400)
    if token and token != ACTION_REQUIRED:
        return _paid(order, desk, is_new=True)
    if source:
        order = replace(order, status="PAYER_ACTION_REQUIRED")
    answer = Answer(201, desk.bodies.order(order, ()), subject=order.id)
    return _change("created", order, answer)


def approve(order: Order, desk: Desk) -> Change:
    """Let the buyer agree; nothing is charged before the shop asks for it."""
    approved = replace(order, status="APPROVED", source=order.source or "paypal")
    if approved.token == ACTION_REQUIRED:
        approved = replace(approved, token="")
    name = "CHECKOUT.ORDER.APPROVED"
    event = desk.bodies.event(name, approved, desk.new_id(), desk.now)
    return replace(_change("approved", approved, None), events=((name, event),))


def pay(order: Order, verb: str, given: Json, desk: Desk) -> Change:
    """Capture or authorize an order; a decline is a change too, answered 422.

    Args:
        order: as it stands.
        verb: CAPTURE or AUTHORIZE.
        given: the request, whose `payment_source` takes the place of the order's.
        desk: what to work with.

    Raises:
        Refused: its intent or status forbids it.
    """
    if order.intent != verb:
        text = f"Order was created with an intent to '{order.intent}'."
        raise read.refused("ACTION_DOES_NOT_MATCH_INTENT", text)
    if order.status == "COMPLETED":
        done = "CAPTURED" if verb == "CAPTURE" else "AUTHORIZED"
        raise read.refused(f"ORDER_ALREADY_{done}", f"Order already {done.lower()}.")
    source, token = _source_of(given)
    if token:
        order = replace(order, source=source, token=token)
    if order.token == ACTION_REQUIRED and order.status != "APPROVED":
        waiting = replace(order, status="PAYER_ACTION_REQUIRED")
        text = "Transaction cannot complete successfully, instruct the buyer to return to PayPal."
        links = (desk.bodies.payer_action(waiting),)
        answer = read.failure(422, "PAYER_ACTION_REQUIRED", text, links=links)
        return replace(_change("action_required", waiting, answer), is_kept=False)
    if order.status != "APPROVED" and not order.token:
        raise read.refused("ORDER_NOT_APPROVED", _NOT_APPROVED)
    return _paid(order, desk, is_new=False)


def settle(capture: Capture, desk: Desk) -> Change:
    """Decide a pending capture."""
    denied = behaviour_of(capture.token).is_denied
    status = "DECLINED" if denied else "COMPLETED"
    decided = replace(capture, status=status, reason="", settles_at=None)
    kind = "decline" if denied else "capture" if capture.authorization else "charge"
    return payment_change(kind, decided, desk)


def payment_change(kind: str, payment: Authorization | Capture, desk: Desk) -> Change:
    """Make the change of a capture or authorization, with its webhook; a denial has none."""
    name = _event_of(payment)
    event = desk.bodies.event(name, payment, desk.new_id(), desk.now)
    return Change(
        kind=kind,
        reference=payment.id,
        payment_reference=payment.order,
        amount=0 if kind == "processing" else payment.amount,
        currency=payment.currency,
        metadata=read.ids_of(payment.unit),
        things=(payment,),
        events=((name, event),) if name else (),
    )


def _paid(order: Order, desk: Desk, *, is_new: bool) -> Change:
    behaviour = behaviour_of(order.token)
    if behaviour.issue:
        answer = read.failure(422, behaviour.issue, DECLINES[behaviour.issue])
        amount, currency, ids = order.amount, order.currency, read.ids_of(order.unit)
        # A new order that is declined at once was never made.
        things = () if is_new else (replace(order, token=""),)
        return Change("decline", order.id, order.id, amount, currency, ids, answer, things=things)
    is_hold = order.intent == "AUTHORIZE"
    payment = _authorized(order, behaviour, desk) if is_hold else _captured(order, behaviour, desk)
    completed = replace(order, status="COMPLETED", payment=payment.id)
    change = payment_change(_kind_of(payment), payment, desk)
    answer = Answer(201, desk.bodies.order(completed, [payment]), subject=order.id)
    return replace(change, answer=answer, things=(completed, payment))


def _captured(order: Order, behaviour: Behaviour, desk: Desk) -> Capture:
    capture = Capture(
        id=desk.new_id(),
        order=order.id,
        amount=order.amount,
        currency=order.currency,
        created=desk.now,
        unit=order.unit,
        token=order.token,
        response_code=behaviour.response_code or ("0000" if order.source == "card" else ""),
        status="DECLINED" if behaviour.response_code else "COMPLETED",
    )
    if behaviour.is_pending:
        settles_at = desk.now + PENDING_S
        return replace(capture, status="PENDING", reason="PENDING_REVIEW", settles_at=settles_at)
    return capture


def _authorized(order: Order, behaviour: Behaviour, desk: Desk) -> Authorization:
    is_denied = bool(behaviour.response_code)
    return Authorization(
        id=desk.new_id(),
        order=order.id,
        amount=order.amount,
        currency=order.currency,
        created=desk.now,
        unit=order.unit,
        token=order.token,
        response_code=behaviour.response_code or ("0000" if order.source == "card" else ""),
        status="DENIED" if is_denied else "CREATED",
        settles_at=None if is_denied else desk.now + AUTHORIZED_S,
    )


def _kind_of(payment: Authorization | Capture) -> str:
    kinds = {"CREATED": "authorization", "COMPLETED": "charge", "PENDING": "processing"}
    return kinds.get(payment.status, "decline")


def _event_of(payment: Authorization | Capture) -> str:
    if isinstance(payment, Authorization):
        if payment.status == "DENIED":
            return ""
        return "PAYMENT.AUTHORIZATION." + ("CREATED" if payment.status == "CREATED" else "VOIDED")
    status = "DENIED" if payment.status == "DECLINED" else payment.status
    return f"PAYMENT.CAPTURE.{status}"


def _change(kind: str, order: Order, answer: Answer | None) -> Change:
    ids = read.ids_of(order.unit)
    return Change(kind, order.id, order.id, metadata=ids, answer=answer, things=(order,))


def _unit_of(given: Json) -> Json:
    units = given.get("purchase_units")
    if not isinstance(units, list) or not units:
        raise read.missing("/purchase_units")
    if len(units) > 1:
        text = "The sandbox takes one purchase unit."
        raise read.refused("NOT_SUPPORTED", text, "/purchase_units", 400)
    return read.object_of(units[0], "/purchase_units/0")


def _source_of(given: Json) -> tuple[str, str]:
    """Read which source pays and its vault id: both "" without, the latter for a new source."""
    sources = given.get("payment_source")
    if sources is None:
        return "", ""
    [(name, fields)] = [*read.object_of(sources, "/payment_source").items()][:1] or [("", None)]
    if name not in _SOURCES or not isinstance(fields, dict):
        text = "The sandbox takes card, paypal and token."
        raise read.refused("NOT_SUPPORTED", text, "/payment_source", 400)
    return name, text_in(fields, "id" if name == "token" else "vault_id")


def _url_of(given: Json, source: str, name: str) -> str:
    own = text_in(given, "payment_source", source, "experience_context", name)
    return own or text_in(given, "application_context", name)
