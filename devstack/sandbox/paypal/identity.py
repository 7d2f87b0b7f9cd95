"""What the sandbox's PayPal signs webhooks with: kept in a folder, so that it outlives a restart,
and its certificate served where PayPal serves its own.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from devstack.sandbox.signing import PayPalIdentity, new_paypal_identity

CERTIFICATE_PATH = "/paypal/v1/notifications/certs/CERT-sandbox"
ROOT = "root.pem"
_CERTIFICATE, _KEY = "certificate.pem", "key.pem"


def keep_identity(folder: Path) -> Path:
    """Make an identity in a folder unless it is there; tell where its root certificate is."""
    root = folder / ROOT
    if not root.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = new_paypal_identity(datetime.now(UTC))
        key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(folder / _KEY, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(key)
        (folder / _CERTIFICATE).write_bytes(made.certificate)
        root.write_bytes(made.root)  # last: what is half made is made again
    return root


def read_identity(folder: Path) -> PayPalIdentity:
    """Read an identity.

    Raises:
        OSError: it is not there.
        TypeError: its key is none of RSA.
    """
    key = load_pem_private_key((folder / _KEY).read_bytes(), None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("PayPal signs with RSA")
    return PayPalIdentity((folder / _CERTIFICATE).read_bytes(), (folder / ROOT).read_bytes(), key)


def certificate_routes(identity: PayPalIdentity) -> list[web.RouteDef]:
    """Serve the certificate."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(body=identity.certificate, content_type="application/x-pem-file")

    return [web.get(CERTIFICATE_PATH, show)]
