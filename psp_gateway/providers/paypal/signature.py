"""How PayPal signs: developer.paypal.com/api/rest/webhooks/rest.

RSA with SHA-256 over `<transmission id>|<transmission time>|<webhook id>|<CRC-32 of the body>`, by
a certificate that PayPal serves at the address in a header.

A CRC-32 is no hash: whoever holds one genuine transmission can write another body with the same
sum. So a webhook of PayPal's never says how the money stands; it only tells to ask PayPal.
"""

import base64
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from psp_gateway.domain.errors import BadSignature, CertificateNeeded
from psp_gateway.providers.paypal.roots import INTERMEDIATES, ROOTS
from psp_gateway.webhook_body import from_iso

# Where certificates come from, and the name that each must then be made out to.
ORIGINS: Mapping[str, str] = {
    "https://api.paypal.com": "messageverificationcerts.paypal.com",
    "https://api.sandbox.paypal.com": "messageverificationcerts.sandbox.paypal.com",
}
ALGORITHM = "SHA256withRSA"
REPLAY_WINDOW = timedelta(days=3, hours=1)

# Our clock and PayPal's may differ by so much.
_CLOCKS_DIFFER = timedelta(minutes=5)
_KEY_BITS_MIN = 2048  # the verifier takes fewer
_CHAIN_MAX = 8
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})")
# No query, no user, no escapes: nothing that one reader of addresses takes for another host.
_URL = re.compile(r"(https?://[A-Za-z0-9.:-]{1,100})/[A-Za-z0-9/._-]{1,300}")
# All that reading and verifying a certificate of arbitrary bytes is known to throw.
_UNUSABLE = (
    ValueError,
    LookupError,
    TypeError,
    UnsupportedAlgorithm,
    VerificationError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

Certificates = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Transmission:
    """What the headers say of one delivery, checked for its form alone."""

    id: str
    time: str
    sent_at: datetime
    certificate_url: str
    certificate_name: str
    signature: bytes


class Signatures:
    """Checks what PayPal has signed.

    Args:
        webhook_id: PayPal's id of our endpoint; it is signed, so that what PayPal sent to another
            endpoint is not taken here.
        certificates: gives a certificate in PEM by its address, those that lead to a root after
            it, or None when it is not at hand.
        origins: the origins that certificates may come from, each with the name that they are made
            out to.
        roots: in PEM; what a certificate must lead to.
        replay_window: how old a transmission may be. PayPal repeats what we have not taken for
            three days (developer.paypal.com/api/rest/webhooks), and does not say whether under the
            first time or a new one: hence three days and an hour. What comes twice inside of the
            window is told by the event's id.

    Raises:
        ValueError: there is no webhook id, or the roots cannot be read.
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
        if not _ID.fullmatch(webhook_id):
            raise ValueError("The webhook id of PayPal's is missing or malformed.")
        self._webhook_id = webhook_id
        self._certificates = certificates
        self._origins = origins
        self._store = Store(x509.load_pem_x509_certificates(roots))
        self._intermediates = x509.load_pem_x509_certificates(INTERMEDIATES)
        self._replay_window = replay_window

    def check(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> None:
        """Check all that costs nothing first, and ask for a certificate only then.

        Raises:
            CertificateNeeded: to be fetched; then try again.
            BadSignature: it is not PayPal's, or too old.
        """
        sent = self._transmission(headers)
        if not -_CLOCKS_DIFFER <= now - sent.sent_at <= self._replay_window:
            raise BadSignature("The transmission is too old, or of the future.")
        pem = self._certificates(sent.certificate_url)
        if pem is None:
            raise CertificateNeeded(sent.certificate_url)
        content = signed_content(sent.id, sent.time, self._webhook_id, body)
        try:
            self._trusted_key(pem, sent).verify(sent.signature, content, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise BadSignature("The signature is wrong.") from None

    def _transmission(self, headers: Mapping[str, str]) -> Transmission:
        if headers.get("paypal-auth-algo") != ALGORITHM:
            raise BadSignature(f"The algorithm is not {ALGORITHM}.")
        transmission_id = _matching(_ID, headers.get("paypal-transmission-id", ""))
        time = _matching(_TIME, headers.get("paypal-transmission-time", ""))
        url = headers.get("paypal-cert-url", "")
        found = _URL.fullmatch(url)
        sent_at = from_iso(time)
        if not found or found[1] not in self._origins or sent_at is None:
            raise BadSignature("The certificate's address is not PayPal's, or the time is none.")
        return Transmission(
            id=transmission_id,
            time=time,
            sent_at=sent_at,
            certificate_url=url,
            certificate_name=self._origins[found[1]],
            signature=_signature(headers.get("paypal-transmission-sig", "")),
        )

    def _trusted_key(self, pem: bytes, sent: Transmission) -> RSAPublicKey:
        """Read the key of a certificate that was PayPal's when the transmission was sent."""
        try:
            leaf, *others = x509.load_pem_x509_certificates(pem)[:_CHAIN_MAX]
            policy = PolicyBuilder().store(self._store).time(sent.sent_at)
            verifier = policy.build_server_verifier(x509.DNSName(sent.certificate_name))
            verifier.verify(leaf, [*others, *self._intermediates])
            key = leaf.public_key()
        except _UNUSABLE:
            raise BadSignature("The certificate is not one of PayPal's.") from None
        if not isinstance(key, RSAPublicKey) or key.key_size < _KEY_BITS_MIN:
            raise BadSignature("The certificate's key is not of the kind that PayPal signs with.")
        return key


def signed_content(transmission_id: str, time: str, webhook_id: str, body: bytes) -> bytes:
    """Join what PayPal signs; the sum of the body as an unsigned decimal."""
    return f"{transmission_id}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()


def _matching(form: re.Pattern[str], written: str) -> str:
    if not form.fullmatch(written):
        raise BadSignature("A header of the transmission is missing or malformed.")
    return written


def _signature(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except ValueError:
        raise BadSignature("The signature is not base64.") from None
