"""Payment links: made, read, paid on their page, expired. Pure."""

from dataclasses import replace
from datetime import datetime

from devstack.sandbox.adyen import given as read
from devstack.sandbox.adyen import payments
from devstack.sandbox.adyen.notifications import moment
from devstack.sandbox.adyen.things import Link, NewId, Payment
from devstack.sandbox.adyen.tokens import Behaviour
from devstack.sandbox.jsonwire.messages import Answer, Change, Json

_LASTS_S = 86_400.0
_LASTS_MAX_S = 70 * 86_400.0


def create(given: Json, new_id: NewId, now: float, page_url: str) -> Change:
    """Make a link; its page is `page_url` and its id.

    Raises:
        Refused: the request does not validate.
    """
    read.account_of(given)
    read.amount_of(given)
    expires_at = _expiry(given, now)
    link = Link(
        id=f"PL{new_id()}",
        name=read.reference_of(given),
        given=given,
        status="active",
        expires_at=expires_at,
        settles_at=expires_at,
    )
    return _change(link, answer_of(link, page_url, 201))


def update(link: Link, given: Json, page_url: str) -> Change:
    """Expire a link, the only update there is.

    Raises:
        Refused: something else is asked for, or it is not active.
    """
    if given != {"status": "expired"} or link.status != "active":
        raise read.invalid("29_002", "The payment link cannot be updated")
    expired = replace(link, status="expired", settles_at=None)
    return _change(expired, answer_of(expired, page_url))


def settle(link: Link) -> Change:
    """Let a link expire whose time has come."""
    return _change(replace(link, status="expired", settles_at=None))


def pay(link: Link, new_id: NewId, now: float) -> Change:
    """Pay an active link, as its buyer does."""
    given = dict(link.given)
    amount = read.amount_of(given)
    payment = Payment(
        id=new_id(),
        name=link.name,
        account=read.account_of(given),
        amount=amount.value,
        currency=amount.currency,
        token="",
        is_manual=given.get("manualCapture") is True,
        metadata=read.metadata_of(given, link.name),
    )
    charged = payments.decide(payment, Behaviour(), now)
    completed = replace(link, status="completed", settles_at=None)
    return replace(charged, things=(*charged.things, completed))


def answer_of(link: Link, page_url: str, status: int = 200) -> Answer:
    """Make the answer of a link."""
    body = {
        **link.given,
        "id": link.id,
        "status": link.status,
        "url": f"{page_url}{link.id}",
        "expiresAt": moment(link.expires_at),
    }
    return Answer(status, body)


def _change(link: Link, answer: Answer | None = None) -> Change:
    metadata = read.metadata_of(dict(link.given), link.name)
    kind = "created" if link.status == "active" else link.status
    return Change(kind, link.id, link.id, metadata=metadata, answer=answer, things=(link,))


def _expiry(given: Json, now: float) -> float:
    text = read.text_of(given, "expiresAt")
    if not text:
        return now + _LASTS_S
    try:
        expires_at = datetime.fromisoformat(text).timestamp()
    except ValueError:
        expires_at = 0.0
    if not now < expires_at <= now + _LASTS_MAX_S:
        raise read.invalid("29_001", "Invalid value for expiresAt")
    return expires_at
