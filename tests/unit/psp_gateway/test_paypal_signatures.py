"""Whose PayPal's webhooks are: published signatures, certificates, and what nobody without the key
gets in with.
"""

import base64
import json
import re
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, example, given
from hypothesis import strategies as st

from devstack.sandbox.signing import PayPalIdentity, new_paypal_identity
from psp_gateway.domain.errors import BadSignature, CertificateNeeded
from psp_gateway.domain.psp_event import Subject
from psp_gateway.providers.paypal.roots import INTERMEDIATES, ROOTS
from psp_gateway.providers.paypal.webhooks import PayPalWebhooks
from tests.unit.psp_gateway.paypal_hooks import (
    BODY,
    NOW,
    URL,
    WEBHOOK_ID,
    headers_of,
    identity,
    new_hooks,
    read,
)
from tests.unit.psp_gateway.vectors.paypal import PUBLISHED, Published


@cache
def stranger() -> PayPalIdentity:
    """Make those of somebody else, made out to the same name."""
    return new_paypal_identity(NOW)


def refused(headers: Mapping[str, str], body: bytes = BODY, now: datetime = NOW) -> BadSignature:
    """Read what must be refused."""
    with pytest.raises(BadSignature) as caught:
        new_hooks().read_webhook(headers, body, now=now)
    return caught.value


years = pytest.mark.parametrize("published", PUBLISHED, ids=lambda one: str(one.at.year))


@years
def test_published_signatures(published: Published) -> None:
    """What PayPal signed over the years is right, and leads to the roots that are pinned."""
    hooks = PayPalWebhooks(published.webhook_id, lambda _: published.certificate)

    (found,) = hooks.read_webhook(published.headers, published.body, now=published.at)

    assert (found.event_id, found.event_type) == (published.event_id, published.event_type)
    assert found.subject is Subject.OTHER


@years
@pytest.mark.parametrize(
    "changes",
    [
        {"paypal-transmission-time": "2017-03-30T20:04:06Z"},
        {"paypal-transmission-id": "071f7d20-1584-11e7-abf0-6b62a8a99ac5"},
        {"paypal-cert-url": "https://api.paypal.com/v1/notifications/test"},
        {"paypal-auth-algo": "SHA1withRSA"},
    ],
)
def test_published_headers_changed(published: Published, changes: dict[str, str]) -> None:
    """They are not right of another time or delivery, or of the live PayPal."""
    hooks = PayPalWebhooks(
        published.webhook_id, lambda _: published.certificate, replay_window=timedelta(days=9999)
    )

    with pytest.raises(BadSignature):
        hooks.read_webhook(published.headers | changes, published.body, now=NOW)


@years
def test_published_signatures_of_something_else(published: Published) -> None:
    """Nor of another body, be it the same written anew, or of another endpoint's webhook."""
    again = json.dumps(json.loads(published.body)).encode()
    for webhook_id, body in (
        ("4JH86294D6297924H", published.body),
        (published.webhook_id, published.body + b" "),
        (published.webhook_id, again),
    ):
        hooks = PayPalWebhooks(webhook_id, lambda _: published.certificate)
        with pytest.raises(BadSignature):
            hooks.read_webhook(published.headers, body, now=published.at)


@pytest.mark.parametrize("pinned", [ROOTS, INTERMEDIATES])
def test_pinned_certificates(pinned: bytes) -> None:
    """Each is DigiCert's own authority, and has the fingerprint that is written above it."""
    written = re.findall(rb"SHA-256 ([0-9a-f]{64})", pinned)
    certificates = x509.load_pem_x509_certificates(pinned)

    assert [one.fingerprint(SHA256()).hex().encode() for one in certificates] == written
    for one in certificates:
        assert "DigiCert" in one.subject.rfc4514_string()
        assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_right_signature() -> None:
    """A webhook under the authority that is trusted is read."""
    assert read(BODY).event_id == "WH-1"


@pytest.mark.parametrize("name", sorted(headers_of(BODY)))
def test_every_header_is_needed(name: str) -> None:
    """A webhook that lacks a header is refused."""
    headers = headers_of(BODY)
    del headers[name]

    refused(headers)
    refused({**headers, name: ""})


@pytest.mark.parametrize(
    "algorithm", ["SHA1withRSA", "sha256", "none", "SHA256withRSA ", "SHA256withECDSA"]
)
def test_algorithm_is_pinned(algorithm: str) -> None:
    """No other algorithm is spoken, whatever the header asks for."""
    refused(headers_of(BODY, auth_algo=algorithm))


@pytest.mark.parametrize(
    "url",
    [
        "http://api.sandbox.paypal.com/v1/notifications/certs/x",
        "https://api.sandbox.paypal.com.evil.example/v1/x",
        "https://api.sandbox.paypal.com@evil.example/v1/x",
        "https://evil.example/https://api.sandbox.paypal.com/v1/x",
        "https://api.sandbox.paypal.com:8443/v1/x",
        "https://evil.example\\@api.sandbox.paypal.com/x",
        "https://api.sandbox.pay\tpal.com/x",
        " https://api.sandbox.paypal.com/x",
        "https://api.sandbox.paypal.com/x\n",
        "https://API.sandbox.paypal.com/x",
        "https://www.paypal.com/x",
        "https://paypal.com/x",
        "https://api.sandbox.paypal.com/x?next=http://evil.example",
        "https://api.sandbox.paypal.com/%0d%0a",
        "https://api.sandbox.paypal.com",
        "//api.sandbox.paypal.com/x",
        "file:///etc/passwd",
        "https://127.0.0.1/x",
    ],
)
def test_certificates_come_from_paypal_alone(url: str) -> None:
    """Nothing is looked up, let alone fetched, that is not exactly on PayPal's hosts."""
    asked: list[str] = []

    def ask(wanted: str) -> bytes:
        asked.append(wanted)
        return identity().certificate

    hooks = PayPalWebhooks(WEBHOOK_ID, ask, roots=identity().root)
    with pytest.raises(BadSignature) as caught:
        hooks.read_webhook(headers_of(BODY, cert_url=url), BODY, now=NOW)

    assert asked == []
    assert not isinstance(caught.value, CertificateNeeded)


def test_certificate_not_at_hand() -> None:
    """A certificate that is missing is asked for, and only when all else is in order."""
    hooks = PayPalWebhooks(WEBHOOK_ID, {}.get, roots=identity().root)

    with pytest.raises(CertificateNeeded) as caught:
        hooks.read_webhook(headers_of(BODY), BODY, now=NOW)
    assert caught.value.url == URL
    with pytest.raises(BadSignature) as caught_old:
        hooks.read_webhook(headers_of(BODY, at=NOW - timedelta(days=9)), BODY, now=NOW)
    assert not isinstance(caught_old.value, CertificateNeeded)


def test_sandbox_of_our_own() -> None:
    """Other origins can be trusted instead, be it one on loopback."""
    origins = {"http://127.0.0.1:8420": "messageverificationcerts.sandbox.paypal.com"}
    hooks = new_hooks(origins=origins)

    mine = headers_of(BODY, cert_url="http://127.0.0.1:8420/paypal/certs/1")
    assert hooks.read_webhook(mine, BODY, now=NOW)
    with pytest.raises(BadSignature):
        hooks.read_webhook(headers_of(BODY), BODY, now=NOW)


def test_certificate_of_another_authority() -> None:
    """A certificate made out to PayPal by an authority that is not trusted is worth nothing."""
    for pem in (stranger().certificate, stranger().certificate + stranger().root):
        with pytest.raises(BadSignature, match="certificate"):
            new_hooks(pem).read_webhook(headers_of(BODY, by=stranger()), BODY, now=NOW)


def test_certificate_of_another_name() -> None:
    """Nor is one of a trusted authority that is made out to somebody else."""
    theirs = new_paypal_identity(NOW, "shop.example")
    hooks = PayPalWebhooks(WEBHOOK_ID, lambda _: theirs.certificate, roots=theirs.root)

    with pytest.raises(BadSignature, match="certificate"):
        hooks.read_webhook(headers_of(BODY, by=theirs), BODY, now=NOW)


@pytest.mark.parametrize(("bits", "is_taken"), [(2048, True), (1024, False)])
def test_weak_keys(bits: int, *, is_taken: bool) -> None:
    """A key that can be broken signs nothing, though its certificate be genuine."""
    weak = new_paypal_identity(NOW, key_bits=bits)
    hooks = PayPalWebhooks(WEBHOOK_ID, lambda _: weak.certificate, roots=weak.root)

    with nullcontext() if is_taken else pytest.raises(BadSignature, match="key"):
        hooks.read_webhook(headers_of(BODY, by=weak), BODY, now=NOW)


@pytest.mark.parametrize("days", [-11, 357, 400])
def test_certificate_of_another_time(days: int) -> None:
    """A certificate must be valid at the time of the transmission."""
    at = NOW + timedelta(days=days)

    refused(headers_of(BODY, at=at), now=at)


@pytest.mark.parametrize("age_s", [0, 60, 3 * 86400, 3 * 86400 + 3600, -300])
def test_age(age_s: int) -> None:
    """A transmission may be three days and an hour old, for PayPal repeats for three days."""
    headers = headers_of(BODY, at=NOW - timedelta(seconds=age_s))

    assert new_hooks().read_webhook(headers, BODY, now=NOW)


@pytest.mark.parametrize("age_s", [3 * 86400 + 3601, -301, 86400 * 365])
def test_too_old(age_s: int) -> None:
    """One that is older, or of the future, is refused before its certificate is asked for."""
    headers = headers_of(BODY, at=NOW - timedelta(seconds=age_s))

    assert "old" in str(refused(headers))


@pytest.mark.parametrize(
    "signature", ["x", "é", "AAAA", "A" * 344, "A" * 342 + "==", " " * 344, "=" * 344]
)
def test_wrong_signatures(signature: str) -> None:
    """Garbage of whatever length is refused."""
    refused(headers_of(BODY, transmission_sig=signature))


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"x",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_unreadable_certificates(pem: bytes) -> None:
    """A certificate that is none is refused, and does not throw."""
    with pytest.raises(BadSignature):
        new_hooks(pem).read_webhook(headers_of(BODY), BODY, now=NOW)


@pytest.mark.parametrize("webhook_id", ["", "a|b", "a b", "x" * 65])
def test_webhook_id(webhook_id: str) -> None:
    """There must be a webhook id, and nothing in it that parts the fields that are signed."""
    with pytest.raises(ValueError, match="webhook id"):
        PayPalWebhooks(webhook_id, {}.get)


@pytest.mark.parametrize("name", ["transmission_id", "transmission_time"])
def test_no_border_can_be_moved(name: str) -> None:
    """No header may hold what parts the fields that are signed."""
    refused(headers_of(BODY, **{name: "a|2026-11-23T12:00:00Z"}))


names = st.sampled_from(sorted(headers_of(BODY)))


@given(name=names, value=st.text(), body=st.binary())
def test_any_headers(name: str, value: str, body: bytes) -> None:
    """Nobody without the key gets in, whatever the bytes, and none throws anything else."""
    refused({**headers_of(BODY), name: value}, body if body != BODY else b"")


@given(pem=st.binary() | st.binary().map(lambda inner: identity().certificate + inner))
def test_any_certificate(pem: bytes) -> None:
    """A certificate may be anything: what it opens is what it would open alone."""
    with suppress(BadSignature):
        new_hooks(pem).read_webhook(headers_of(BODY), BODY, now=NOW)
        assert pem.startswith(identity().certificate)


changes = st.lists(st.tuples(st.integers(0, 1963), st.integers(1, 255)), min_size=1, max_size=3)


@pytest.mark.filterwarnings("ignore::UserWarning")  # the library warns of what it will refuse
@example([(12, 1)])  # a version of X.509 that nobody has heard of
@example([(347, 134), (1260, 130)])  # a text of an unknown type
@given(changes)
def test_any_changed_certificate(changes: list[tuple[int, int]]) -> None:
    """A genuine certificate of which bytes are changed opens nothing, and does not throw."""
    published = PUBLISHED[0]
    genuine = x509.load_pem_x509_certificate(published.certificate).public_bytes(Encoding.DER)
    content = bytearray(genuine)
    for position, byte in changes:
        content[position] ^= byte
    assume(content != genuine)
    lines = base64.encodebytes(bytes(content))
    pem = b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"
    hooks = PayPalWebhooks(published.webhook_id, lambda _: pem)

    with pytest.raises(BadSignature):
        hooks.read_webhook(published.headers, published.body, now=published.at)
