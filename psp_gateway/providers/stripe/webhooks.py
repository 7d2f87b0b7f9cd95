"""Stripe's webhooks: `Stripe-Signature` over the raw body, and what the events are about.

Source: docs.stripe.com/webhooks and docs.stripe.com/api/events/types. Events are nudges: Stripe can
be asked, so nothing of them is believed but which object they are about.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import PspEvent, Subject

_ATTEMPT = re.compile(r"att_[0-9a-z]{1,60}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_TEXT_MAX = 255

# By how the type begins, the longer ones first; what is not here is of no consequence.
_SUBJECTS = (
    ("charge.dispute.", Subject.DISPUTE),
    ("charge.refund", Subject.REFUND),
    ("refund.", Subject.REFUND),
    ("payment_intent.", Subject.CHARGE),
    ("charge.", Subject.CHARGE),
    ("payout.reconciliation_completed", Subject.REPORT),
    ("payout.", Subject.PAYOUT),
    ("checkout.session.", Subject.PAGE),
    ("reporting.", Subject.REPORT),
)


class StripeWebhooks:
    """`ports.Webhooks` of Stripe.

    Args:
        secrets: of the endpoint, `whsec_…`; several while one is rotated.
        tolerance_s: how far the signature's time may be from ours, in seconds.
    """

    def __init__(self, secrets: Sequence[str], tolerance_s: float = 300.0) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._tolerance_s = tolerance_s

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Sequence[PspEvent]:
        """See `ports.Webhooks.read_webhook`."""
        self._verify(headers.get("stripe-signature", ""), body, now)
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise UnreadableWebhook("it is no JSON") from error
        return [_event(content)]

    def _verify(self, header: str, body: bytes, now: datetime) -> None:
        parts = [part.partition("=") for part in header.split(",")]
        times = [value.strip() for name, _, value in parts if name.strip() == "t"]
        given = [value.strip() for name, _, value in parts if name.strip() == "v1"]
        given = [signature for signature in given if _SIGNATURE.fullmatch(signature)]
        if len(times) != 1 or not _TIME.fullmatch(times[0]) or not given:
            raise BadSignature("the header is not t=…,v1=…")
        signed = times[0].encode() + b"." + body
        expected = [hmac.new(key, signed, hashlib.sha256).hexdigest() for key in self._secrets]
        # Each is compared with each, whatever matched before.
        matches = [hmac.compare_digest(one, two) for one in expected for two in given]
        if not any(matches):
            raise BadSignature("no signature is right")
        if abs(now.timestamp() - int(times[0])) > self._tolerance_s:
            raise BadSignature("it was signed too long ago, or not yet")


def _event(content: Any) -> PspEvent:
    object_ = _at(content, "data", "object")
    event_id, kind = _text(content, "id"), _text(content, "type")
    if not (event_id and kind and isinstance(object_, dict)):
        raise UnreadableWebhook("it is no event")
    subject = next((what for start, what in _SUBJECTS if kind.startswith(start)), Subject.OTHER)
    intent, own = _id(object_.get("payment_intent")), _text(object_, "id")
    is_charge = subject is Subject.CHARGE
    attempt_id = _text(object_.get("metadata"), "attempt_id")
    return PspEvent(
        psp="stripe",
        event_id=event_id,
        event_type=kind,
        subject=subject,
        # A PaymentIntent is what we know a charge by.
        reference=intent if is_charge and not kind.startswith("payment_intent.") else own,
        charge_reference="" if is_charge else intent,
        attempt_id=attempt_id if _ATTEMPT.fullmatch(attempt_id) else "",
        occurred_at=_moment(content.get("created")),
    )


def _at(content: Any, *path: str) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _id(value: Any) -> str:
    """Read a reference, which may be expanded to the object."""
    return _text(value, "id") if isinstance(value, dict) else _text({"id": value}, "id")


def _text(content: Any, name: str) -> str:
    value = content.get(name) if isinstance(content, dict) else None
    is_text = isinstance(value, str) and len(value) <= _TEXT_MAX and value.isprintable()
    return value if is_text and isinstance(value, str) and value.isascii() else ""


def _moment(value: Any) -> datetime | None:
    is_time = type(value) is int and 0 <= value < 2**33
    return datetime.fromtimestamp(value, UTC) if is_time else None
