"""PayPal's webhooks: developer.paypal.com/api/rest/webhooks/event-names.

An event only tells to ask PayPal again: none carries a verdict (see `signature`). To us a charge is
its order, since an order leads to all that has come of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.paypal.roots import ROOTS
from psp_gateway.providers.paypal.signature import (
    ORIGINS,
    REPLAY_WINDOW,
    Certificates,
    Signatures,
)
from psp_gateway.webhook_body import attempt_id, from_iso, inside, parse, required, text

_PSP = "paypal"

# By the beginning of the type, the first that fits. REVERSED is PayPal taking the money back.
_SUBJECTS: Mapping[str, Subject] = {
    "CHECKOUT.ORDER.": Subject.CHARGE,
    "CHECKOUT.PAYMENT-APPROVAL.": Subject.CHARGE,
    "PAYMENT.AUTHORIZATION.VOIDED": Subject.VOID,
    "PAYMENT.AUTHORIZATION.": Subject.CHARGE,
    "PAYMENT.CAPTURE.REFUNDED": Subject.REFUND,
    "PAYMENT.CAPTURE.REVERSED": Subject.DISPUTE,
    "PAYMENT.CAPTURE.": Subject.CHARGE,
    "PAYMENT.REFUND.": Subject.REFUND,
    "CUSTOMER.DISPUTE.": Subject.DISPUTE,
    "PAYMENT.PAYOUTSBATCH.": Subject.PAYOUT,
    "PAYMENT.PAYOUTS-ITEM.": Subject.PAYOUT,
}


class PayPalWebhooks:
    """`ports.Webhooks` of PayPal.

    `read_webhook` raises `CertificateNeeded` when `certificates` has none: the caller
    fetches it, keeps a bounded number of them, and tries again.

    Args:
        webhook_id, certificates, origins, roots, replay_window: see `Signatures`.
    """

    def __init__(
        self,
        webhook_id: str,
        certificates: Certificates,
        *,
        origins: Mapping[str, str] = ORIGINS,
        roots: bytes = ROOTS,
        replay_window: timedelta = REPLAY_WINDOW,
    ) -> None:
        self._signatures = Signatures(
            webhook_id, certificates, origins=origins, roots=roots, replay_window=replay_window
        )

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Sequence[PspEvent]:
        """See `ports.Webhooks.read_webhook`."""
        self._signatures.check(headers, body, now=now)
        return [_event(parse(body))]


def _event(event: Mapping[str, object]) -> PspEvent:
    kind = required(event, "event_type")
    resource = inside(event, "resource")
    subject = _subject(kind, resource)
    reference, charge, attempt = _names(kind, subject, resource)
    return PspEvent(
        psp=_PSP,
        event_id=required(event, "id"),
        event_type=kind,
        subject=subject,
        reference=reference,
        charge_reference=charge,
        attempt_id=attempt,
        occurred_at=from_iso(text(event, "create_time")),
    )


def _subject(kind: str, resource: object) -> Subject:
    found = (subject for start, subject in _SUBJECTS.items() if kind.startswith(start))
    subject = next(found, Subject.OTHER)
    is_of_hold = bool(_related(resource, "authorization_id"))
    if subject is Subject.CHARGE and kind.startswith("PAYMENT.CAPTURE.") and is_of_hold:
        return Subject.CAPTURE
    return subject


def _names(kind: str, subject: Subject, resource: object) -> tuple[str, str, str]:
    """Read the PayPal's ids of the subject and of its charge, and our id of the attempt."""
    order, own = _related(resource, "order_id"), text(resource, "id")
    ours, invoice = text(resource, "custom_id"), text(resource, "invoice_id")
    match subject:
        case Subject.CHARGE if kind.startswith("CHECKOUT."):
            unit = inside(resource, "purchase_units", 0)
            reference = own or text(resource, "order_id")
            return reference, "", attempt_id(text(unit, "custom_id"))
        case Subject.CHARGE:
            return order, "", attempt_id(ours)
        case Subject.CAPTURE:
            # PayPal hands the order's custom_id down; the invoice_id is the capture's own.
            return own, order, attempt_id(invoice) if invoice != ours else ""
        case Subject.VOID:
            return own, order, ""
        case Subject.REFUND:
            return own, order or _refunded(resource), attempt_id(ours, invoice)
        case Subject.DISPUTE:
            return _dispute_names(kind, order or _refunded(resource), resource)
        case Subject.PAYOUT:
            return _payout_names(resource)
        case _:
            return own, "", ""


def _dispute_names(kind: str, charge: str, resource: object) -> tuple[str, str, str]:
    if kind.startswith("PAYMENT."):
        return "", charge, ""  # a reversal does not name its dispute
    disputed = inside(resource, "disputed_transactions", 0)
    return (
        text(resource, "dispute_id"),
        text(disputed, "seller_transaction_id"),
        attempt_id(text(disputed, "custom"), text(disputed, "invoice_number")),
    )


def _payout_names(resource: object) -> tuple[str, str, str]:
    batch = inside(resource, "batch_header")
    return (
        text(resource, "payout_item_id") or text(batch, "payout_batch_id"),
        "",
        attempt_id(
            text(resource, "payout_item", "sender_item_id"),
            text(batch, "sender_batch_header", "sender_batch_id"),
        ),
    )


def _related(resource: object, name: str) -> str:
    return text(resource, "supplementary_data", "related_ids", name)


def _refunded(resource: object) -> str:
    """Read the id of the capture that a refund is of: named, or by its link upwards."""
    links = inside(resource, "links")
    upwards = [
        text(link, "href").rpartition("/")[2]
        for link in (links if isinstance(links, list) else [])
        if text(link, "rel") == "up"
    ]
    return _related(resource, "capture_id") or next(iter(upwards), "")
