"""The body of a request is read as strictly as money deserves."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.binary(max_size=200))
def test_nothing_but_a_denial_comes_of_any_bytes(body: bytes) -> None:
    """Whatever bytes are sent, they are turned away."""
    denial = check(body)

    assert denial is None or denial.reason == "MALFORMED_JSON"
