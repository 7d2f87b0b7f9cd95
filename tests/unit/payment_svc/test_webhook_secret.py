"""Signatures by the Standard Webhooks specification, and secrets that are made, not kept."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from payment_svc.domain import webhook_secret
from payment_svc.domain.errors import WebhookSecretMissing
from payment_svc.domain.webhook_secret import SecretKeys, SecretName

OLD, NEW = b"the key of last year", b"the key of this year"


def test_the_published_vector() -> None:
    """The example that the specification's libraries are tested with comes out."""
    shown = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # pragma: allowlist secret
    secret = webhook_secret.read(shown)
    message_id = "msg_p5jXN8AQM9LWM0D4loKWxJek"  # pragma: allowlist secret

    signed = webhook_secret.signature(secret, message_id, 1614265330, b'{"test": 2432232314}')

    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # pragma: allowlist secret
    assert signed == expected


def test_the_reference_library_verifies_every_signature() -> None:
    """While secrets change, holders of either accept the message, and nobody else does."""
    now = int(datetime.now(UTC).timestamp())
    body = json.dumps({"a": "ü"}).encode()
    secrets = [bytes([n]) * 32 for n in (1, 2)]

    headers = webhook_secret.headers(secrets, "evt_1", now, body)

    for secret in secrets:
        assert Webhook(webhook_secret.show(secret)).verify(body, headers) == {"a": "ü"}
    stranger = Webhook(webhook_secret.show(bytes(32)))
    with pytest.raises(WebhookVerificationError):
        stranger.verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret.show(secrets[0])).verify(body + b" ", headers)


def test_a_secret_is_the_endpoints_own() -> None:
    """Key, endpoint and generation each make another secret, of a size the specification asks."""
    keys = SecretKeys((NEW, OLD))
    names = [SecretName(1, keys.newest), SecretName(2, keys.newest)]
    names.append(SecretName(1, SecretKeys((OLD,)).newest))

    made = [keys.secret(endpoint, name) for endpoint in ("whe_1", "whe_2") for name in names]

    assert len(set(made)) == 6
    assert {len(secret) for secret in made} == {32}
    assert made[0] == keys.secret("whe_1", names[0])
    shown = webhook_secret.show(made[0])
    assert base64.b64decode(shown.removeprefix("whsec_")) == webhook_secret.read(shown) == made[0]


def test_a_key_outlives_its_successor_by_its_name() -> None:
    """With the key of before at hand old secrets are made still; without it that is said."""
    name = SecretName(1, SecretKeys((OLD,)).newest)

    assert SecretKeys((NEW, OLD)).secret("whe_1", name) == SecretKeys((OLD,)).secret("whe_1", name)
    with pytest.raises(WebhookSecretMissing):
        SecretKeys((NEW,)).secret("whe_1", name)


def test_keys_are_never_printed() -> None:
    """Whatever prints the settings prints no key, and a key's name holds nothing of it."""
    keys = SecretKeys((NEW,))

    assert "year" not in repr(keys)
    assert NEW.hex() not in keys.newest


@pytest.mark.parametrize("text", ["", "secret", "whsec_%%%"])
def test_what_is_no_secret_is_refused(text: str) -> None:
    """A secret is its prefix and base64."""
    with pytest.raises(ValueError, match=r"."):
        webhook_secret.read(text)
