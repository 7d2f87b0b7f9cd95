"""Signatures, by vectors that were made with other tools, and webhooks by their specification's."""

import base64
import hashlib
import hmac
import json

import pytest
from paymesh.client import InvalidWebhook, verify_webhook
from paymesh.client.signing import signature

# printf 'POST\n/v1/payments?a=1\n1700000000\nn-1\nk-1\n%s' \
#   "$(printf '{}' | sha256sum | cut -c1-64)" | openssl dgst -sha256 -hmac 'top-secret-of-demo'
OPENSSL = (
    "0dae2ac5848c798d1a2322f96e5040cdadefa71900629996f0a19b612c67c881"  # pragma: allowlist secret
)
# https://github.com/standard-webhooks/standard-webhooks: the libraries' own test vector.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # pragma: allowlist secret
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",  # pragma: allowlist secret
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"test": 2432232314}'
THEN = 1614265330


def test_signature_is_what_openssl_makes() -> None:
    """The canonical lines, joined by LF, under the secret's bytes."""
    made = signature(
        "top-secret-of-demo", method="POST", path="/v1/payments?a=1", timestamp=1_700_000_000,
        nonce="n-1", idempotency_key="k-1", body=b"{}",
    )  # fmt: skip

    assert made == OPENSSL


@pytest.mark.parametrize(
    "changed",
    [{"method": "GET"}, {"path": "/v1/x"}, {"timestamp": 1}, {"nonce": "n-2"},
     {"idempotency_key": ""}, {"body": b"{ }"}],
    ids=str,
)  # fmt: skip
def test_whatever_is_changed_changes_the_signature(changed: dict[str, object]) -> None:
    """Nothing that is sent can be exchanged."""
    asked = {
        "method": "POST", "path": "/v1/payments", "timestamp": 1_700_000_000, "nonce": "n-1",
        "idempotency_key": "k-1", "body": b"{}",
    }  # fmt: skip

    assert signature("s" * 16, **asked) != signature("s" * 16, **{**asked, **changed})  # type: ignore[arg-type]


def test_webhook_of_the_specification_is_verified() -> None:
    """The published vector fits, among other signatures too, in headers of any case."""
    rotated = {**HEADERS, "webhook-signature": f"v1,AAAA {HEADERS['webhook-signature']} v2,x"}

    assert verify_webhook(HEADERS, BODY, SECRET, now=THEN) == {"test": 2432232314}
    shouted = {name.upper(): value for name, value in rotated.items()}
    assert verify_webhook(shouted, BODY, SECRET, now=THEN + 299)["test"] == 2432232314


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        (HEADERS, BODY + b" ", THEN),
        (HEADERS, BODY, THEN + 301),
        (HEADERS, BODY, THEN - 301),
        ({**HEADERS, "webhook-id": "msg_other"}, BODY, THEN),
        ({**HEADERS, "webhook-timestamp": "soon"}, BODY, THEN),
        ({**HEADERS, "webhook-timestamp": "9" * 400}, BODY, THEN),
        ({**HEADERS, "webhook-signature": "v1,é v1, v1"}, BODY, THEN),
        ({**HEADERS, "webhook-signature": ""}, BODY, THEN),
        ({}, BODY, THEN),
    ],
)
def test_forged_or_stale_webhook_is_refused(
    headers: dict[str, str], body: bytes, now: float
) -> None:
    """Another body, id or time, or none, is not ours."""
    with pytest.raises(InvalidWebhook):
        verify_webhook(headers, body, SECRET, now=now)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64"])
def test_webhook_is_not_verified_without_a_secret(secret: str) -> None:
    """What anybody could have signed is refused, whatever its signature."""
    mac = hmac.new(b"", f"{HEADERS['webhook-id']}.{THEN}.".encode() + BODY, hashlib.sha256).digest()
    forged = {**HEADERS, "webhook-signature": "v1," + base64.b64encode(mac).decode()}

    with pytest.raises(InvalidWebhook):
        verify_webhook(forged, BODY, secret, now=THEN)


def test_webhook_made_by_hand_is_verified() -> None:
    """What the specification says in words is what is checked."""
    key, body = b"k" * 32, json.dumps({"type": "payment.completed"}).encode()
    mac = hmac.new(key, b"evt_1.100." + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": "100",
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    secret = "whsec_" + base64.b64encode(key).decode()  # pragma: allowlist secret

    assert verify_webhook(headers, body, secret, now=100)["type"] == "payment.completed"
