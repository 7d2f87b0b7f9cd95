"""What webhooks are signed with, by the Standard Webhooks specification.

A secret is not kept: it is derived from a key of ours, the endpoint's id and a generation number.
The database holds nothing that signs, and needs no encryption for it.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from payment_svc.domain.errors import WebhookSecretMissing

PREFIX = "whsec_"
_KEY_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class SecretName:
    """Which secret of an endpoint: its generation, from 1, and the key it is derived from."""

    generation: int
    key_id: str


@dataclass(frozen=True, slots=True, repr=False)
class SecretKeys:
    """The keys that secrets are derived from, the newest first; never empty, never printed."""

    keys: tuple[bytes, ...]

    @property
    def newest(self) -> str:
        """The id of the key that new secrets are derived from."""
        return _key_id(self.keys[0])

    def secret(self, endpoint_id: str, name: SecretName) -> bytes:
        """Derive a secret of an endpoint: 32 bytes.

        Raises:
            WebhookSecretMissing: its key is none of these.
        """
        key = next((key for key in self.keys if _key_id(key) == name.key_id), None)
        if key is None:
            raise WebhookSecretMissing(endpoint_id)
        text = f"webhook secret:{endpoint_id}:{name.generation}"
        return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _key_id(key: bytes) -> str:
    """Name a key so that its name tells nothing of it."""
    return hmac.new(key, b"webhook key id", hashlib.sha256).hexdigest()[:_KEY_ID_DIGITS]


def show(secret: bytes) -> str:
    """Write a secret as its client sees it."""
    return PREFIX + base64.b64encode(secret).decode()


def read(text: str) -> bytes:
    """Read a secret that was shown.

    Raises:
        ValueError: it is none.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"a webhook secret begins with {PREFIX}")
    return base64.b64decode(text.removeprefix(PREFIX), validate=True)


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message: `v1,` and the base64 of the HMAC-SHA256 over id, time and body.

    Args:
        secret: 24 to 64 bytes.
        message_id: what stands in `webhook-id`.
        timestamp: what stands in `webhook-timestamp`, Unix seconds.
        body: as it is sent, byte for byte.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def headers(
    secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Write the headers of a message; while secrets change, each of them signs."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            signature(secret, message_id, timestamp, body) for secret in secrets
        ),
    }
