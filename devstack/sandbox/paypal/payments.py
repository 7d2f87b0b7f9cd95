"""What is done to authorizations and captures later: capture, void, reauthorize, refund. Pure."""

from dataclasses import replace

from devstack.sandbox.jsonwire.messages import Answer, Change, Json
from devstack.sandbox.paypal import given as read
from devstack.sandbox.paypal.orders import AUTHORIZED_S, Desk, payment_change
from devstack.sandbox.paypal.things import Authorization, Capture, Refund
from devstack.sandbox.paypal.tokens import (
    CAPTURE_REFUSED,
    PENDING_S,
    REFUND_FAILS,
    REFUND_PENDING,
    REFUND_REFUSED,
)

# Of `reauthorize_request`: after the honor period of three days, once, until day 29.
_HONORED_S = 3 * 86_400.0
# Of MAX_CAPTURE_AMOUNT_EXCEEDED: the sum of all captures may be up to 115 % of the order.
_OVERAGE_PERCENT = 115
_FAILS_S = 3 * 86_400.0


def capture(own: Authorization, root: Authorization, given: Json, desk: Desk) -> Change:
    """Take held money, or part of it.

    Args:
        own: the authorization that is named.
        root: where its money is counted: itself, or the one it was reauthorized from.
        given: the request.
        desk: what to work with.

    Raises:
        Refused: nothing is held, or less, or in another currency.
    """
    _check_open(own, root)
    amount = read.part_of(given, read.Amount(root.amount - root.captured, root.currency))
    if amount.currency != root.currency:
        text = "Currency of capture must be the same as currency of authorization."
        raise read.refused("AUTH_CAPTURE_CURRENCY_MISMATCH", text)
    captured = root.captured + amount.value
    if captured * 100 > root.amount * _OVERAGE_PERCENT:
        text = "Capture amount exceeds allowable limit."
        raise read.refused("MAX_CAPTURE_AMOUNT_EXCEEDED", text)
    if root.token == CAPTURE_REFUSED:
        text = "PayPal's internal controls prevent authorization from being captured."
        raise read.refused("TRANSACTION_REFUSED", text)
    is_final = given.get("final_capture") is True
    is_done = is_final or captured >= root.amount
    left = replace(
        root,
        captured=captured,
        status="CAPTURED" if is_done else "PARTIALLY_CAPTURED",
        settles_at=None if is_done else root.settles_at,
    )
    taken = Capture(
        id=desk.new_id(),
        order=root.order,
        amount=amount.value,
        currency=root.currency,
        created=desk.now,
        unit={**root.unit, **read.texts_of(given, "invoice_id")},
        token=root.token,
        authorization=own.id,
        is_final=is_final,
    )
    change = payment_change("capture", taken, desk)
    answer = Answer(201, desk.bodies.payment(taken), subject=taken.id)
    return replace(change, answer=answer, things=(left, taken))


def void(authorization: Authorization, desk: Desk) -> Change:
    """Let go of held money.

    Raises:
        Refused: it was taken, or let go of before, or this is a reauthorization.
    """
    if authorization.parent:
        text = "A reauthorization cannot be voided. Please void the original parent authorization."
        raise read.refused("CANNOT_BE_VOIDED", text)
    if authorization.status == "VOIDED":
        text = "Authorization has been previously voided and hence cannot be voided again."
        raise read.refused("PREVIOUSLY_VOIDED", text)
    if authorization.status == "DENIED":
        raise read.refused("AUTHORIZATION_DENIED", "A denied authorization cannot be voided.")
    if authorization.status not in ("CREATED", "PARTIALLY_CAPTURED"):
        text = "Authorization has been previously captured and hence cannot be voided."
        raise read.refused("PREVIOUSLY_CAPTURED", text)
    change = _let_go(authorization, desk)
    [voided] = [thing for thing in change.things if isinstance(thing, Authorization)]
    answer = Answer(200, desk.bodies.payment(voided), subject=voided.id)
    return replace(change, answer=answer)


def expire(authorization: Authorization, desk: Desk) -> Change:
    """Let go of what was held for too long; what was captured of it stays so."""
    if authorization.parent:
        lapsed = replace(authorization, settles_at=None, is_expired=True)
        return Change("expired", lapsed.id, lapsed.order, things=(lapsed,))
    return _let_go(replace(authorization, is_expired=True), desk)


def reauthorize(own: Authorization, root: Authorization, given: Json, desk: Desk) -> Change:
    """Hold the money anew, once, from day four on.

    Raises:
        Refused: it is too soon, or was done before, or nothing is held.
    """
    _check_open(own, root)
    amount = read.part_of(given, read.Amount(root.amount, root.currency))
    is_soon = desk.now - own.created < _HONORED_S
    if own.parent or own.is_reauthorized or is_soon or amount.value != root.amount:
        text = "A reauthorize cannot be attempted on this authorization."
        raise read.refused("REAUTHORIZATION_NOT_SUPPORTED", text)
    marked = replace(own, is_reauthorized=True, settles_at=desk.now + AUTHORIZED_S)
    anew = replace(own, id=desk.new_id(), parent=own.id, created=desk.now)
    anew = replace(anew, settles_at=marked.settles_at)
    change = payment_change("reauthorized", anew, desk)
    answer = Answer(201, desk.bodies.payment(anew), subject=anew.id)
    return replace(change, amount=0, answer=answer, things=(marked, anew))


def refund(taken: Capture, given: Json, desk: Desk, *, over_refund: bool) -> Change:
    """Give money back.

    Raises:
        Refused: less was taken, or it is undecided, or in another currency.
    """
    if taken.status == "PENDING":
        raise read.refused("PENDING_CAPTURE", "Cannot initiate a refund as the capture is pending.")
    if taken.status == "DECLINED" or taken.token == REFUND_REFUSED:
        raise read.refused("REFUND_NOT_ALLOWED", "Capture cannot be refunded.")
    left = taken.amount - taken.refunded
    if left <= 0 and not over_refund:
        raise read.refused("CAPTURE_FULLY_REFUNDED", "The capture has already been fully refunded")
    amount = read.part_of(given, read.Amount(left, taken.currency))
    if amount.currency != taken.currency:
        text = "Refund must be in the same currency as the capture"
        raise read.refused("REFUND_CAPTURE_CURRENCY_MISMATCH", text)
    if amount.value > left and not over_refund:
        text = "The refund amount must be less than or equal to the capture amount that has not "
        raise read.refused("REFUND_AMOUNT_EXCEEDED", f"{text}yet been refunded.")
    waits = {REFUND_PENDING: PENDING_S, REFUND_FAILS: _FAILS_S}.get(taken.token)
    given_back = Refund(
        id=desk.new_id(),
        capture=taken.id,
        order=taken.order,
        amount=amount.value,
        currency=amount.currency,
        created=desk.now,
        unit={**taken.unit, **read.texts_of(given, "custom_id", "invoice_id")},
        status="COMPLETED" if waits is None else "PENDING",
        settles_at=None if waits is None else desk.now + waits,
    )
    answer = Answer(201, desk.bodies.payment(given_back), subject=given_back.id)
    change = _refund_change("refund", given_back, _refunded(taken, amount.value), desk)
    return replace(change, answer=answer)


def settle_refund(given_back: Refund, taken: Capture, desk: Desk) -> Change:
    """Decide a pending refund: it arrives, or it fails and the money is the shop's again."""
    if taken.token != REFUND_FAILS:
        done = replace(given_back, status="COMPLETED", settles_at=None)
        return replace(_refund_change("refund_settled", done, taken, desk), amount=0)
    failed = replace(given_back, status="FAILED", settles_at=None)
    before = _refunded(taken, -given_back.amount)
    return _refund_change("refund_failed", failed, before, desk)


def _check_open(own: Authorization, root: Authorization) -> None:
    if own.is_expired or root.is_expired:
        text = "An expired authorization cannot be captured."
        raise read.refused("AUTHORIZATION_EXPIRED", text)
    if root.status == "VOIDED":
        text = "A voided authorization cannot be captured or reauthorized."
        raise read.refused("AUTHORIZATION_VOIDED", text)
    if root.status == "DENIED":
        text = "A denied authorization cannot be captured."
        raise read.refused("AUTHORIZATION_DENIED", text)
    if root.status == "CAPTURED":
        text = "Authorization has previously been captured."
        raise read.refused("AUTHORIZATION_ALREADY_CAPTURED", text)


def _let_go(authorization: Authorization, desk: Desk) -> Change:
    rest = authorization.amount - authorization.captured
    status = "CAPTURED" if authorization.captured else "VOIDED"
    voided = replace(authorization, status=status, settles_at=None)
    return replace(payment_change("void", voided, desk), amount=rest)


def _refunded(taken: Capture, amount: int) -> Capture:
    refunded = taken.refunded + amount
    status = "REFUNDED" if refunded >= taken.amount else "PARTIALLY_REFUNDED"
    return replace(taken, refunded=refunded, status=status if refunded else "COMPLETED")


def _refund_change(kind: str, given_back: Refund, taken: Capture, desk: Desk) -> Change:
    name = "PAYMENT.REFUND.FAILED" if kind == "refund_failed" else "PAYMENT.CAPTURE.REFUNDED"
    is_told = given_back.status != "PENDING"
    event = desk.bodies.event(name, given_back, desk.new_id(), desk.now)
    return Change(
        kind=kind,
        reference=given_back.id,
        payment_reference=given_back.order,
        amount=given_back.amount,
        currency=given_back.currency,
        metadata=read.ids_of(given_back.unit),
        things=(taken, given_back),
        events=((name, event),) if is_told else (),
    )
