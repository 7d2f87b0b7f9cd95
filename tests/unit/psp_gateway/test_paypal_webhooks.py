"""What PayPal's webhooks are about."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.errors import UnreadableWebhook
from psp_gateway.domain.psp_event import Subject
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.paypal_hooks import read

ATTEMPT, OTHER_ATTEMPT = "att_01ja3tq9", "att_01ja3tqa"
TYPES = (Path(__file__).parent / "vectors/paypal_event_types.txt").read_text().split()


def event(kind: str, resource: Any) -> bytes:
    """Write an event."""
    known = {"id": "WH-1", "create_time": "2026-11-23T11:59:58.613Z", "event_type": kind}
    return json.dumps({**known, "resource": resource}).encode()


def capture(**related: str) -> dict[str, Any]:
    """Make a capture."""
    return {"id": "CAP", "custom_id": ATTEMPT, "supplementary_data": {"related_ids": related}}


UP = [
    {"rel": "self", "href": "https://api.paypal.com/v2/payments/refunds/REF"},
    {"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP"},
]
ORDER = {"id": "ORD", "purchase_units": [{"custom_id": ATTEMPT}]}
DISPUTE = {
    "dispute_id": "PP-D-1",
    "disputed_transactions": [{"seller_transaction_id": "CAP", "custom": ATTEMPT}],
}
ITEM = {"payout_item_id": "ITM", "payout_item": {"sender_item_id": ATTEMPT}}
BATCH = {
    "batch_header": {
        "payout_batch_id": "BAT",
        "sender_batch_header": {"sender_batch_id": ATTEMPT},
    }
}


@pytest.mark.parametrize(
    ("kind", "resource", "expected"),
    [
        ("CHECKOUT.ORDER.APPROVED", ORDER, (Subject.CHARGE, "ORD", "", ATTEMPT)),
        ("CHECKOUT.ORDER.COMPLETED", {"id": "ORD"}, (Subject.CHARGE, "ORD", "", "")),
        (
            "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
            {"order_id": "ORD", "purchase_units": [{"custom_id": ATTEMPT}]},
            (Subject.CHARGE, "ORD", "", ATTEMPT),
        ),
        (
            "PAYMENT.CAPTURE.COMPLETED",
            capture(order_id="ORD"),
            (Subject.CHARGE, "ORD", "", ATTEMPT),
        ),
        ("PAYMENT.CAPTURE.DENIED", capture(), (Subject.CHARGE, "", "", ATTEMPT)),
        (
            "PAYMENT.CAPTURE.COMPLETED",
            {**capture(order_id="ORD", authorization_id="AUT"), "invoice_id": OTHER_ATTEMPT},
            (Subject.CAPTURE, "CAP", "ORD", OTHER_ATTEMPT),
        ),
        (
            "PAYMENT.CAPTURE.COMPLETED",
            {**capture(order_id="ORD", authorization_id="AUT"), "invoice_id": ATTEMPT},
            (Subject.CAPTURE, "CAP", "ORD", ""),
        ),
        (
            "PAYMENT.AUTHORIZATION.CREATED",
            {**capture(order_id="ORD"), "id": "AUT"},
            (Subject.CHARGE, "ORD", "", ATTEMPT),
        ),
        (
            "PAYMENT.AUTHORIZATION.VOIDED",
            {**capture(order_id="ORD"), "id": "AUT"},
            (Subject.VOID, "AUT", "ORD", ""),
        ),
        (
            "PAYMENT.CAPTURE.REFUNDED",
            {"id": "REF", "custom_id": ATTEMPT, "links": UP},
            (Subject.REFUND, "REF", "CAP", ATTEMPT),
        ),
        (
            "PAYMENT.REFUND.PENDING",
            {"id": "REF", "invoice_id": ATTEMPT, "links": [7, {"rel": "up"}]},
            (Subject.REFUND, "REF", "", ATTEMPT),
        ),
        (
            "PAYMENT.CAPTURE.REVERSED",
            {"id": "REF", "links": UP},
            (Subject.DISPUTE, "", "CAP", ""),
        ),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTE, (Subject.DISPUTE, "PP-D-1", "CAP", ATTEMPT)),
        ("PAYMENT.PAYOUTS-ITEM.UNCLAIMED", ITEM, (Subject.PAYOUT, "ITM", "", ATTEMPT)),
        ("PAYMENT.PAYOUTSBATCH.SUCCESS", BATCH, (Subject.PAYOUT, "BAT", "", ATTEMPT)),
        ("BILLING.PLAN.CREATED", {"id": "P-1"}, (Subject.OTHER, "P-1", "", "")),
        ("PAYMENT.SALE.COMPLETED", {"id": "S"}, (Subject.OTHER, "S", "", "")),
    ],
)
def test_subjects(kind: str, resource: Any, expected: tuple[Subject, str, str, str]) -> None:
    """An event names what is to be asked about, and never says how it stands."""
    found = read(event(kind, resource))

    said = (found.subject, found.reference, found.charge_reference, found.attempt_id)
    assert said == expected
    assert found.verdict is None
    assert found.occurred_at == datetime(2026, 11, 23, 11, 59, 58, 613000, tzinfo=UTC)


@pytest.mark.parametrize("kind", TYPES)
def test_every_known_type(kind: str) -> None:
    """Each type that PayPal names is sorted; only the referenced payouts are not ours."""
    found = read(event(kind, {"id": "x"}))

    assert (found.subject is Subject.OTHER) == kind.startswith("PAYMENT.REFERENCED-PAYOUT")
    assert found.verdict is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b"{}", b'{"id":"WH-1"}', b'{"event_type":"x"}', b"[" * 100_000],
)
def test_unreadable(body: bytes) -> None:
    """A body that is PayPal's and no event is said to be so."""
    with pytest.raises(UnreadableWebhook):
        read(body)


NAMES = ("id", "links", "purchase_units", "supplementary_data", "disputed_transactions")
resources = json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, json_values))


@given(resource=resources, kind=st.sampled_from(TYPES))
def test_any_event(resource: Any, kind: str) -> None:
    """Whatever stands in an event of PayPal's is read."""
    assert read(event(kind, resource)).event_type == kind
