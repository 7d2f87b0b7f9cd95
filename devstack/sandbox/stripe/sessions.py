"""Checkout Sessions: docs.stripe.com/api/checkout/sessions; each call as (session, request, ids,
now) → change. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from devstack.sandbox.stripe import payment_intents
from devstack.sandbox.stripe.attempts import NewId
from devstack.sandbox.stripe.changes import Change, of_session
from devstack.sandbox.stripe.currencies import check_amount, checked_currency
from devstack.sandbox.stripe.errors import StripeError, invalid
from devstack.sandbox.stripe.form import Tree
from devstack.sandbox.stripe.objects import Intent, Session
from devstack.sandbox.stripe.parameters import Parameters
from devstack.sandbox.stripe.requests import ConfirmRequest, CreateRequest, read_several

# How long a page may be open: half an hour to a day.
_LIFE_MIN_S, _LIFE_MAX_S = 1_800, 86_400
_PAID = ("succeeded", "requires_capture", "processing")


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A page to be made."""

    amount: int
    currency: str
    name: str
    success_url: str
    cancel_url: str | None
    expires_at: int
    metadata: Mapping[str, str]
    intent_metadata: Mapping[str, str]
    capture_method: str
    wants_several: bool
    client_reference_id: str | None
    customer_email: str | None
    locale: str | None


def read_create(given: Parameters, now: float) -> SessionRequest:
    """Read `POST /v1/checkout/sessions`.

    Raises:
        StripeError: a parameter is wrong, missing or unknown.
    """
    if given.one_of("mode", ("payment", "setup", "subscription")) != "payment":
        raise invalid("The sandbox has mode=payment alone.", param="mode")
    amount, currency, name = _line_item(given)
    intent_data = given.branch("payment_intent_data", {"capture_method", "metadata", "description"})
    expires_at = given.optional_integer("expires_at") or int(now) + _LIFE_MAX_S
    if not _LIFE_MIN_S <= expires_at - int(now) <= _LIFE_MAX_S:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from"
            " Checkout Session creation.",
            param="expires_at",
        )
    return SessionRequest(
        amount=amount,
        currency=currency,
        name=name,
        success_url=given.required("success_url"),
        cancel_url=given.text("cancel_url"),
        expires_at=expires_at,
        metadata=given.metadata(),
        intent_metadata={k: str(v) for k, v in _branch(intent_data, "metadata").items()},
        capture_method=_text(intent_data, "capture_method") or "automatic",
        wants_several=read_several(given),
        client_reference_id=given.text("client_reference_id"),
        customer_email=given.text("customer_email"),
        locale=given.text("locale"),
    )


def create(request: SessionRequest, new_id: NewId, now: float) -> Change:
    """Make a page that is open."""
    return of_session(
        "session",
        Session(
            id=new_id("cs_test_"),
            amount=request.amount,
            currency=request.currency,
            status="open",
            created=int(now),
            expires_at=request.expires_at,
            success_url=request.success_url,
            cancel_url=request.cancel_url,
            name=request.name,
            metadata=request.metadata,
            intent_metadata=request.intent_metadata,
            capture_method=request.capture_method,
            wants_several=request.wants_several,
            client_reference_id=request.client_reference_id,
            customer_email=request.customer_email,
            locale=request.locale,
            settles_at=float(request.expires_at),
        ),
    )


def expire(session: Session) -> Change:
    """Close a page.

    Raises:
        StripeError: it is over already.
    """
    if session.status != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session'
        )
        raise StripeError(
            400, "invalid_request_error", f"{message} has a status of `{session.status}`.",
            executed=True,
        )  # fmt: skip
    return of_session("session_expired", replace(session, status="expired", settles_at=None))


def pay(
    session: Session, intent: Intent | None, token: str, page_url: str, new_id: NewId, now: float
) -> Change:
    """Try to pay on a page that is open; a decline leaves it open.

    Args:
        session: open.
        intent: that of an earlier try; None before the first.
        token: what the buyer chose.
        page_url: where he comes back to from 3-D Secure.
        new_id: makes ids.
        now: Unix seconds.
    """
    how = ConfirmRequest(payment_method=token, return_url=page_url)
    if intent is None:
        change = payment_intents.create(_intent_of(session, how), new_id, now)
    else:
        change = payment_intents.confirm(intent, how, new_id, now)
    return with_session(change, session)


def with_session(change: Change, session: Session) -> Change:
    """Take the page of an intent along: it is complete once that is paid."""
    if change.intent is None:
        return change
    is_paid = change.intent.status in _PAID
    after = replace(
        session,
        payment_intent=change.intent.id,
        status="complete" if is_paid else session.status,
        settles_at=None if is_paid else session.settles_at,
    )
    return replace(change, session=after)


def _intent_of(session: Session, how: ConfirmRequest) -> CreateRequest:
    return CreateRequest(
        amount=session.amount,
        currency=session.currency,
        how=replace(
            how, capture_method=session.capture_method, wants_several=session.wants_several
        ),
        confirm=True,
        metadata=session.intent_metadata,
        payment_method_types=("card",),
        automatic_methods=False,
        confirmation_method="automatic",
        customer=None,
    )


def _line_item(given: Parameters) -> tuple[int, str, str]:
    """Read the one line: amount in all, currency, name."""
    items = given.branch("line_items", {"0"})
    item = _branch(items, "0")
    price = _branch(item, "price_data")
    numbers = {"quantity": _text(item, "quantity"), "unit_amount": _text(price, "unit_amount")}
    for param, value in numbers.items():
        if not (value or "").isdigit():
            raise invalid(f"Invalid integer: {value}", param=f"line_items[0][{param}]")
    currency = checked_currency(_text(price, "currency") or "")
    amount = int(_text(price, "unit_amount") or 0) * int(_text(item, "quantity") or 0)
    check_amount(amount, currency)
    name = _text(_branch(price, "product_data"), "name")
    if not name:
        message = "Missing required param: line_items[0][price_data][product_data][name]."
        raise invalid(message, code="parameter_missing")
    return amount, currency, name


def _branch(tree: Tree, name: str) -> Tree:
    value = tree.get(name)
    return value if isinstance(value, dict) else {}


def _text(tree: Tree, name: str) -> str | None:
    value = tree.get(name)
    return value if isinstance(value, str) and value else None
