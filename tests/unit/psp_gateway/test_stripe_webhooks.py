"""Stripe's webhooks: the signature is held to the published scheme, and to Stripe's own library."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.stripe.webhooks import StripeWebhooks

SECRET = "whsec_canary_1"  # pragma: allowlist secret
NEXT = "whsec_canary_2"  # pragma: allowlist secret
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
AT = int(NOW.timestamp())


def signature(body: bytes, secret: str = SECRET, at: int = AT) -> str:
    """Sign as docs.stripe.com/webhooks#verify-manually says."""
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def signed(body: bytes, secret: str = SECRET, at: int = AT) -> dict[str, str]:
    """Make the header."""
    return {"stripe-signature": f"t={at},v1={signature(body, secret, at)}"}


def event(kind: str = "payment_intent.succeeded", **object_: Any) -> bytes:
    """Make a body."""
    intent = {"id": "pi_1", "object": "payment_intent", "metadata": {"attempt_id": "att_1"}}
    data = {"object": intent | object_}
    return json.dumps({"id": "evt_1", "type": kind, "created": AT, "data": data}).encode()


def read(body: bytes, headers: dict[str, str], now: datetime = NOW, **more: Any) -> PspEvent:
    """Read a webhook that holds one event."""
    (found,) = StripeWebhooks([SECRET, NEXT], **more).read_webhook(headers, body, now=now)
    return found


def test_a_signed_event_is_read() -> None:
    """It says which object, and which attempt of ours it was made for."""
    body = event()

    assert read(body, signed(body)) == PspEvent(
        psp="stripe",
        event_id="evt_1",
        event_type="payment_intent.succeeded",
        subject=Subject.CHARGE,
        reference="pi_1",
        attempt_id="att_1",
        occurred_at=NOW,
    )


@pytest.mark.parametrize(
    ("kind", "object_", "expected"),
    [
        ("charge.succeeded", {"payment_intent": "pi_2"}, (Subject.CHARGE, "pi_2", "")),
        ("charge.expired", {"payment_intent": {"id": "pi_2"}}, (Subject.CHARGE, "pi_2", "")),
        ("refund.failed", {"payment_intent": "pi_2"}, (Subject.REFUND, "pi_1", "pi_2")),
        ("charge.refund.updated", {"id": "re_1"}, (Subject.REFUND, "re_1", "")),
        ("charge.dispute.created", {"id": "dp_1"}, (Subject.DISPUTE, "dp_1", "")),
        ("payout.paid", {"id": "po_1"}, (Subject.PAYOUT, "po_1", "")),
        ("payout.reconciliation_completed", {"id": "po_1"}, (Subject.REPORT, "po_1", "")),
        ("checkout.session.completed", {"id": "cs_1"}, (Subject.PAGE, "cs_1", "")),
        ("customer.created", {"id": "cus_1"}, (Subject.OTHER, "cus_1", "")),
    ],
)  # fmt: skip
def test_what_an_event_is_about(
    kind: str, object_: dict[str, Any], expected: tuple[Subject, str, str]
) -> None:
    """A charge is known by its PaymentIntent; what belongs to one names it."""
    body = event(kind, **object_)
    found = read(body, signed(body))

    assert (found.subject, found.reference, found.charge_reference) == expected


def test_secrets_rotate() -> None:
    """Any secret may have signed, and any of several signatures may match."""
    body = event()
    both = f"t={AT},v1={'0' * 64},v0={signature(body)},v1={signature(body, NEXT)}"

    assert read(body, signed(body, NEXT)).event_id == "evt_1"
    assert read(body, {"stripe-signature": both}).event_id == "evt_1"


def test_stripes_own_library_agrees() -> None:
    """What is right to us is right to it, and what is wrong, wrong."""
    body = event()
    header = signed(body)["stripe-signature"]

    assert read(body, {"stripe-signature": header}).event_id == "evt_1"
    assert stripe.WebhookSignature.verify_header(body.decode(), header, SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode() + " ", header, SECRET)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        f"v1={'0' * 64}",
        f"t={AT},v1={'0' * 64}",
        f"t={AT},v1={'0' * 63}",
        f"t={AT},v1=é",
        f"t=-1,v1={'0' * 64}",
        f"t={AT},t={AT},v1={'0' * 64}",
        f"t={'9' * 400},v1={'0' * 64}",
    ],
)
def test_a_wrong_header_is_refused(header: str) -> None:
    """It says why, and no secret."""
    with pytest.raises(BadSignature) as raised:
        read(event(), {"stripe-signature": header})

    assert "whsec" not in str(raised.value)


def test_old_and_future_signatures_are_refused() -> None:
    """Five minutes either way, by the time that was signed."""
    body = event()
    late, early = NOW + timedelta(seconds=301), NOW - timedelta(seconds=301)

    assert read(body, signed(body), NOW + timedelta(seconds=300)).event_id == "evt_1"
    for now in (late, early):
        with pytest.raises(BadSignature, match="too long ago"):
            read(body, signed(body), now)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"{}", b'{"id": 1, "type": 2}', b"[" * 100_000])
def test_a_signed_body_that_is_no_event(body: bytes) -> None:
    """It is Stripe's, and cannot be read."""
    with pytest.raises(UnreadableWebhook):
        read(body, signed(body))


@given(st.binary(max_size=200), st.text(max_size=120))
def test_nothing_else_is_ever_raised(body: bytes, header: str) -> None:
    """Whatever arrives, it is refused as what it is."""
    with pytest.raises(BadSignature):
        read(body, {"stripe-signature": header})
    with pytest.raises(UnreadableWebhook):
        read(body, signed(body))
