"""The body of a request is read as strictly as money deserves."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymesh.payment.v1 import payment_service_pb2 as service

from devstack.rest import specification_request
from edge_auth.domain.errors import Denial
from edge_auth.domain.strict_json import check_body
from edge_auth.routes import Routes

ROUTES = Routes()


def check(body: str | bytes) -> Denial | None:
    """Check a body of POST /v1/payments."""
    shape = ROUTES.shape_of("POST", "/v1/payments")
    assert shape is not None
    return check_body(body.encode() if isinstance(body, str) else body, shape)


def with_order(**fields: Any) -> str:
    """Write the specification's request with other fields in its order."""
    request = specification_request()
    request["payment_orders"][0] |= fields
    return json.dumps(request)


def test_specifications_request_passes() -> None:
    """The request that the specification prints is well-formed."""
    assert check(json.dumps(specification_request())) is None


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        ("", "MALFORMED_JSON", None),
        ("[]", "MALFORMED_JSON", None),
        ('{"a":', "MALFORMED_JSON", None),
        (b"\xff{}", "MALFORMED_JSON", None),
        ('{"checkout_id": NaN}', "MALFORMED_JSON", None),
        ("{" * 5000, "MALFORMED_JSON", None),
        ('{"checkout_id": "a", "checkout_id": "b"}', "DUPLICATE_FIELD", "checkout_id"),
        ('{"buyer_info": {"id": "1", "id": "2"}}', "DUPLICATE_FIELD", "buyer_info.id"),
        ('{"checkoutId": "a"}', "UNKNOWN_FIELD", "checkoutId"),
        ('{"status": "COMPLETED"}', "UNKNOWN_FIELD", "status"),
        (with_order(amount=99.99), "INVALID_FIELD", "payment_orders[0].amount"),
        (with_order(amount=None), "INVALID_FIELD", "payment_orders[0].amount"),
        (with_order(amount=["1"]), "INVALID_FIELD", "payment_orders[0].amount"),
        (with_order(fee="1"), "UNKNOWN_FIELD", "payment_orders[0].fee"),
        ('{"payment_orders": {}}', "INVALID_FIELD", "payment_orders"),
        ('{"buyer_info": "x"}', "INVALID_FIELD", "buyer_info"),
        ('{"capture_method": 1}', "INVALID_FIELD", "capture_method"),
        ('{"capture_method": ["MANUAL"]}', "INVALID_FIELD", "capture_method"),
        (with_order(payment_order_id="4242 4242 4242 4242"), "CARD_NUMBER_REFUSED",
         "payment_orders[0].payment_order_id"),
        ('{"4242424242424242": 1}', "CARD_NUMBER_REFUSED", "(a key)"),
        (b'{"checkout_id": "' + b"x" * 70_000 + b'"}', "REQUEST_TOO_LARGE", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(body: str | bytes, reason: str, field: str | None) -> None:
    """Each refusal says why, and where."""
    denial = check(body)

    assert denial is not None
    assert denial.reason == reason
    assert denial.fields == ((field,) if field else ())
    assert "4242" not in denial.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_nothing_but_a_denial_comes_of_any_json(value: Any) -> None:
    """Whatever is sent, it is let in or turned away; it never breaks the check."""
    denial = check(json.dumps(value))

    assert denial is None or denial.http in (400, 413)


GOOD = json.dumps(specification_request()).encode()
AT = st.integers(0, len(GOOD) - 1)
PIECE = st.binary(max_size=3) | st.sampled_from(
    [b'"', b"\\", b"\\u0034", b"\\ud800", b"{", b"}", b"[", b",", b":", b"NaN", b"-Infinity",
     b"1e999", b"0x1", b"//", b"'", b"\xef\xbb\xbf", b"\x00", b'"buyer_info":{},', b"null"]
)  # fmt: skip


@given(edits=st.lists(st.tuples(AT, st.integers(0, 4), PIECE), min_size=1, max_size=4))
def test_nothing_is_let_in_that_the_standard_reader_refuses(
    edits: list[tuple[int, int, bytes]],
) -> None:
    """However a good body is cut and mended, what passes is JSON, and an object."""
    body = GOOD
    for at, cut, piece in edits:
        body = body[:at] + piece + body[at + cut :]

    denial = check(body)

    try:
        value = json.loads(body)
    except ValueError:
        value = None
    assert denial is not None or isinstance(value, dict)
    assert denial is None or denial.http in (400, 413)


@given(data=st.data())
def test_key_twice_is_found_at_any_depth(data: st.DataObject) -> None:
    """Whatever stands between the two, and whether or not they say the same."""
    request = specification_request()
    spot = data.draw(st.sampled_from(["", "buyer_info", "credit_card_info", "payment_orders"]))
    inner: Any = request[spot] if spot else request
    inner = inner[0] if isinstance(inner, list) else inner
    key = data.draw(st.sampled_from(sorted(inner)))
    value = data.draw(st.sampled_from([inner[key], None, "x", {}]))
    once = json.dumps(inner)
    twice = f"{once[:-1]}, {json.dumps(key)}: {json.dumps(value)}}}"

    denial = check(json.dumps(request).replace(once, twice, 1))

    assert denial is not None
    assert denial.reason in ("DUPLICATE_FIELD", "INVALID_FIELD")
    assert denial.fields[0].endswith(key)


@given(st.binary(max_size=80), st.booleans())
def test_native_bytes_are_read_or_refused_and_never_break_the_check(
    payload: bytes, is_framed: bool
) -> None:
    """Of any bytes come the strings of a message, or that it cannot be read."""
    frame = b"\0" + len(payload).to_bytes(4, "big") + payload
    path = "/paymesh.payment.v1.PaymentService/CreatePayment"

    texts = ROUTES.texts_of(path, frame if is_framed else payload)

    assert texts is None or all(isinstance(text, str) for text in texts.values())


@given(st.binary(max_size=200))
def test_nothing_but_a_denial_comes_of_any_bytes(body: bytes) -> None:
    """Whatever bytes are sent, they are turned away."""
    denial = check(body)

    assert denial is None or denial.reason == "MALFORMED_JSON"


RESUME = "/v1/payments/pay_1/resume"


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        ('{"return_query": {"redirectResult": 7}}', "INVALID_FIELD", "return_query.redirectResult"),
        ('{"return_query": {"a": {}}}', "INVALID_FIELD", "return_query.a"),
        ('{"return_query": []}', "INVALID_FIELD", "return_query"),
        ('{"return_query": {"a": "1", "a": "2"}}', "DUPLICATE_FIELD", "return_query.a"),
        ('{"return_query": {"a": "4242424242424242"}}', "CARD_NUMBER_REFUSED", "return_query.a"),
        (
            '{"return_query": {"4242424242424242": "a"}}',
            "CARD_NUMBER_REFUSED",
            "return_query.(a key)",
        ),
    ],
)
def test_a_map_is_read_as_strictly(body: str, reason: str, field: str) -> None:
    """Any key may stand in it, once; its values are of one kind."""
    shape = ROUTES.shape_of("POST", RESUME)
    assert shape is not None

    denial = check_body(body.encode(), shape)

    assert check_body(b'{"return_query": {"redirectResult": "x", "y": ""}}', shape) is None
    assert denial is not None
    assert (denial.reason, denial.fields) == (reason, (field,))


def test_a_map_is_searched_in_native_calls_too() -> None:
    """Keys and values alike."""
    request = service.ResumePaymentRequest(
        payment_id="pay_1", return_query={"4242424242424242": "a", "b": "c"}
    )
    payload = request.SerializeToString()
    frame = b"\0" + len(payload).to_bytes(4, "big") + payload

    texts = ROUTES.texts_of("/paymesh.payment.v1.PaymentService/ResumePayment", frame)

    assert texts is not None
    assert texts["return_query.b"] == "c"
    assert "4242424242424242" in texts.values()
