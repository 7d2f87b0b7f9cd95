"""Stripe's webhooks: docs.stripe.com/webhooks and docs.stripe.com/api/events/types.

An event only tells to ask Stripe again: none carries a verdict, and so it does not matter in which
order they come, or that the object in them may be older than what Stripe has by now.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from psp_gateway.domain.errors import BadSignature
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.stripe.provider import NAME
from psp_gateway.webhook_body import (
    attempt_id,
    from_iso,
    from_seconds,
    inside,
    parse,
    required,
    text,
)

TOLERANCE_S = 300  # what Stripe's own libraries allow

# By the beginning of the type, the first that fits.
_SUBJECTS: Mapping[str, Subject] = {
    "payment_intent.": Subject.CHARGE,
    "charge.dispute.": Subject.DISPUTE,
    "charge.refund.": Subject.REFUND,
    "charge.": Subject.CHARGE,
    "refund.": Subject.REFUND,
    "payout.reconciliation_completed": Subject.REPORT,
    "payout.": Subject.PAYOUT,
    "transfer.": Subject.PAYOUT,
    "checkout.session.": Subject.PAGE,
    "reporting.": Subject.REPORT,
}
_BELONG_TO_A_CHARGE = frozenset({Subject.DISPUTE, Subject.REFUND, Subject.PAGE})
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class StripeWebhooks:
    """`ports.Webhooks` of Stripe.

    Args:
        secrets: of the endpoint; while one is rolled Stripe signs with both.
        tolerance_s: by how many seconds the signature's time may differ from ours, either way.

    Raises:
        ValueError: there is no secret, or an empty one, under which anybody could sign.
    """

    def __init__(self, secrets: Sequence[str], tolerance_s: int = TOLERANCE_S) -> None:
        if not secrets or not all(secrets):
            raise ValueError("A webhook secret of Stripe's is empty, or there is none.")
        self._secrets = [secret.encode() for secret in secrets]
        self._tolerance = timedelta(seconds=tolerance_s)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Sequence[PspEvent]:
        """See `ports.Webhooks.read_webhook`."""
        timestamp, signatures = _signature_header(headers.get("stripe-signature", ""))
        self._check(timestamp, signatures, body)
        if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > self._tolerance:
            raise BadSignature("The signature is too old, or of the future.")
        return [_event(parse(body))]

    def _check(self, timestamp: str, signatures: Sequence[bytes], body: bytes) -> None:
        signed = timestamp.encode() + b"." + body
        rights = [
            hmac.new(secret, signed, hashlib.sha256).hexdigest().encode()
            for secret in self._secrets
        ]
        # Every pair is compared, so that the time taken tells nothing.
        if not sum(hmac.compare_digest(right, one) for right in rights for one in signatures):
            raise BadSignature("No signature is right.")


def _signature_header(header: str) -> tuple[str, Sequence[bytes]]:
    """Read `t=…,v1=…,v1=…,v0=…`; v0 is Stripe's placeholder in test mode, and proves nothing."""
    pairs = [item.partition("=")[::2] for item in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    signatures = [value.encode(errors="replace") for name, value in pairs if name == "v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]) or not signatures:
        raise BadSignature("Stripe-Signature is missing or not of the form t=…,v1=….")
    if from_seconds(int(times[0])) is None:
        raise BadSignature("The signature's time is none.")
    return times[0], signatures


def _event(event: Mapping[str, object]) -> PspEvent:
    kind = required(event, "type")
    subject = _subject(kind)
    concerned = inside(event, "data", "object")
    reference = _identity(concerned) or text(event, "related_object", "id")
    charge = _identity(inside(concerned, "payment_intent"))
    if kind.startswith("charge.") and subject is Subject.CHARGE:
        reference, charge = charge or reference, ""  # the PaymentIntent is the charge to us
    elif subject is Subject.DISPUTE or subject is Subject.REFUND:
        charge = charge or _identity(inside(concerned, "charge"))
    return PspEvent(
        psp=NAME,
        event_id=required(event, "id"),
        event_type=kind,
        subject=subject,
        reference=reference,
        charge_reference=charge if subject in _BELONG_TO_A_CHARGE else "",
        attempt_id=attempt_id(
            text(concerned, "metadata", "attempt_id"), text(concerned, "client_reference_id")
        ),
        occurred_at=_occurred_at(inside(event, "created")),
    )


def _subject(kind: str) -> Subject:
    found = (subject for start, subject in _SUBJECTS.items() if kind.startswith(start))
    return next(found, Subject.OTHER)


def _identity(found: object) -> str:
    """Read an id, which Stripe writes as such or, expanded, as the object that has it."""
    return text(found, "id") if isinstance(found, dict) else text([found], 0)


def _occurred_at(created: object) -> datetime | None:
    """Read when; events of Stripe's second API write it in ISO 8601."""
    return from_iso(created) if isinstance(created, str) else from_seconds(created)
