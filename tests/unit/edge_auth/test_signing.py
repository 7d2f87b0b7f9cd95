"""A signature fits one request of one client within its window, and no other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_auth.domain import signing
from edge_auth.domain.credentials import Secret
from edge_auth.domain.edge_request import EdgeRequest
from edge_auth.domain.signing import canonical, canonical_of, check_signature, sign
from tests.signed import signed

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
SECRET = Secret("s1", "pms_a_secret")
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
PATH = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40).map("/{}".format)
NONCE = st.text("abcXYZ019._~+/=:-", min_size=1, max_size=128)


def post(
    secret: str = SECRET.value,
    *,
    body: bytes = b"{}",
    key: str = "k",
    path: str = "/v1/payments",
    nonce: str = "n",
    at: float = NOW.timestamp(),
    content_type: str = "application/json",
) -> EdgeRequest:
    """Write a signed POST."""
    headers = signed(secret, "POST", path, body, key=key, nonce=nonce, at=at)
    return EdgeRequest("POST", path, {**headers, "content-type": content_type}, body)


def reason(request: EdgeRequest, *secrets: Secret) -> str:
    """Tell why a signature is refused; empty: it is not."""
    denial = check_signature(request, secrets or [SECRET], NOW)
    return denial.reason if denial else ""


@given(path=PATH, key=HEADER, nonce=NONCE, body=st.binary(max_size=200))
def test_what_a_caller_signs_by_the_interface_fits(
    path: str, key: str, nonce: str, body: bytes
) -> None:
    """The canonical string here is the one that the interface describes, whatever is in it."""
    assert reason(post(body=body, key=key, path=path, nonce=nonce)) == ""


@given(
    first=st.tuples(PATH, NONCE, HEADER, st.binary(max_size=20)),
    second=st.tuples(PATH, NONCE, HEADER, st.binary(max_size=20)),
)
def test_two_requests_never_share_a_canonical_string(
    first: tuple[str, str, str, bytes], second: tuple[str, str, str, bytes]
) -> None:
    """No part can be moved into its neighbour: lines end where HTTP allows no line feed."""
    assume(first != second)

    one, other = (canonical("POST", p, "1", n, k, b) for p, n, k, b in (first, second))

    assert one != other


@given(place=st.integers(0, 63), digit=st.sampled_from("0123456789abcdef"))
def test_one_wrong_digit_is_a_wrong_signature(place: int, digit: str) -> None:
    """Each digit counts; capitals are the same digits."""
    request = post()
    right = request.headers[signing.SIGNATURE]
    wrong = right[:place] + digit + right[place + 1 :]
    told = replace(request, headers={**request.headers, signing.SIGNATURE: wrong})
    loud = replace(request, headers={**request.headers, signing.SIGNATURE: right.upper()})

    assert reason(told) == ("" if wrong == right else "SIGNATURE_INVALID")
    assert reason(loud) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/v1/payments?a=1"},
        {"path": "/v1/payments/"},
        {"body": b"{ }"},
        {"body": b""},
    ],
)
def test_changed_request_is_refused(change: dict[str, object]) -> None:
    """Method, path, query and body are signed."""
    assert reason(replace(post(), **change)) == "SIGNATURE_INVALID"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "value"),
    [("idempotency-key", "other"), (signing.NONCE, "other"), (signing.TIMESTAMP, "1768473001")],
)
def test_changed_header_is_refused(header: str, value: str) -> None:
    """Key, nonce and timestamp are signed; a key that is taken away, too."""
    request = post()
    told = replace(request, headers={**request.headers, header: value})
    without = {name: text for name, text in request.headers.items() if name != "idempotency-key"}

    assert reason(told) == "SIGNATURE_INVALID"
    assert reason(replace(request, headers=without)) == "SIGNATURE_INVALID"


@given(offset=st.integers(-10_000, 10_000))
def test_window_is_five_minutes_to_both_sides(offset: int) -> None:
    """Older or from further ahead is refused, though well signed, with how far it is off."""
    request = post(at=NOW.timestamp() + offset)

    denial = check_signature(request, [SECRET], NOW)

    assert (denial is None) is (abs(offset) <= 300)
    if denial is not None:
        assert denial.reason == "TIMESTAMP_OUT_OF_WINDOW"
        assert dict(denial.facts)["aheadSeconds"] == str(offset)


@pytest.mark.parametrize("missing", signing.HEADERS)
def test_missing_header_is_named(missing: str) -> None:
    """Who signs by halves is told which half is missing."""
    request = post()
    headers = {name: text for name, text in request.headers.items() if name != missing}

    denial = check_signature(replace(request, headers=headers), [SECRET], NOW)

    assert denial is not None
    assert (denial.reason, dict(denial.facts)) == ("SIGNATURE_MISSING", {"header": missing})


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        (signing.TIMESTAMP, "soon", "TIMESTAMP_INVALID"),
        (signing.TIMESTAMP, "-1", "TIMESTAMP_INVALID"),
        (signing.TIMESTAMP, "1768473000.5", "TIMESTAMP_INVALID"),
        (signing.TIMESTAMP, "9" * 13, "TIMESTAMP_INVALID"),
        (signing.TIMESTAMP, "١٧٦٨", "TIMESTAMP_INVALID"),
        (signing.NONCE, "n" * 129, "NONCE_INVALID"),
        (signing.NONCE, "a b", "NONCE_INVALID"),
        (signing.NONCE, "a,b", "NONCE_INVALID"),
        (signing.SIGNATURE, "ab", "SIGNATURE_INVALID"),
        (signing.SIGNATURE, "g" * 64, "SIGNATURE_INVALID"),
    ],
)
def test_malformed_header_is_told_apart(header: str, value: str, expected: str) -> None:
    """Each has its form, bounded in length and alphabet."""
    request = post()

    assert reason(replace(request, headers={**request.headers, header: value})) == expected


def test_refusal_tells_what_arrived_and_no_secret() -> None:
    """The digests are those of what the caller sent, so that he can compare."""
    request = post("another secret")

    denial = check_signature(request, [SECRET], NOW)

    assert denial is not None
    body_digest = canonical_of(request).rpartition(b"\n")[2].decode()
    assert dict(denial.facts)["bodySha256"] == body_digest
    assert sign(SECRET.value, canonical_of(request)) not in str(denial)


def test_any_live_secret_signs_and_no_other() -> None:
    """During a rotation both sign; one that has ended does not; with none nothing fits."""
    old = Secret("s0", "old", NOW + timedelta(seconds=1))
    ended = Secret("s0", "old", NOW)

    assert reason(post("old"), SECRET, old) == reason(post(), SECRET, old) == ""
    assert reason(post("old"), SECRET, ended) == "SIGNATURE_INVALID"
    assert check_signature(post(), [], NOW) is not None


def test_native_message_is_signed_without_its_frame() -> None:
    """Five bytes of gRPC before the message are none of it."""
    path, message = "/paymesh.payment.v1.PaymentService/GetPayment", b"\x0a\x05pay_1"
    request = post(body=message, path=path, content_type="application/grpc")
    framed = replace(request, body=b"\0\0\0\0\x07" + message)

    assert reason(framed) == ""
    assert reason(request) == "SIGNATURE_INVALID"
