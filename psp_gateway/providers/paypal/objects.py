"""PayPal's orders and payments, read out of JSON: total over whatever may come.

The names are those of the published Orders v2 and Payments v2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.money import Money
from psp_gateway.providers.paypal import units

_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_WEB_ADDRESSES = ("https://", "http://")  # http for PSPs of tests; PayPal's own are https
# PayPal's names of the way to its page; the first is that of an order with a payment source.
_WAYS = ("payer-action", "approve", "redirect")


@dataclass(frozen=True, slots=True)
class Payment:
    """An authorization, a capture or a refund.

    Attributes:
        amount: the `money` object as it came.
        custom_id: ours, handed down from the order, or a refund's own.
        invoice_id: the capture's or refund's own.
        code: the processor's; else PayPal's reason of the status; else empty.
        advice: the network's advice on trying again.
    """

    id: str
    status: str
    amount: object
    custom_id: str
    invoice_id: str
    code: str
    advice: str
    expires_at: datetime | None
    updated_at: datetime | None

    def is_of(self, money: Money) -> bool:
        """Whether it is of this amount."""
        return units.is_same(self.amount, money)


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its one purchase unit.

    Attributes:
        amount: the unit's `money` object as it came; None when it was left out.
        custom_id: our id of the attempt that made it; empty when it was left out.
        page: where the buyer goes; empty when there is nothing for him to do.
    """

    id: str
    status: str
    intent: str
    amount: object
    custom_id: str
    page: str
    authorizations: tuple[Payment, ...]
    captures: tuple[Payment, ...]
    refunds: tuple[Payment, ...]


def read_order(body: Mapping[str, Any] | None) -> Order | None:
    """Read an order; None when it is none, or not of one purchase unit."""
    body = body or {}
    found = body.get("purchase_units")
    unit = found[0] if isinstance(found, list) and len(found) == 1 else None
    reference = identifier(body)
    if not reference or not isinstance(unit, Mapping):
        return None
    payments = inside(unit, "payments")
    return Order(
        id=reference,
        status=text(body, "status"),
        intent=text(body, "intent"),
        amount=unit.get("amount"),
        custom_id=text(unit, "custom_id"),
        page=page_of(body),
        authorizations=_payments(payments, "authorizations"),
        captures=_payments(payments, "captures"),
        refunds=_payments(payments, "refunds"),
    )


def read_payment(body: Mapping[str, Any] | None) -> Payment | None:
    """Read an authorization, capture or refund; None when it has no id."""
    body = body or {}
    reference = identifier(body)
    if not reference:
        return None
    processor = inside(body, "processor_response")
    return Payment(
        id=reference,
        status=text(body, "status"),
        amount=body.get("amount"),
        custom_id=text(body, "custom_id"),
        invoice_id=text(body, "invoice_id"),
        code=text(processor, "response_code") or text(inside(body, "status_details"), "reason"),
        advice=text(processor, "payment_advice_code"),
        expires_at=_moment(text(body, "expiration_time")),
        updated_at=_moment(text(body, "update_time")),
    )


def page_of(body: Mapping[str, Any]) -> str:
    """Read where the buyer goes, of an order or of an error; empty when it is not said."""
    found = body.get("links")
    links = [link for link in found if isinstance(link, dict)] if isinstance(found, list) else []
    for way in _WAYS:
        for link in links:
            url = text(link, "href", longest=2048)
            if link.get("rel") == way and url.startswith(_WEB_ADDRESSES):
                return url
    return ""


def identifier(body: Mapping[str, Any]) -> str:
    """Read an id of PayPal's, which goes into paths; empty when it could not be one."""
    found = text(body, "id")
    return found if _ID.fullmatch(found) else ""


def inside(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Read an object; empty when it is none."""
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def text(found: Mapping[str, Any], name: str, *, longest: int = 255) -> str:
    """Read a text of PayPal's; anything else, or a text that is out of all bounds, reads empty."""
    value = found.get(name)
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        return ""
    return value


def _payments(payments: Mapping[str, Any], name: str) -> tuple[Payment, ...]:
    """Read a list of payments; one that cannot be read is there, and nameless."""
    found = payments.get(name)
    bodies = found if isinstance(found, list) else []
    read = (read_payment(body) if isinstance(body, dict) else None for body in bodies)
    return tuple(payment or _NAMELESS for payment in read)


def _moment(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


_NAMELESS = Payment("", "", None, "", "", "", "", None, None)
