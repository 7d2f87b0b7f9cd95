"""How each PSP signs what it sends, written from its own description and from nothing of ours.

docs.stripe.com/webhooks#verify-manually,
docs.adyen.com/development-resources/webhooks/verify-hmac-signatures,
developer.paypal.com/api/rest/webhooks/rest
"""

import base64
import hashlib
import hmac
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PAYPAL_NAME = "messageverificationcerts.sandbox.paypal.com"

_KEY_BITS = 2048
_CERTIFICATE_LASTS = timedelta(days=365)


def stripe_signature(secret: str, body: bytes, at: datetime) -> str:
    """Write the header Stripe-Signature, with the placeholder that Stripe adds in test mode."""
    seconds = int(at.timestamp())
    signed = f"{seconds}.".encode() + body
    v1 = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={v1},v0={'0' * 64}"


def adyen_signature(key: str, item: Mapping[str, Any]) -> str:
    """Write `additionalData.hmacSignature` of a NotificationRequestItem; `key` is hexadecimal."""
    amount = item.get("amount", {})
    fields = [
        item.get("pspReference"),
        item.get("originalReference"),
        item.get("merchantAccountCode"),
        item.get("merchantReference"),
        amount.get("value"),
        amount.get("currency"),
        item.get("eventCode"),
        item.get("success"),
    ]
    return adyen_body_signature(key, ":".join(str(f if f is not None else "") for f in fields))


def adyen_body_signature(key: str, body: bytes | str) -> str:
    """Write the header HmacSignature of a platform's webhook; `key` is hexadecimal."""
    content = body.encode() if isinstance(body, str) else body
    return base64.b64encode(hmac.digest(bytes.fromhex(key), content, "sha256")).decode()


@dataclass(frozen=True, slots=True)
class PayPalIdentity:
    """What PayPal signs with.

    Attributes:
        certificate: to be served at the address that the headers name, in PEM.
        root: what the certificate leads to, in PEM; for who is to trust this identity.
        key: never to be shown.
    """

    certificate: bytes
    root: bytes
    key: RSAPrivateKey

    def __repr__(self) -> str:
        return "PayPalIdentity(…)"


def new_paypal_identity(
    at: datetime, name: str = PAYPAL_NAME, *, key_bits: int = _KEY_BITS
) -> PayPalIdentity:
    """Make an authority, and a certificate of it made out to `name`, valid for a year from a day
    before `at`; fewer `key_bits` make one that nobody should take.
    """
    root_key, key = _new_key(_KEY_BITS), _new_key(key_bits)
    issuer = _named("Sandbox Root CA")
    usage = {"key_cert_sign": True, "crl_sign": True}
    root = (
        _builder(issuer, issuer, root_key, root_key, at)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(**usage), critical=True)
        .sign(root_key, SHA256())
    )
    certificate = (
        _builder(_named(name), issuer, key, root_key, at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(root_key, SHA256())
    )
    return PayPalIdentity(
        certificate.public_bytes(Encoding.PEM), root.public_bytes(Encoding.PEM), key
    )


def paypal_headers(
    key: RSAPrivateKey,
    *,
    webhook_id: str,
    certificate_url: str,
    transmission_id: str,
    body: bytes,
    at: datetime,
) -> dict[str, str]:
    """Write the headers of one transmission; `at` in UTC."""
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    content = f"{transmission_id}|{time}|{webhook_id}|{zlib.crc32(body)}"
    signature = key.sign(content.encode(), PKCS1v15(), SHA256())
    return {
        "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        "PAYPAL-CERT-URL": certificate_url,
        "PAYPAL-TRANSMISSION-ID": transmission_id,
        "PAYPAL-TRANSMISSION-TIME": time,
        "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
    }


def _new_key(bits: int) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=bits)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: RSAPrivateKey,
    issuer_key: RSAPrivateKey,
    at: datetime,
) -> x509.CertificateBuilder:
    starts = at - timedelta(days=1)
    own, of_issuer = key.public_key(), issuer_key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + _CERTIFICATE_LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(of_issuer), critical=False
        )
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
