"""Stripe's webhooks: whose they are, and what they are about."""

import hashlib
import hmac
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe.params import WebhookEndpointCreateParams

from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.stripe.webhooks import StripeWebhooks
from tests.unit.psp_gateway.any_json import json_values

SECRET = "whsec_test"  # pragma: allowlist secret
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ATTEMPT = "att_01ja3tq9"

# stripe-dotnet, EventUtilityTest: see vectors/README.md.
PUBLISHED_BODY = (Path(__file__).parent / "vectors/stripe_customer_created.json").read_bytes()
PUBLISHED_SECRET = "webhook_secret"  # pragma: allowlist secret
PUBLISHED_AT = datetime.fromtimestamp(1533204620, UTC)
PUBLISHED_V1 = (
    "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7"  # pragma: allowlist secret
)
PUBLISHED_V0 = (
    "63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"  # pragma: allowlist secret
)
PUBLISHED_HEADER = f"t=1533204620,v1={PUBLISHED_V1},v0={PUBLISHED_V0}"


def signed(body: bytes, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    """Sign as Stripe documents it."""
    seconds = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={seconds},v1={mac}"}


def event(kind: str, concerned: Any, **fields: Any) -> bytes:
    """Write an event about an object."""
    known = {"id": "evt_1", "object": "event", "type": kind, "created": 1533204620}
    return json.dumps({**known, "data": {"object": concerned}, **fields}).encode()


def read(body: bytes) -> PspEvent:
    """Read a webhook that is signed rightly and now."""
    (found,) = StripeWebhooks([SECRET]).read_webhook(signed(body), body, now=NOW)
    return found


def test_published_signature() -> None:
    """The signature that Stripe publishes is right, and the event is read."""
    hooks = StripeWebhooks([PUBLISHED_SECRET])
    headers = {"stripe-signature": PUBLISHED_HEADER}

    (found,) = hooks.read_webhook(headers, PUBLISHED_BODY, now=PUBLISHED_AT)

    assert found == PspEvent(
        psp="stripe",
        event_id="evt_123",
        event_type="customer.created",
        subject=Subject.OTHER,
        reference="cus_123",
        occurred_at=PUBLISHED_AT,
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t",
        ",,",
        "t,,",
        "t,v1=,",
        "t,v1=,v0=",
        f"t=,v1={PUBLISHED_V1},v0={PUBLISHED_V0}",
        f"v1={PUBLISHED_V1}",
        f"t=1533204620,v0={PUBLISHED_V1}",
        f"t=1533204620,v1={PUBLISHED_V0}",
        f"t=1533204620,t=1533204620,v1={PUBLISHED_V1}",
        f"t=1533204621,v1={PUBLISHED_V1}",
        f"t= 1533204620,v1={PUBLISHED_V1}",
        f"t=١٥٣٣٢٠٤٦٢٠,v1={PUBLISHED_V1}",
        f"t=999999999999,v1={PUBLISHED_V1}",
        f"t=1533204620,v1={PUBLISHED_V1.upper()}",
        "t=1533204620,v1=" + "é" * 64,
        "t=1533204620,v1=\udc80",
    ],
)
def test_wrong_headers(header: str) -> None:
    """A header that is missing, malformed, or of the test scheme v0 alone is refused."""
    hooks = StripeWebhooks([PUBLISHED_SECRET])

    with pytest.raises(BadSignature):
        hooks.read_webhook({"stripe-signature": header}, PUBLISHED_BODY, now=PUBLISHED_AT)


@pytest.mark.parametrize("change", [b" ", b"\n", b"\xed\xa0\x82", b"this_changes_the_json"])
def test_changed_body(change: bytes) -> None:
    """The signature covers each byte of the body."""
    hooks = StripeWebhooks([PUBLISHED_SECRET])
    headers = {"stripe-signature": PUBLISHED_HEADER}

    with pytest.raises(BadSignature):
        hooks.read_webhook(headers, PUBLISHED_BODY + change, now=PUBLISHED_AT)


def test_no_header() -> None:
    """A webhook without a signature is refused."""
    with pytest.raises(BadSignature):
        StripeWebhooks([SECRET]).read_webhook({}, b"{}", now=NOW)


@pytest.mark.parametrize("seconds", [300, -300, 299])
def test_within_the_tolerance(seconds: int) -> None:
    """A signature may be five minutes old, or as much of the future."""
    body = event("payout.paid", {"id": "po_1"})
    headers = signed(body, NOW - timedelta(seconds=seconds))

    assert StripeWebhooks([SECRET]).read_webhook(headers, body, now=NOW)


@pytest.mark.parametrize("seconds", [301, -301, 86400])
def test_outside_of_the_tolerance(seconds: int) -> None:
    """One that is older, or further in the future, is refused."""
    body = event("payout.paid", {"id": "po_1"})
    headers = signed(body, NOW - timedelta(seconds=seconds))

    with pytest.raises(BadSignature):
        StripeWebhooks([SECRET]).read_webhook(headers, body, now=NOW)


def test_rotation() -> None:
    """Any signature under any secret is enough, so that a secret can be rolled on either side."""
    body = event("payout.paid", {"id": "po_1"})
    old = signed(body, secret="whsec_old")["stripe-signature"]  # pragma: allowlist secret
    new = signed(body)["stripe-signature"]
    both = f"{old},{new.partition(',')[2]}"

    for header, secrets in [
        (old, ["whsec_old", SECRET]),
        (new, ["whsec_old", SECRET]),
        (both, [SECRET]),
        (both, ["whsec_old"]),
    ]:
        hooks = StripeWebhooks(secrets)
        assert hooks.read_webhook({"stripe-signature": header}, body, now=NOW)


@pytest.mark.parametrize("secrets", [[], [""], [SECRET, ""]])
def test_no_secret(secrets: list[str]) -> None:
    """There must be secrets: under an empty one anybody could sign."""
    with pytest.raises(ValueError, match="empty"):
        StripeWebhooks(secrets)


INTENT = {"id": "pi_1", "metadata": {"attempt_id": ATTEMPT}}
CHARGE = {"id": "ch_1", "payment_intent": "pi_1", "metadata": {"attempt_id": ATTEMPT}}
REFUND = {"id": "re_1", "payment_intent": "pi_1", "charge": "ch_1", "metadata": {}}
DISPUTE = {"id": "dp_1", "payment_intent": "pi_1", "charge": "ch_1", "metadata": {}}
SESSION = {"id": "cs_1", "payment_intent": None, "client_reference_id": ATTEMPT}


@pytest.mark.parametrize(
    ("kind", "concerned", "expected"),
    [
        ("payment_intent.succeeded", INTENT, (Subject.CHARGE, "pi_1", "", ATTEMPT)),
        ("payment_intent.payment_failed", INTENT, (Subject.CHARGE, "pi_1", "", ATTEMPT)),
        ("payment_intent.requires_action", INTENT, (Subject.CHARGE, "pi_1", "", ATTEMPT)),
        ("charge.succeeded", CHARGE, (Subject.CHARGE, "pi_1", "", ATTEMPT)),
        ("charge.refunded", CHARGE, (Subject.CHARGE, "pi_1", "", ATTEMPT)),
        ("charge.succeeded", {"id": "ch_1"}, (Subject.CHARGE, "ch_1", "", "")),
        ("charge.refund.updated", REFUND, (Subject.REFUND, "re_1", "pi_1", "")),
        ("refund.failed", REFUND, (Subject.REFUND, "re_1", "pi_1", "")),
        ("refund.created", {"id": "re_1", "charge": "ch_1"}, (Subject.REFUND, "re_1", "ch_1", "")),
        ("charge.dispute.created", DISPUTE, (Subject.DISPUTE, "dp_1", "pi_1", "")),
        ("charge.dispute.funds_withdrawn", DISPUTE, (Subject.DISPUTE, "dp_1", "pi_1", "")),
        (
            "charge.dispute.closed",
            {"id": "dp_1", "payment_intent": {"id": "pi_1"}},
            (Subject.DISPUTE, "dp_1", "pi_1", ""),
        ),
        ("payout.paid", {"id": "po_1"}, (Subject.PAYOUT, "po_1", "", "")),
        ("payout.reconciliation_completed", {"id": "po_1"}, (Subject.REPORT, "po_1", "", "")),
        ("checkout.session.completed", SESSION, (Subject.PAGE, "cs_1", "", ATTEMPT)),
        (
            "checkout.session.completed",
            {**SESSION, "payment_intent": "pi_1"},
            (Subject.PAGE, "cs_1", "pi_1", ATTEMPT),
        ),
        ("reporting.report_run.succeeded", {"id": "frr_1"}, (Subject.REPORT, "frr_1", "", "")),
        ("radar.early_fraud_warning.created", {"id": "w"}, (Subject.OTHER, "w", "", "")),
        ("payment_intents.never_heard_of", {"id": "x"}, (Subject.OTHER, "x", "", "")),
        ("payout", {"id": "x"}, (Subject.OTHER, "x", "", "")),
    ],
)
def test_subjects(kind: str, concerned: Any, expected: tuple[Subject, str, str, str]) -> None:
    """An event names what is to be asked about, and never says how it stands."""
    found = read(event(kind, concerned))

    said = (found.subject, found.reference, found.charge_reference, found.attempt_id)
    assert said == expected
    assert found.verdict is None
    assert (found.event_id, found.event_type) == ("evt_1", kind)


def test_every_type_of_the_library() -> None:
    """Each type that Stripe's library knows is read, and what is about money is not OTHER."""
    listed = WebhookEndpointCreateParams.__annotations__["enabled_events"]
    known = set(re.findall(r"'([a-z_.0-9]+)'", str(listed)))
    others = {kind for kind in known if read(event(kind, {"id": "x"})).subject is Subject.OTHER}

    about_money = ("payment_intent.", "charge.", "refund.", "payout.", "checkout.session.")
    assert len(known) > 200
    assert not [kind for kind in others if kind.startswith(about_money)]


def test_event_of_the_second_api() -> None:
    """A thin event names what it is about outside of `data`, and its time in ISO 8601."""
    found = read(
        json.dumps(
            {
                "id": "evt_234",
                "object": "v2.core.event",
                "type": "v1.billing.meter.error_report_triggered",
                "created": "2022-02-15T00:27:45.330Z",
                "related_object": {"id": "mtr_1", "type": "billing.meter"},
            }
        ).encode()
    )

    assert (found.subject, found.reference) == (Subject.OTHER, "mtr_1")
    assert found.occurred_at == datetime(2022, 2, 15, 0, 27, 45, 330000, tzinfo=UTC)


@pytest.mark.parametrize("named", ["att_X", "pay_1", "att_", "att_" + "a" * 61, 7, "att_a\n"])
def test_attempt_id_of_another(named: Any) -> None:
    """What does not look like an attempt of ours is none."""
    concerned = {"id": "pi_1", "metadata": {"attempt_id": named}}

    assert read(event("payment_intent.succeeded", concerned)).attempt_id == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"id":"evt_1"}',
        b'{"type":"payout.paid"}',
        b'{"id":"","type":"payout.paid"}',
        b'{"id":7,"type":"payout.paid"}',
        b'{"id":"evt_1","type":"\\ud800"}',
        b'{"id":"evt\\u0000","type":"payout.paid"}',
        b'{"id":"evt_1","type":"payout.paid","a":NaN}',
        b"[" * 100_000,
    ],
)
def test_unreadable(body: bytes) -> None:
    """A body that is Stripe's and no event is said to be so."""
    with pytest.raises(UnreadableWebhook):
        read(body)


kinds = st.sampled_from(["charge.x", "charge.dispute.x", "refund.x", "payment_intent.x", "x"])


@given(concerned=json_values, created=json_values, kind=kinds)
def test_any_event(concerned: Any, created: Any, kind: str) -> None:
    """Whatever stands in an event of Stripe's is read, or called unreadable."""
    try:
        found = read(event(kind, concerned, created=created))
    except UnreadableWebhook:
        return
    assert found.verdict is None


@given(header=st.text(), body=st.binary(), known=st.sampled_from(["stripe-signature", "x"]))
def test_any_bytes(header: str, body: bytes, known: str) -> None:
    """Nobody without the secret gets in, whatever the bytes, and none throws anything else."""
    with pytest.raises(BadSignature):
        StripeWebhooks([SECRET]).read_webhook({known: header}, body, now=NOW)


@given(body=st.binary())
def test_any_signed_bytes(body: bytes) -> None:
    """Any body under a right signature is read, or called unreadable."""
    with suppress(UnreadableWebhook):
        assert StripeWebhooks([SECRET]).read_webhook(signed(body), body, now=NOW)


def test_no_secret_is_shown() -> None:
    """Neither the reader nor its refusals repeat a secret or a signature."""
    hooks = StripeWebhooks([SECRET])
    with pytest.raises(BadSignature) as refused:
        hooks.read_webhook({"stripe-signature": PUBLISHED_HEADER}, b"{}", now=NOW)

    shown = repr(hooks) + str(refused.value)
    assert SECRET not in shown
    assert PUBLISHED_V1 not in shown
