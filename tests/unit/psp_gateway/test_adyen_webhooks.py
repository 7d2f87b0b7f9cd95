"""Adyen's webhooks: the published signature, and its traps."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.adyen.webhooks import AdyenWebhooks

# The key, the notification and the signature of the tests of Adyen's own libraries (MIT).
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"  # pragma: allowlist secret
PUBLISHED: dict[str, Any] = {
    "pspReference": "7914073381342284",
    "originalReference": "",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "TestPayment-1407325143704",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
}
SIGNATURE = "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="  # pragma: allowlist secret
NOW = datetime(2026, 11, 23, tzinfo=UTC)
# Event codes of Adyen's published Webhooks-v1.json and documentation.
SUBJECTS = {
    "AUTHORISATION": Subject.CHARGE,
    "CAPTURE": Subject.CAPTURE,
    "CAPTURE_FAILED": Subject.CAPTURE,
    "CANCELLATION": Subject.VOID,
    "TECHNICAL_CANCEL": Subject.VOID,
    "REFUND": Subject.REFUND,
    "REFUND_FAILED": Subject.REFUND,
    "REFUNDED_REVERSED": Subject.REFUND,
    "CHARGEBACK": Subject.DISPUTE,
    "CHARGEBACK_REVERSED": Subject.DISPUTE,
    "SECOND_CHARGEBACK": Subject.DISPUTE,
    "PREARBITRATION_WON": Subject.DISPUTE,
    "SCHEME_ARBITRATION_LOST": Subject.DISPUTE,
    "REQUEST_FOR_INFORMATION": Subject.DISPUTE,
    "NOTIFICATION_OF_CHARGEBACK": Subject.DISPUTE,
    "NOTIFICATION_OF_FRAUD": Subject.DISPUTE,
    "DISPUTE_DEFENSE_PERIOD_ENDED": Subject.DISPUTE,
    "ISSUER_COMMENTS": Subject.DISPUTE,
    "REPORT_AVAILABLE": Subject.REPORT,
    "OFFER_CLOSED": Subject.OTHER,
    "SOMETHING_NEW": Subject.OTHER,
}


def body(*items: dict[str, Any]) -> bytes:
    """Make a notification of signed items."""
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


def signed(**changed: Any) -> dict[str, Any]:
    """Make an item and sign it as the documentation says."""
    item = {**PUBLISHED, **changed}
    amount = item["amount"]
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    values = [*(item[name] for name in names), amount["value"], amount["currency"]]
    values += [item["eventCode"], item["success"]]
    content = ":".join(map(str, values)).encode()
    mac = hmac.new(bytes.fromhex(KEY), content, hashlib.sha256).digest()
    return {**item, "additionalData": {"hmacSignature": base64.b64encode(mac).decode()}}


def read(content: bytes, headers: dict[str, str] | None = None) -> list[PspEvent]:
    """Read a webhook."""
    return list(AdyenWebhooks(["00" * 32, KEY]).read_webhook(headers or {}, content, now=NOW))


def test_the_published_signature() -> None:
    """Of Adyen's own libraries; by any of several keys."""
    item = {**PUBLISHED, "additionalData": {"hmacSignature": SIGNATURE}}
    (event,) = read(body(item))

    assert signed()["additionalData"]["hmacSignature"] == SIGNATURE
    assert (event.subject, event.reference, event.attempt_id) == (
        Subject.CHARGE,
        "7914073381342284",
        "",
    )
    assert event.verdict is not None
    assert (event.verdict.outcome, event.amount_minor, event.currency) == (
        Outcome.SUCCEEDED,
        1130,
        "EUR",
    )


@pytest.mark.parametrize("reference", ["a\\b", "a:b", "a/b", "{x}", "é", '"'])
def test_nothing_is_escaped(reference: str) -> None:
    """What is signed is what was written, separators included."""
    (event,) = read(body(signed(merchantReference=reference)))

    assert event.event_type == "AUTHORISATION"


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": {"value": 1131, "currency": "EUR"}},
        {"amount": {"value": 1130, "currency": "USD"}},
        {"success": "false"},
        {"pspReference": "7914073381342285"},
        {"merchantReference": "TestPayment-2"},
        {"eventCode": "CAPTURE"},
    ],
)
def test_whatever_is_signed_cannot_be_changed(changed: dict[str, Any]) -> None:
    """Each of the fields that the signature covers."""
    with pytest.raises(BadSignature):
        read(body({**signed(), **changed}))


def test_every_item_must_be_signed() -> None:
    """Adyen's own library looks at the first alone."""
    bare = {**PUBLISHED}
    for second in (bare, {**bare, "additionalData": {}}, {**bare, "additionalData": None}):
        with pytest.raises(BadSignature):
            read(body(signed(), second))
    assert len(read(body(signed(), signed(eventCode="REFUND")))) == 2


@pytest.mark.parametrize("code", SUBJECTS)
def test_what_an_event_is_about(code: str) -> None:
    """Each known code, and those that are not."""
    (event,) = read(body(signed(eventCode=code, merchantReference="att_1")))

    assert (event.subject, event.attempt_id) == (SUBJECTS[code], "att_1")
    says_something = event.verdict is not None
    is_attempt = event.subject in (Subject.CHARGE, Subject.CAPTURE, Subject.VOID, Subject.REFUND)
    assert says_something == is_attempt


@pytest.mark.parametrize(
    ("code", "success", "outcome"),
    [
        ("AUTHORISATION", "true", Outcome.SUCCEEDED),
        ("AUTHORISATION", "false", Outcome.DECLINED),
        ("CAPTURE", "false", Outcome.DECLINED),
        ("CAPTURE_FAILED", "true", Outcome.DECLINED),
        ("CAPTURE_FAILED", "false", None),
        ("REFUND", "true", Outcome.SUCCEEDED),
        ("REFUND_FAILED", "true", Outcome.DECLINED),
        ("REFUNDED_REVERSED", "true", Outcome.DECLINED),
    ],
)
def test_what_success_means(code: str, success: str, outcome: Outcome | None) -> None:
    """That a failure succeeded is a failure."""
    (event,) = read(body(signed(eventCode=code, success=success)))

    assert (event.verdict.outcome if event.verdict else None) == outcome


def test_one_event_is_one() -> None:
    """Its object, code and success make it; dates and reasons do not, being unsigned."""
    first = read(body({**signed(), "eventDate": "2026-11-23T00:00:00+01:00", "reason": "x"}))[0]
    again = read(body(signed()))[0]
    other = read(body(signed(success="false")))[0]

    assert first.event_id == again.event_id != other.event_id
    assert first.occurred_at is not None


def test_platform_webhooks_are_signed_as_a_whole() -> None:
    """The header covers the raw bytes."""
    raw = b'{"type": "balancePlatform.transfer.updated", "data": {"id": "t_1"}}'
    mac = base64.b64encode(hmac.new(bytes.fromhex(KEY), raw, hashlib.sha256).digest()).decode()
    (event,) = read(raw, {"hmacsignature": mac})

    assert (event.subject, event.reference) == (Subject.PAYOUT, "t_1")
    with pytest.raises(BadSignature):
        read(raw + b" ", {"hmacsignature": mac})


def test_a_signed_item_that_is_no_event() -> None:
    """It is Adyen's, and cannot be read."""
    with pytest.raises(UnreadableWebhook):
        read(body(signed(pspReference="")))


@given(
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["notificationItems", "NotificationRequestItem", "additionalData", "amount"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.text(max_size=60),
)
def test_nothing_unsigned_is_ever_read(content: bytes, header: str) -> None:
    """Whatever arrives, and however it is formed, it is refused as what it is."""
    with pytest.raises(BadSignature):
        read(content, {"hmacsignature": header})
